"""What the trades of a future are drawn from: the history after stress, or the distribution that was fitted to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator import quantiles
from simulator.errors import FieldViolation, InvalidInput
from simulator.fit import HEAVIEST, Fit, fit
from simulator.growth import REMEDY, most_of_a_trade
from simulator.history import History
from simulator.money import from_minor
from simulator.quantiles import Quantiles
from simulator.spec import REACH, Model, Rules, Spec
from simulator.stress import stressed

FITTED: Final = (Model.NORMAL, Model.STUDENT_T)
RARE: Final = 1e-6
"""A fit whose trades are beyond the most that is computed more often than this is refused; rarer ones are cut there."""

_TAILS: Final = "a stress such as loss_factor for losses beyond those of the history"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """`history`: after stress. `fit`: of the trades before stress, and `quantiles` of it after; None if trades are
    resampled. `excursions`: whether breaches are looked for within trades. `most_minor`: the largest amount of a trade
    that scaling keeps within REACH; without scaling that itself.
    """

    history: History
    excursions: bool
    fit: Fit | None
    quantiles: Quantiles | None
    most_minor: int

    @property
    def losers(self) -> npt.NDArray[np.intp]:
        """Which trades lost money."""
        return np.flatnonzero(self.history.pnl_minor < 0)

    @property
    def range_minor(self) -> tuple[int, int]:
        """The least and the largest P&L of a trade that is drawn."""
        pnl = self.history.pnl_minor
        return (int(pnl.min()), int(pnl.max())) if self.quantiles is None else self.quantiles.range_minor

    @property
    def lowest_minor(self) -> int:
        """The lowest that a trade which is drawn may be, within it too where that is looked at."""
        mae = self.history.mae_minor if self.excursions else None
        return self.range_minor[0] if mae is None else min(self.range_minor[0], int(mae.min()))

    @property
    def worst_day_minor(self) -> int:
        """The lowest sum of a day, 0 if none lost."""
        sums = np.add.reduceat(self.history.pnl_minor.astype(np.int64), self.history.day_start)
        return min(0, int(sums.min()))


def source(spec: Spec, history: History, horizon_days: int) -> Source:
    """What is drawn from, for any history; `check` says whether the spec's own will do."""
    stress, most = spec.settings.stress, most_of_a_trade(spec.rules, horizon_days)
    fitted = fit(spec.settings.model, history.pnl_minor)
    mean = int(history.pnl_minor.sum(dtype=np.int64)) / history.trades
    return Source(
        history=stressed(stress, history),
        excursions=excursions(spec, history),
        fit=fitted,
        quantiles=None if fitted is None else quantiles.build(fitted, stress, mean, most),
        most_minor=most,
    )


def excursions(spec: Spec, history: History) -> bool:
    """Whether breaches are looked for within trades: where a rule has a floor and the model draws trades that all have
    their MAE (and their MFE, if a floor trails open equity), unless the settings say no.
    """
    rules, settings = spec.rules, spec.settings
    if not settings.excursions or settings.model in FITTED or not (rules.max_drawdown or rules.daily_loss):
        return False
    return history.mae_minor is not None and (history.mfe_minor is not None or not trails_open_equity(rules))


def trails_open_equity(rules: Rules) -> bool:
    """Whether a floor trails the best open P&L."""
    return rules.max_drawdown is not None and rules.max_drawdown.trails_equity


def check(spec: Spec, history: History, found: Source) -> None:
    """Raises: InvalidInput if the history does not carry the model or the stress asked for."""
    violations = [*_of_model(spec, history, found), *_of_stress(spec, history, found)]
    violations = [(f"settings.{field}", why) for field, why in violations] or list(_of_scaling(spec, history, found))
    if violations:
        raise InvalidInput([FieldViolation(field=field, description=why) for field, why in violations])


def carries(spec: Spec, history: History, found: Source) -> bool:
    """Whether outcomes can be simulated: nothing is wrong that `check` refuses, but for a variance that is not finite.

    Their probabilities need none, and the fit at the bound is the likeliest one within the bounds.
    """
    fitted = found.fit is None or not (_degenerate(spec, history, found.fit) or _far(spec, history, found.fit))
    return fitted and not any(_of_stress(spec, history, found)) and not any(_of_scaling(spec, history, found))


