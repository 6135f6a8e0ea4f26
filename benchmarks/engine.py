"""The engine's rows: against its peers, and against itself with one thing changed."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.case import as_input, typical
from benchmarks.measure import side_by_side
from benchmarks.peers import c, numba_paths, numpy_paths
from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import settings_pb2
from simulator import codec, engine, rng
from simulator.tally import Tally

PATHS = 400_000
NUMPY_PATHS = 40_000


def rows(threads: int, rounds: int) -> list[dict[str, object]]:
    """Every row: what, figure, unit, goal (None where none is set)."""
    return [*_peers(threads, rounds), *_variants(threads, rounds)]


def _simulate(message: engine_pb2.SimulateInput, threads: int) -> Callable[[], Tally]:
    plan = engine.plan(codec.decode(message), codec.digest(message))
    return lambda: engine.run(plan, 0, plan.blocks, threads=threads)


def _peers(threads: int, rounds: int) -> list[dict[str, object]]:
    case, small = typical(PATHS), typical(NUMPY_PATHS)
    words = rng.path_key(case.seed, 0)
    key = (int(words[0]), int(words[1]))
    contenders: dict[str, Callable[[], object]] = {
        "engine": _simulate(as_input(case), threads),
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
    rate = {
        name: tally.steps * (NUMPY_PATHS / PATHS if name == "numpy" else 1) / timing.best_s
        for name, timing in timings.items()
    }
    goals = {"C": 1.0, "numba": 1.2, "numpy": 6.0}
    speed = {"what": "engine, all figures", "figure": rate["engine"] / 1e6, "unit": "M path-steps/s", "goal": None}
    return [speed] + [
        {"what": f"engine / {peer}", "figure": rate["engine"] / rate[peer], "unit": "x", "goal": f">= {goals[peer]}"}
        for peer in ("C", "numba", "numpy")
        if peer in rate
    ]


def _variants(threads: int, rounds: int) -> list[dict[str, object]]:
    base = as_input(typical(PATHS // 2))
    stationary = engine_pb2.SimulateInput()
    stationary.CopyFrom(base)
    stationary.settings.model = settings_pb2.RESAMPLING_MODEL_STATIONARY
    short = engine_pb2.SimulateInput()
    short.CopyFrom(base)
    short.rules.profit_target.amount = "400"
    timings = side_by_side(
        {
            name: _simulate(each, threads)
            for name, each in (("iid", base), ("stationary", stationary), ("short", short))
        },
        rounds=rounds,
    )
    return [
        {
            "what": f"{name} / {against}, time",
            "figure": timings[key].best_s / timings["iid"].best_s,
            "unit": "x",
            "goal": goal,
        }
        for name, against, key, goal in (
            ("stationary bootstrap", "iid", "stationary", "<= 1.3"),
            ("most paths end early", "full horizon", "short", "<= 0.25"),
        )
    ]
