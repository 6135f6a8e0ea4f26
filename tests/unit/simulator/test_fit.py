"""The fitted distributions against scipy's own maximum likelihood, the likelihood itself, and awkward histories."""

from __future__ import annotations

import csv

import numpy as np
import numpy.typing as npt
import pytest
from scipy import optimize, stats

from mcsvc.devstack.core_service_data import SAMPLES
from simulator.fit import LIGHTEST, Fit, fit
from simulator.spec import Model

Amounts = npt.NDArray[np.int32]


def drawn(freedom: float, n: int, seed: int, scale: float = 9_000) -> Amounts:
    generator = np.random.default_rng(seed)
    return np.rint(scale * generator.standard_t(freedom, n) + 600).astype(np.int32)


def t_of(amounts: Amounts) -> Fit:
    found = fit(Model.STUDENT_T, amounts)
    assert found is not None
    assert found.freedom is not None
    return found


def likelihood(amounts: Amounts, parameters: tuple[float, float, float]) -> float:
    return float(stats.t.logpdf(amounts, *parameters).sum())


@pytest.mark.parametrize(("freedom", "n"), [(2.5, 60), (2.5, 500), (4, 500), (10, 500)])
def test_student_t_is_the_fit_that_scipy_finds(freedom: float, n: int) -> None:
    """As near as scipy's own search comes to the maximum, and never less likely."""
    amounts = drawn(freedom, n, seed=n)
    found, expected = t_of(amounts), stats.t.fit(amounts)
    assert found.freedom is not None
    assert found.freedom == pytest.approx(expected[0], rel=1e-2)
    assert found.location == pytest.approx(expected[1], abs=found.scale * 1e-2)
    assert found.scale == pytest.approx(expected[2], rel=1e-2)
    assert likelihood(amounts, (found.freedom, found.location, found.scale)) >= likelihood(amounts, expected) - 1e-6


@pytest.mark.parametrize("seed", range(12))
def test_no_parameters_near_by_or_far_away_fit_better(seed: int) -> None:
    """A search of another kind, from several starts; the parameters' rounding costs less than 1e-5 of likelihood."""
    generator = np.random.default_rng(seed)
    amounts = drawn(
        generator.uniform(1, 12), int(generator.integers(20, 200)), seed, scale=10 ** generator.uniform(1, 5)
    )
    found = t_of(amounts)
    assert found.freedom is not None
    best = likelihood(amounts, (found.freedom, found.location, found.scale))
    for start in (2.1, 5.0, 100.0):
        other = optimize.minimize(
            lambda at: -likelihood(amounts, (at[0], at[1], np.exp(at[2]))),
            (start, np.median(amounts), np.log(amounts.std())),
            method="Nelder-Mead",
            bounds=[(2.0, LIGHTEST), (None, None), (None, None)],
            options={"maxiter": 4_000, "xatol": 1e-8, "fatol": 1e-8},
        )
        assert best >= -other.fun - 1e-5


def test_tails_without_a_variance_have_two_degrees_of_freedom() -> None:
    assert t_of(drawn(1, 500, seed=3)).freedom == 2.0


@pytest.mark.parametrize(
    ("trader", "freedom", "grid", "lost", "interval"),
    [
        ("martingale", 1.09, 5, (32, 33), None),
        ("tail-risk", 0.83, 5, (168, 169), None),
        ("short-history", 1.97, 10, (0, 0.01), (0.9, 6.0)),
    ],
)
def test_samples_that_are_refused_have_tails_without_a_variance_whatever_their_ties(
    trader: str, freedom: float, grid: int, lost: tuple[float, float], interval: tuple[float, float] | None
) -> None:
    """Without the bound, by another search; `lost` of log likelihood at the bound. The exact likelihood of amounts that
    stand on their grid finds the same; every freedom of `interval` is within the 1.92 of a 95% likelihood interval.
    """
    amounts = sample(trader)
    found = t_of(amounts)
    assert found.freedom == 2.0
    assert np.gcd.reduce(amounts - amounts[0]) == grid
    free, best = best_freedom(amounts, None)
    on_grid, _ = best_freedom(amounts, grid)
    assert free == pytest.approx(freedom, abs=0.005)
    assert on_grid == pytest.approx(free, rel=1e-4)
    assert lost[0] <= best - likelihood(amounts, (2.0, found.location, found.scale)) <= lost[1]
    if interval is not None:
        assert all(best - best_freedom(amounts, None, held=each)[1] < 1.92 for each in interval)