def _of_model(spec: Spec, history: History, found: Source) -> Iterator[tuple[str, str]]:
    if found.fit is None:
        return
    why = _degenerate(spec, history, found.fit) or _heavy(found.fit) or _far(spec, history, found.fit)
    if why:
        yield "model", f"{spec.settings.model.name} {why}"


def _degenerate(spec: Spec, history: History, found: Fit) -> str:
    """Why there is no fit; empty if there is one, as with the others."""
    distinct, needed = np.unique(history.pnl_minor).size, 3 if spec.settings.model is Model.STUDENT_T else 2
    if distinct < needed:
        return f"cannot be fitted to {distinct} distinct P&L: it takes {needed}; use STATIONARY or IID"
    if found.scale == 0:
        return "does not fit trades of which two in three have the same P&L: use STATIONARY or IID"
    return ""


def _heavy(found: Fit) -> str:
    if found.freedom and found.freedom <= HEAVIEST:
        return f"fits tails as heavy as these with no finite variance: use STATIONARY, and {_TAILS}"
    return ""


def _far(spec: Spec, history: History, found: Fit) -> str:
    if _beyond(REACH, spec, history, found):
        most = from_minor(REACH, spec.rules.minor_digits)
        return f"would draw trades beyond {most}, the most that is computed: use STATIONARY or IID"
    return ""


def _beyond(most: int, spec: Spec, history: History, found: Fit) -> bool:
    mean = int(history.pnl_minor.sum(dtype=np.int64)) / history.trades
    rare = int(np.searchsorted(quantiles.distances(), RARE))
    return any(abs(half[rare]) > most for half in quantiles.nodes(found, spec.settings.stress, mean))


def _of_stress(spec: Spec, history: History, found: Source) -> Iterator[tuple[str, str]]:
    stress = spec.settings.stress
    if stress.fewer_winners and not found.losers.size:
        yield "stress.fewer_winners", "puts a losing trade in place of a winner, and there is none: leave it out"
    if stress.worst_day and found.worst_day_minor == 0:
        yield "stress.worst_day", "needs a day that lost, and the history has none: leave it out"
    if _is_cut(spec, history, found) or (stress.worst_day and _lowest(found) + found.worst_day_minor < -REACH):
        most = from_minor(REACH, spec.rules.minor_digits)
        yield "stress", f"makes a trade larger than {most}, the most that is computed: use smaller factors or costs"


def _of_scaling(spec: Spec, history: History, found: Source) -> Iterator[tuple[str, str]]:
    """Asked where nothing is too large without a step."""
    most, stress = found.most_minor, spec.settings.stress
    resampled = found.fit is None or stress.fewer_winners > 0
    largest = _largest(spec, found) if resampled else 0
    if stress.worst_day:
        largest = max(largest, -_lowest(found) - found.worst_day_minor)
    if largest > most or (found.fit is not None and _beyond(most, spec, history, found.fit)):
        limit = from_minor(REACH, spec.rules.minor_digits)
        yield "rules.scaling.max_steps", f"grows a trade beyond {limit}, the most that is computed: {REMEDY}"


def _is_cut(spec: Spec, history: History, found: Source) -> bool:
    """Whether stress has made an amount so large that it was cut."""
    return found.history is not history and _largest(spec, found) >= REACH


def _largest(spec: Spec, found: Source) -> int:
    """The largest amount of the history that is used, either way."""
    drawn = found.history
    used = [drawn.pnl_minor]
    if found.excursions and drawn.mae_minor is not None:
        used.append(drawn.mae_minor)
    if found.excursions and drawn.mfe_minor is not None and trails_open_equity(spec.rules):
        used.append(drawn.mfe_minor)
    return max(int(np.abs(each).max()) for each in used)


def _lowest(found: Source) -> int:
    """The worst that a resampled trade may be; 0 for fitted ones, which are cut."""
    history = found.history
    lows = history.mae_minor if found.excursions and history.mae_minor is not None else history.pnl_minor
    return 0 if found.fit else min(int(lows.min()), int(history.pnl_minor.min()))
