"""The engine against the same case in threaded C, numba and NumPy: outcome counts agree to the last path."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.case import as_input, typical
from benchmarks.measure import side_by_side
from benchmarks.peers import c, numba_paths, numpy_paths
from benchmarks.rows import Row, at_least
from benchmarks.runs import run_of
from simulator import rng
from simulator.tally import Tally

PATHS = 400_000
NUMPY_PATHS = 40_000
GOALS = {"C": 1.0, "numba": 1.2, "numpy": 6.0}


def rows(threads: int, rounds: int) -> list[Row]:
    """The engine's speed with all its figures, and how many times that of each peer it is."""
    case, small = typical(PATHS), typical(NUMPY_PATHS)
    words = rng.path_key(case.seed, 0)
    key = (int(words[0]), int(words[1]))
    contenders: dict[str, Callable[[], object]] = {
        "engine": run_of(as_input(case), threads),
        "numba": lambda: numba_paths.run(case, key, threads),
        "numpy": lambda: numpy_paths.run(small, key, threads),
    }
    if c.available():
        library = c.build()
        contenders["C"] = lambda: c.run(library, case, key, threads)
    timings = side_by_side(contenders, rounds=rounds)
    tally = timings["engine"].answer
    assert isinstance(tally, Tally)
    for peer in set(timings) & {"C", "numba"}:
        assert timings[peer].answer == (list(tally.outcomes), tally.steps), f"{peer} disagrees with the engine"
    share = {"numpy": NUMPY_PATHS / PATHS}
    rate = {name: tally.steps * share.get(name, 1) / timing.best_s for name, timing in timings.items()}
    speed = Row(key="speed", what="engine, all figures", figure=rate["engine"] / 1e6, unit="M path-steps/s")
    return [speed] + [
        Row(
            key=f"over_{peer.lower()}",
            what=f"engine over {peer}",
            figure=rate["engine"] / rate[peer],
            unit="x",
            goal=at_least(goal),
        )
        for peer, goal in GOALS.items()
        if peer in rate
    ]