def sample(trader: str) -> Amounts:
    with (SAMPLES / "trades" / f"{trader}.csv").open(encoding="utf-8", newline="") as file:
        return np.array([round(100 * float(row["pnl"])) for row in csv.DictReader(file)], np.int32)


def best_freedom(amounts: Amounts, grid: int | None, held: float | None = None) -> tuple[float, float]:
    """The freedom of the largest likelihood and its logarithm: of the density, or of the steps of a grid over it."""
    centre, spread = float(np.median(amounts)), float(np.subtract(*np.percentile(amounts, [75, 25]))) / 2

    def lost(at: npt.NDArray[np.float64]) -> float:
        law = stats.t(held or np.exp(at[2]), centre + spread * at[0], spread * np.exp(at[1]))
        if grid is None:
            return -float(law.logpdf(amounts).sum())
        low, high = amounts - grid / 2, amounts + grid / 2
        step = np.where(low > centre, law.sf(low) - law.sf(high), law.cdf(high) - law.cdf(low))
        return -float(np.log(step / grid).sum())

    how = {"maxiter": 4_000, "xatol": 1e-6, "fatol": 1e-8}
    found = optimize.minimize(lost, np.array([0.0, 0.0, 0.3]), method="Nelder-Mead", options=how)
    return float(np.exp(found.x[2])), -float(found.fun)


def test_tails_lighter_than_the_normals_have_the_most_degrees_of_freedom() -> None:
    amounts = np.tile(np.array([-300, -100, 100, 300], np.int32), 20)
    found = t_of(amounts)
    assert found.freedom == LIGHTEST
    assert found.scale == pytest.approx(amounts.std(), rel=2e-3)


def test_normal_has_the_mean_and_the_standard_deviation() -> None:
    amounts = drawn(4, 777, seed=5)
    found = fit(Model.NORMAL, amounts)
    assert found is not None
    assert (found.location, found.scale) == pytest.approx((amounts.mean(), amounts.std()), abs=1 / 2048)
    assert found.freedom is None


@pytest.mark.parametrize("model", [Model.IID, Model.DAY, Model.STATIONARY, Model.CIRCULAR])
def test_what_resamples_is_not_fitted(model: Model) -> None:
    assert fit(model, drawn(4, 20, seed=1)) is None


@pytest.mark.parametrize("model", [Model.NORMAL, Model.STUDENT_T])
@pytest.mark.parametrize("amounts", [[7], [7, 7, 7, 7], [0], [2**29] * 3])
def test_trades_that_are_all_alike_have_no_scale(model: Model, amounts: list[int]) -> None:
    found = fit(model, np.array(amounts, np.int32))
    assert found is not None
    assert (found.location, found.scale) == (amounts[0], 0.0)


def test_a_t_collapses_on_a_value_that_most_trades_have() -> None:
    found = t_of(np.array([5] * 30 + [-200, 100, 40, 900], np.int32))
    assert (found.location, found.scale) == (5.0, 0.0)


@pytest.mark.parametrize("amounts", [[-(2**29), 2**29, 1], [-1, 0, 1, 0], [2**29 - 1, 2**29 - 2, 2**29 - 3, 5]])
def test_extreme_amounts_are_fitted_without_a_warning(amounts: list[int]) -> None:
    for model in (Model.NORMAL, Model.STUDENT_T):
        found = fit(model, np.array(amounts, np.int32))
        assert found is not None
        assert np.isfinite([found.location, found.scale]).all()


def test_the_fit_follows_the_unit_of_the_amounts() -> None:
    """Cents or tenths of a cent: the same distribution."""
    amounts = drawn(3, 200, seed=9)
    one, ten = t_of(amounts), t_of(amounts * np.int32(10))
    assert one.freedom == ten.freedom
    assert (ten.location, ten.scale) == pytest.approx((one.location * 10, one.scale * 10), rel=1e-6, abs=0.01)
