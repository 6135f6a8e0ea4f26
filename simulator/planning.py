"""The plan of a simulation: everything that decides its result, settled before the first path and without jax."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.block_length import automatic_block_length, automatic_circular_length
from simulator.conditions import spec_of
from simulator.errors import FieldViolation, InvalidInput
from simulator.growth import check_growth
from simulator.history import History, build_history
from simulator.source import Source, check, source
from simulator.spec import MAX_INDEX_SPREAD, MAX_TRADES_A_PATH, Model, Spec
from simulator.tilting import Weighting
from simulator.time_limits import days_left

BLOCK_PATHS: Final = 16_384
"""A power of two, so that the lower 32 bits of the path indices of a block do not wrap."""
FAN_PATHS: Final = 4_096
"""The equity fan is taken from the first paths only; a divisor of the paths of a block."""
SHOWN_DAYS: Final = 64
DEFAULT_HORIZON_DAYS: Final = 60
MIN_RESAMPLED_DAYS: Final = 5
"""With fewer trading days, resampled ones would show hardly any of the ways in which the history might differ."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Everything that decides the result. `horizon_days` is the nearer of horizon and time limit, in days to come.

    days_left: trading days that each phase may last, None without a limit; of the phase under way those to come.
    fan_paths: how many of the first paths the equity fan is taken from; 0: no fan. weighting: how draws are weighted,
    for rare events alone. `history` is as given; `source`, which follows from it and the spec, is what futures are
    drawn from.
    """

    spec: Spec
    input_digest: str
    seed: int
    paths: int
    block_paths: int
    blocks: int
    horizon_days: int
    days_left: tuple[int | None, ...]
    model: Model
    block_length: float
    history: History
    fan_paths: int = FAN_PATHS
    weighting: Weighting | None = None
    source: Source = field(init=False)

    def __post_init__(self) -> None:
        """A plan made of another, with another history or stress, has a source of its own."""
        object.__setattr__(self, "source", source(self.spec, self.history, self.horizon_days))

    @property
    def excursions(self) -> bool:
        """Whether breaches are looked for within trades."""
        return self.source.excursions

    @property
    def trades_a_day(self) -> float:
        """Trades of a day, on average."""
        return self.spec.settings.trades_per_day or self.history.trades / self.history.days

    @property
    def mean_steps(self) -> float:
        """Trades of a path that lives to the horizon, on average."""
        return self.horizon_days * self.trades_a_day

    @property
    def shown_days(self) -> npt.NDArray[np.int32]:
        """The days of the equity fan, int32, ascending, from 0 to the horizon."""
        count = min(SHOWN_DAYS, self.horizon_days + 1)
        return np.rint(np.linspace(0, self.horizon_days, count)).astype(np.int32)

    @property
    def fan_days(self) -> int:
        """How many days the equity fan shows."""
        return int(self.shown_days.size) if self.fan_paths else 0


def plan(spec: Spec, digest: str) -> Plan:
    """Settles all that the settings leave open.

    Raises: InvalidInput if a path would have too many trades, or the history too few days for what is asked,
        or too little in it for the model or the stress.
    """
    settings = spec.settings
    history = build_history(spec.trades, spec.rules.trading_day)
    _check_estimation_risk(spec, history)
    left = days_left(spec, history)
    horizon_days = _horizon(spec, history, left)
    planned = Plan(
        spec=spec,
        input_digest=digest,
        seed=int(digest[:16], 16) if settings.seed is None else settings.seed,
        paths=settings.paths,
        block_paths=BLOCK_PATHS,
        blocks=-(-settings.paths // BLOCK_PATHS),
        horizon_days=horizon_days,
        days_left=left,
        model=settings.model,
        block_length=_block_length(spec, history),
        history=history,
    )
    check(spec, history, planned.source)
    check_growth(spec, horizon_days)
    _check_scenarios(planned)
    return planned


def _check_scenarios(planned: Plan) -> None:
    for index, scenario in enumerate(planned.spec.settings.scenarios):
        under, place = replace(planned, spec=spec_of(planned.spec, scenario)), f"settings.scenarios[{index}]"
        with _told_of(f"{place}.stress", place):
            check(under.spec, under.history, under.source)
        with _told_of(f"{place}.limits_factor", place):
            check_growth(under.spec, under.horizon_days)


@contextmanager
def _told_of(cause: str, place: str) -> Iterator[None]:
    """What is wrong under a scenario is told of it: of its cause in there, where the account's rules do not fit it."""
    try:
        yield
    except InvalidInput as invalid:
        raise InvalidInput([_in_scenario(each, cause, place) for each in invalid.violations]) from invalid


def _in_scenario(found: FieldViolation, cause: str, place: str) -> FieldViolation:
    if found.field.startswith("rules."):
        why = f"cannot be simulated: with it, {found.field} {found.description}"
        return FieldViolation(field=cause, description=why)
    return replace(found, field=f"{place}.{found.field.removeprefix('settings.')}")


def _check_estimation_risk(spec: Spec, history: History) -> None:
    if spec.settings.estimation_risk is not None and history.days < MIN_RESAMPLED_DAYS:
        why = (
            f"needs a history of at least {MIN_RESAMPLED_DAYS} trading days, and this one has {history.days}:"
            " leave it out"
        )
        raise InvalidInput([FieldViolation(field="settings.estimation_risk", description=why)])


def _horizon(spec: Spec, history: History, left_of_phases: Sequence[int | None]) -> int:
    """The horizon asked for, else the sum of the phases' time limits; never more than that sum."""
    asked = spec.settings.horizon_days
    limits = [each for each in left_of_phases if each is not None]
    left = sum(limits) if len(limits) == len(left_of_phases) else None
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
    asked, pnl = spec.settings.block_length, history.pnl_minor.astype(np.float64)
    match spec.settings.model:
        case Model.IID | Model.NORMAL | Model.STUDENT_T:
            return 1.0
        case Model.DAY:
            return 0.0
        case Model.STATIONARY:
            wanted = asked or min(automatic_block_length(pnl), MAX_INDEX_SPREAD / history.trades)
            return round(wanted * history.trades) / history.trades
        case Model.CIRCULAR:
            return asked or automatic_circular_length(pnl)
