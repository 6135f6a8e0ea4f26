"""What the block length does to a breach probability, on histories of which the truth is known by simulating them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from scripts.methodology.accounts import plan_of, simulated, walls
from simulator.spec import Model, Settings

Floats = npt.NDArray[np.float64]

TRADES: Final = 4_000
WARM_UP: Final = 200
"""Trades before a series counts, so that where it began no longer matters."""

DAYS: Final = 60
TRUE_PATHS: Final = 100_000
LENGTHS: Final = (1, 2, 4, 8, 16, 32, 64)
UNIT: Final = 1_000
"""Minor units of one standard deviation."""


def returns(series: int, trades: int, rng: np.random.Generator) -> Floats:
    """Each trade leans to the one before: autoregression with coefficient 0.3, float64[trades, series]."""
    noise = rng.standard_normal((WARM_UP + trades, series))
    found = np.zeros_like(noise)
    for at in range(1, len(noise)):
        found[at] = 0.3 * found[at - 1] + noise[at] * np.sqrt(1 - 0.3**2)
    return found[WARM_UP:]


def volatility(series: int, trades: int, rng: np.random.Generator) -> Floats:
    """Trades without correlation, whose size persists: the logarithm of the size is an autoregression with 0.97."""
    noise, shocks = rng.standard_normal((2, WARM_UP + trades, series))
    size = np.zeros_like(noise)
    for at in range(1, len(noise)):
        size[at] = 0.97 * size[at - 1] + 0.7 * np.sqrt(1 - 0.97**2) * shocks[at]
    found: Floats = noise[WARM_UP:] * np.exp(size[WARM_UP:] - 0.7**2)
    return found


CASES: Final[tuple[tuple[str, Callable[[int, int, np.random.Generator], Floats], float], ...]] = (
    ("Results that lean to the last one (correlation 0.3)", returns, 15.0),
    ("Results without correlation, sizes that persist", volatility, 18.0),
)


def block_lengths() -> list[dict[str, Any]]:
    """One case after the other."""
    return [case(*each) for each in CASES]


def case(title: str, draw: Callable[[int, int, np.random.Generator], Floats], room: float) -> dict[str, Any]:
    """P(breach of a static floor within 60 trades): the truth, and by block length of either bootstrap."""
    futures = draw(TRUE_PATHS, DAYS, np.random.default_rng(71)) * UNIT
    truth = float((futures.cumsum(axis=0).min(axis=0) <= -room * UNIT).mean())
    series = draw(1, TRADES, np.random.default_rng(72))[:, 0]
    series -= series.mean()
    history = np.rint(series / series.std() * futures.std()).astype(int).tolist()
    found: dict[str, Any] = {"title": title, "truth": truth, "lengths": list(LENGTHS)}
    for model in (Model.STATIONARY, Model.CIRCULAR):
        found[model.value] = [breach(history, room, model, float(length))[0] for length in LENGTHS]
        found[f"{model.value} automatic"] = breach(history, room, model, None)[::-1]
    return found


def breach(history: list[int], room: float, model: Model, length: float | None) -> tuple[float, float]:
    """The probability, and the block length used."""
    settings = Settings(
        paths=1 << 16, horizon_days=DAYS, model=model, block_length=length, trades_per_day=1, seed=7, rare_events=False
    )
    found = simulated(plan_of(history, walls(round(room * UNIT)), settings))
    return found.outcomes.breached_max_drawdown.value, found.block_length
