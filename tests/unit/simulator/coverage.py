"""How often nominal 95% intervals hold the truth: what the tests of coverage share.

An interval must hold the truth in 92% to 98% of repeated small runs. One that covers 95% fails with probability 2e-5 in
1,000 runs and 4e-3 in 400; one that covers 89% or 99% passes with at most 3e-3 and 5e-2. The seeds are fixed, so what
passes once always does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from montecarlo.v1.result_pb2 import SimulationResult
from simulator import engine, result, sections
from simulator.launching import Launcher
from simulator.planning import Plan
from simulator.sections import Section
from simulator.spec import Spec

LEAST, MOST = 0.92, 0.98
RUNS = 1_000
PATHS = 1_000
BLOCK = 1_024
TRUTH_PATHS = 1 << 19
"""Of one long simulation: its own error widens an interval of 1,000 paths by 0.1%."""


class Interval(Protocol):
    """A figure of the engine, or its message."""

    @property
    def ci_low(self) -> float: ...
    @property
    def ci_high(self) -> float: ...


Figure = Callable[[SimulationResult], Interval]


def holds(found: Interval, truth: float) -> bool:
    """Whether the truth is within the interval, its ends included."""
    return found.ci_low <= truth <= found.ci_high


def assert_nominal(share: float, what: str = "") -> None:
    """That so many of the runs held the truth."""
    assert LEAST <= share <= MOST, f"The intervals {what and f'of the {what} '}cover {share:.1%}, not 95%."


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An account that is simulated again and again, and the figures that are looked at."""

    spec: Callable[[int, int], Spec]
    """Of a seed and a number of paths."""

    figures: Mapping[str, Figure]

    def coverage(self) -> dict[str, float]:
        """How often the interval of each figure held what a long simulation of another seed found."""
        truth = self.truth()
        hits = dict.fromkeys(self.figures, 0)
        for seed in range(RUNS):
            found = simulated(self.spec(seed, PATHS), BLOCK)
            for name, figure in self.figures.items():
                hits[name] += holds(figure(found), truth[name])
        return {name: count / RUNS for name, count in hits.items()}

    def truth(self) -> dict[str, float]:
        """What a long simulation says."""
        long = simulated(self.spec(2**40, TRUTH_PATHS), TRUTH_PATHS)
        return {name: figure(long).value for name, figure in self.figures.items()}


def simulated(spec: Spec, block_paths: int) -> SimulationResult:
    """The result of one block, of which all paths are in the equity fan."""
    planned = replace(engine.plan(spec, "ab" * 32), block_paths=block_paths, blocks=1, fan_paths=block_paths)
    return built(planned)


def built(plan: Plan) -> SimulationResult:
    """The result of the paths of a plan, in one thread."""
    with Launcher(1) as launcher:
        return result.build(plan, sections.run(plan, Section.PATHS, 0, plan.blocks, launcher), 0.0)
