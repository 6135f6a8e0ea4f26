"""The 95% interval of the estimation risk holds the trader's true probability for 92% to 98% of histories.

400 histories of 125 independent heavy-tailed trades, 200 resampled ones of each; the truth is a million paths of the
trader's own law, whose error is a hundredth of an interval. `tests.unit.simulator.coverage` says how sure that is. Of
fewer trades, or of dependent ones, the intervals hold the truth less often: docs/methodology.md says how much.
"""

from __future__ import annotations

from functools import cache

import pytest

from scripts.methodology import histories
from simulator.spec import Model
from tests.unit.simulator.coverage import assert_nominal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@cache
def held() -> dict[str, float]:
    truth = histories.true_of_population()
    return histories.shares(histories.of_population, 125, truth, Model.IID)


@pytest.mark.parametrize("outcome", ["passed", "breached"])
def test_intervals_of_the_estimation_risk_cover_nominally(outcome: str) -> None:
    assert_nominal(held()[outcome], outcome)


def test_intervals_of_the_sampling_error_do_not() -> None:
    assert held()["sampling"] < 0.2
