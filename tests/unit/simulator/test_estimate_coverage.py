"""Nominal 95% intervals of estimators cover the truth in 92% to 98% of repeated small runs.

1,000 runs or more of each figure, on its own; `tests.unit.simulator.coverage` says how sure that is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from simulator import estimate
from simulator.estimate import Estimate, Support
from simulator.histogram import Histogram
from tests.unit.simulator.coverage import LEAST, RUNS, assert_nominal, holds

pytestmark = pytest.mark.slow

UNIT = 100_000
NormalFigure = Callable[[Histogram], Estimate]

NORMAL_FIGURES: dict[str, tuple[int, NormalFigure, float]] = {
    "mean": (200, estimate.mean, 0.0),
    "mean_of_five": (5, estimate.mean, 0.0),
    "median": (300, lambda h: estimate.quantile(h, 0.5), 0.0),
    "quantile_05": (800, lambda h: estimate.quantile(h, 0.05), -1.644854),
    "value_at_risk_95": (800, lambda h: estimate.value_at_risk(h, 0.95), 1.644854),
    "value_at_risk_99": (6_000, lambda h: estimate.value_at_risk(h, 0.99), 2.326348),
    "value_at_risk_99_of_many": (120_000, lambda h: estimate.value_at_risk(h, 0.99), 2.326348),
}


@pytest.mark.parametrize("name", NORMAL_FIGURES)
def test_intervals_of_normal_figures_cover_nominally(name: str) -> None:
    n, figure, truth = NORMAL_FIGURES[name]
    runs = RUNS if n < 50_000 else 400
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(runs):
        pnl = np.rint(rng.standard_normal(n, dtype=np.float32) * UNIT).astype(np.int32)
        hits += holds(figure(Histogram.of(pnl)), truth * UNIT)
    assert_nominal(hits / runs)


@pytest.mark.parametrize(("p", "n"), [(0.5, 400), (0.03, 1_000), (0.004, 2_000), (0.999, 8_000)])
def test_intervals_of_probabilities_cover_nominally(p: float, n: int) -> None:
    counts: npt.NDArray[np.int64] = np.random.default_rng(13).binomial(n, p, 4 * RUNS)
    hits = sum(holds(estimate.probability(int(k), n), p) for k in counts)
    assert_nominal(hits / (4 * RUNS))


@pytest.mark.parametrize(("gained", "lost", "n"), [(0.1, 0.2, 200), (0.01, 0.012, 2_000), (0.0, 0.004, 2_000)])
def test_intervals_of_paired_differences_of_probabilities_cover_nominally(gained: float, lost: float, n: int) -> None:
    moved = np.random.default_rng(15).multinomial(n, (gained, lost, 1 - gained - lost), 4 * RUNS)
    hits = sum(holds(estimate.paired_difference(int(b), int(c), n), gained - lost) for b, c, _ in moved)
    assert_nominal(hits / (4 * RUNS))


def test_intervals_of_paired_differences_of_means_cover_nominally() -> None:
    rng, hits = np.random.default_rng(16), 0
    for _ in range(RUNS):
        base = rng.normal(0, UNIT, 100)
        moved = np.rint(base + rng.exponential(UNIT / 10, 100) - base).astype(int)
        figure = estimate.mean_of_sums(100, int(moved.sum()), int((moved * moved).sum()))
        hits += holds(figure, UNIT / 10)
    assert_nominal(hits / RUNS)


def test_intervals_of_conditional_means_cover_nominally() -> None:
    """The mean over those paths that breached, their number being random too."""
    rng, hits = np.random.default_rng(14), 0
    for _ in range(RUNS):
        breached = rng.random(600) < 0.2
        days = rng.geometric(0.1, 600)[breached]
        hits += holds(estimate.mean(Histogram.of(days)), 10.0)
    assert_nominal(hits / RUNS)


@pytest.mark.parametrize("expected", [0.2, 1.0, 2.0])
def test_intervals_of_means_of_what_is_hardly_ever_seen_cover(expected: float) -> None:
    """A figure that is 1 on so many of 5,000 paths on average, and else 0, as a day paused: often on none of them."""
    n, within = 5_000, Support(low=0, high=60)
    counts: npt.NDArray[np.int64] = np.random.default_rng(17).binomial(n, expected / n, 4 * RUNS)
    figures = {k: estimate.mean(Histogram.of_counts(np.array([n - k, k])), within) for k in set(counts.tolist())}
    assert sum(holds(figures[k], expected / n) for k in counts.tolist()) / (4 * RUNS) >= LEAST
