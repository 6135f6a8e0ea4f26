"""The plan of a simulation: everything that decides its result, settled before the first path and without jax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.block_length import automatic_block_length
from simulator.errors import FieldViolation, InvalidInput
from simulator.history import History, build_history
from simulator.spec import MAX_TRADES_A_PATH, Model, Spec

BLOCK_PATHS: Final = 16_384
"""A power of two, so that the lower 32 bits of the path indices of a block do not wrap."""
FAN_PATHS: Final = 65_536
"""The equity fan is taken from the first paths only."""
SHOWN_DAYS: Final = 64
DEFAULT_HORIZON_DAYS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Everything that decides the result. `horizon_days` is the nearer of horizon and time limit, in days to come."""

    spec: Spec
    input_digest: str
    seed: int
    paths: int
    block_paths: int
    blocks: int
    horizon_days: int
    model: Model
    block_length: float
    history: History

    @property
    def shown_days(self) -> npt.NDArray[np.int32]:
        """The days of the equity fan, int32, ascending, from 0 to the horizon."""
        count = min(SHOWN_DAYS, self.horizon_days + 1)
        return np.rint(np.linspace(0, self.horizon_days, count)).astype(np.int32)

    @property
    def fan_days(self) -> int:
        """How many days the equity fan shows."""
        return int(self.shown_days.size)


def plan(spec: Spec, digest: str) -> Plan:
    """Settles all that the settings leave open.

    Raises: InvalidInput if a path would have too many trades.
    """
    settings = spec.settings
    history = build_history(spec.trades, spec.rules.trading_day)
    horizon_days = _horizon(spec, history)
    return Plan(
        spec=spec,
        input_digest=digest,
        seed=int(digest[:16], 16) if settings.seed is None else settings.seed,
        paths=settings.paths,
        block_paths=BLOCK_PATHS,
        blocks=-(-settings.paths // BLOCK_PATHS),
        horizon_days=horizon_days,
        model=settings.model,
        block_length=_block_length(spec, history),
        history=history,
    )


def _horizon(spec: Spec, history: History) -> int:
    limit, asked = spec.rules.time_limit_days, spec.settings.horizon_days
    left = None if limit is None else limit - spec.account.days_traded
    days = min(each for each in (asked or left or DEFAULT_HORIZON_DAYS, left) if each is not None)
    per_day = spec.settings.trades_per_day or _long_day(spec.settings.model, history)
    most = int(MAX_TRADES_A_PATH / per_day)
    if days > most:
        why = f"{days} days of up to {per_day:g} trades are more than a path may have: give at most {most} days"
        raise InvalidInput([FieldViolation(field="settings.horizon_days", description=why)])
    return days


def _long_day(model: Model, history: History) -> float:
    """More trades than a path's days will have on average: the most there can be, or four times the mean.

    Under the stationary bootstrap a day's length has no bound, but the mean of as many days as matter here has.
    """
    return int(history.day_trades.max()) if model is Model.DAY else 4 * history.trades / history.days


def _block_length(spec: Spec, history: History) -> float:
    match spec.settings.model:
        case Model.IID:
            return 1.0
        case Model.DAY:
            return 0.0
        case Model.STATIONARY:
            return spec.settings.block_length or automatic_block_length(history.pnl_minor.astype(np.float64))
