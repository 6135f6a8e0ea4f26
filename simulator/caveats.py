"""What the reader of a result must know before trusting it: typed codes, each with advice."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Final

from montecarlo.v1.result_pb2 import Warning as Caveat
from riskio.numbers import counted
from simulator import precision, rare
from simulator.diagnostics import Diagnostics
from simulator.estimation_risk import Histories
from simulator.history import History
from simulator.passable import why_no_pass
from simulator.planning import MIN_RESAMPLED_DAYS, Plan
from simulator.source import trails_open_equity
from simulator.tally import Outcome, Tally
from simulator.trades import UNKNOWN

MIN_TRADES: Final = 60
MIN_DAYS: Final = 20
MIN_PATHS: Final = 5_000
"""Fewer leave less than fifty in the 1% tail, too few to tell its shape: intervals of tail figures hold the truth, but
are wide, and below 300 paths that of the 99% expected shortfall is open."""

MIN_EVENTS: Final = 100
"""Fewer events leave a relative standard error of a probability above 10%."""

MIN_EFFECTIVE: Final = 30
"""Fewer independent trades do not fix a mean."""

MIN_HISTORIES: Final = 200
"""With fewer resampled histories, less than five are beyond either end of a 95% interval."""

LARGEST_DRIFT_Z: Final = 3.0
"""Chance alone reaches it in about 0.3% of long histories without drift, in 2% of 60 dependent trades."""

OLDEST: Final = timedelta(days=30)

NO_HISTORIES: Final = Histories()


class Code(StrEnum):
    """What there is to warn of. The values are the contract's."""

    SHORT_HISTORY = "SHORT_HISTORY"
    LOW_EFFECTIVE_SAMPLE_SIZE = "LOW_EFFECTIVE_SAMPLE_SIZE"
    DRIFT = "DRIFT"
    STALE_HISTORY = "STALE_HISTORY"
    ONE_TRADE_DOMINATES = "ONE_TRADE_DOMINATES"
    NO_LOSING_TRADE = "NO_LOSING_TRADE"
    NO_VARIATION = "NO_VARIATION"
    TRADE_EXCEEDS_ACCOUNT = "TRADE_EXCEEDS_ACCOUNT"
    DUPLICATE_TRADES = "DUPLICATE_TRADES"
    EXCURSIONS_MISSING = "EXCURSIONS_MISSING"
    FEW_PATHS = "FEW_PATHS"
    FEW_BREACHES = "FEW_BREACHES"
    RARE_EVENT_UNRELIABLE = "RARE_EVENT_UNRELIABLE"
    FEW_PASSES = "FEW_PASSES"
    PASS_IMPOSSIBLE = "PASS_IMPOSSIBLE"  # noqa: S105 — a warning
    FEW_HISTORIES = "FEW_HISTORIES"
    HISTORIES_LEFT_OUT = "HISTORIES_LEFT_OUT"
    PRECISION_NOT_REACHED = "PRECISION_NOT_REACHED"


def caveats(
    plan: Plan,
    tally: Tally,
    diagnostics: Diagnostics,
    shown: Collection[Outcome] | None = None,
    histories: Histories = NO_HISTORIES,
) -> list[Caveat]:
    """The warnings of a result, those of the history first. `shown`: the breaches of which importance sampling found a
    figure that is shown; None if it was not tried. `histories`: the resampled ones.
    """
    unseen = () if shown is None else [end for end in rare.wanted(plan, tally) if end not in shown]
    missed = [end for end in unseen if not rare.ruled_out(plan, end)]
    ruled_out = set(unseen).difference(missed)
    return [
        *_of_size(plan, diagnostics),
        *_of_time(diagnostics),
        *_of_profits(plan.history),
        *_of_losses(plan),
        *_of_data(plan),
        *_of_excursions(plan, diagnostics),
        *_of_paths(plan, tally, {*(shown or ()), *ruled_out}),
        *_of_passes(plan, tally),
        *_of_rare_events(missed),
        *_of_effort(plan, tally),
        *_of_histories(plan, histories),
    ]


def _of_size(plan: Plan, diagnostics: Diagnostics) -> Iterator[Caveat]:
    history = plan.history
    if history.trades < MIN_TRADES or history.days < MIN_DAYS:
        yield _caveat(
            Code.SHORT_HISTORY,
            f"The history holds {counted(history.trades, 'trade')} on {counted(history.days, 'day')}, less than "
            f"{MIN_TRADES} trades or {MIN_DAYS} days. The figures' intervals show sampling error only, not what so "
            f"short a history cannot tell: take the figures as a rough guide, {_of_estimation_risk(plan)}, and "
            "simulate again with more trades.",
        )
    elif diagnostics.effective_sample_size < MIN_EFFECTIVE:
        yield _caveat(
            Code.LOW_EFFECTIVE_SAMPLE_SIZE,
            f"The {history.trades} trades depend on each other so much that they tell no more about the mean than "
            f"{diagnostics.effective_sample_size:.0f} independent ones: read the figures as those of a short history, "
            f"and {_of_estimation_risk(plan)}.",
        )


def _of_estimation_risk(plan: Plan) -> str:
    if plan.spec.settings.estimation_risk is not None:
        return "quote the intervals of the estimation risk"
    if plan.history.days < MIN_RESAMPLED_DAYS:
        return f"ask for estimation risk once there are {MIN_RESAMPLED_DAYS} trading days"
    return "ask for estimation risk"


def _of_time(diagnostics: Diagnostics) -> Iterator[Caveat]:
    if abs(diagnostics.drift_z) >= LARGEST_DRIFT_Z:
        way = "more" if diagnostics.drift_z > 0 else "less"
        yield _caveat(
            Code.DRIFT,
            f"The later half of the history made {way} a trade than the earlier half, by "
            f"{abs(diagnostics.drift_z):.1f} standard errors. The simulated futures "
            "mix both: simulate the later half alone and compare.",
        )
    if diagnostics.age is not None and diagnostics.age > OLDEST:
        yield _caveat(
            Code.STALE_HISTORY,
            f"The latest trade was closed {diagnostics.age.days} days before the present. The trader may no longer "
            "trade like this: fetch newer trades, or find out why there are none.",
        )


def _of_profits(history: History) -> Iterator[Caveat]:
    total, best = int(history.pnl_minor.sum(dtype="int64")), int(history.pnl_minor.max())
    if total > 0 and best * 2 > total:
        yield _caveat(
            Code.ONE_TRADE_DOMINATES,
            f"One trade made {best / total:.0%} of the total profit. Without it the figures may turn: "
            "simulate again with that trade left out and compare.",
        )


def _of_losses(plan: Plan) -> Iterator[Caveat]:
    """By the trades as they are drawn: after stress, or of a fit."""
    least = plan.source.range_minor[0]
    drawn = f"that is drawn{' under this stress' if int(plan.history.pnl_minor.min()) < 0 else ''}"
    if least >= 0 > plan.source.lowest_minor:
        yield _caveat(
            Code.NO_LOSING_TRADE,
            f"No trade {drawn} closes with a loss: simulated paths fall within trades alone, by their MAE. The risk of "
            "a trade that loses is not zero but unseen: take the breach and tail figures for too good.",
        )
    elif least >= 0:
        yield _caveat(
            Code.NO_LOSING_TRADE,
            f"No trade {drawn} loses money, so none takes a simulated path down. The risk is not zero but unseen: do "
            "not rely on the breach and tail figures.",
        )


def _of_data(plan: Plan) -> Iterator[Caveat]:
    """What is odd in the trades as data, and may be a mistake."""
    history, (least, largest) = plan.history, plan.source.range_minor
    if least == largest:
        yield _caveat(
            Code.NO_VARIATION,
            "All trades that are drawn have the same P&L, so nothing is known of how results vary: simulated paths "
            "differ, if at all, by how many trades they take, by MAE and MFE, or by the worst day of a stress. Check "
            "the data, or simulate with a history that varies.",
        )
    if int(abs(history.pnl_minor.astype("int64")).max()) >= plan.spec.rules.starting_balance_minor:
        yield _caveat(
            Code.TRADE_EXCEEDS_ACCOUNT,
            "A trade of the history made or lost as much as the starting balance or more: check that trades and rules "
            "are in the same currency and unit.",
        )
    if history.duplicates:
        yield _caveat(
            Code.DUPLICATE_TRADES,
            f"{counted(history.duplicates, 'trade equals', 'trades equal')} another one in time, P&L, MAE and MFE. All "
            "were simulated as trades of their own, as parts of one order may be: leave out what is a copy.",
        )


def _of_excursions(plan: Plan, diagnostics: Diagnostics) -> Iterator[Caveat]:
    """Where they were wanted and might have been used: there is a floor, and the settings do not decline them."""
    rules, trades = plan.spec.rules, plan.spec.trades
    bounded = rules.max_drawdown is not None or rules.daily_loss is not None
    if not plan.spec.settings.excursions or diagnostics.intra_trade or not bounded:
        return
    known = int((trades.mae_minor != UNKNOWN).sum())
    yield _caveat(
        Code.EXCURSIONS_MISSING,
        f"Breaches within a trade were not looked for: MAE is given for {known} of {counted(len(trades), 'trade')}"
        f"{', and a floor that trails open equity needs the MFE too' if trails_open_equity(rules) else ''}, and the "
        "model must draw trades of the history. The breach probabilities are too low, if the rules hold within a trade "
        "too: give MAE and MFE of every trade, or turn excursions off if only closed trades count.",
    )


def _of_rare_events(missed: Collection[Outcome]) -> Iterator[Caveat]:
    if missed:
        yield _caveat(
            Code.RARE_EVENT_UNRELIABLE,
            f"{' and '.join(end.name.lower() for end in missed)}: importance sampling found no figure that is precise "
            "and agrees with the paths, so rare breaches are known by the interval above alone: read its upper end, "
            "and ask for more paths if it matters.",
        )


def _of_paths(plan: Plan, tally: Tally, known: Collection[Outcome]) -> Iterator[Caveat]:
    """known: the breaches whose probability is known otherwise, or that no draws can bring. Without a trade that falls
    there is none: NO_LOSING_TRADE says so.
    """
    if tally.paths < MIN_PATHS:
        yield _caveat(
            Code.FEW_PATHS,
            f"Only {counted(tally.paths, 'path was', 'paths were')} simulated, so tail figures have wide or open "
            f"intervals: ask for at least {MIN_PATHS}.",
        )
    ends = tuple(rare.possible(plan.spec.rules))
    breaches = sum(tally.outcomes[end] for end in ends)
    if breaches < MIN_EVENTS and not set(ends) <= set(known) and plan.source.lowest_minor < 0:
        yield _few(Code.FEW_BREACHES, breaches, tally.paths, "breached")


def _of_passes(plan: Plan, tally: Tally) -> Iterator[Caveat]:
    passes, why = tally.outcomes[Outcome.PASSED], why_no_pass(plan)
    if why:
        yield _caveat(
            Code.PASS_IMPOSSIBLE,
            f"No path can pass, whatever is drawn: {why}. More paths change nothing: check the trades, target, minimum "
            "days, consistency, time limit and horizon.",
        )
    elif plan.spec.rules.steps[-1].target_minor is not None and passes < MIN_EVENTS:
        yield _few(Code.FEW_PASSES, passes, tally.paths, "passed")


def _of_effort(plan: Plan, tally: Tally) -> Iterator[Caveat]:
    settings = plan.spec.settings
    for target in settings.precision:
        half = precision.half_width(target, tally)
        if half > target.half_width:
            needed = _rounded_up(tally.paths * (half / target.half_width) ** 2)
            yield _caveat(
                Code.PRECISION_NOT_REACHED,
                f"The interval of {target.outcome} has a half-width of {half:.2g}, not {target.half_width:.2g}, as the "
                f"{'time' if tally.paths < plan.paths else 'paths'} ran out: it takes about {needed:,} paths.",
            )


def _of_histories(plan: Plan, histories: Histories) -> Iterator[Caveat]:
    risk = plan.spec.settings.estimation_risk
    kept = 0 if risk is None else risk.histories - histories.left_out
    if risk is not None and kept < MIN_HISTORIES:
        yield _caveat(
            Code.FEW_HISTORIES,
            f"Estimation risk was taken from {counted(kept, 'resampled history', 'resampled histories')}, so the ends "
            f"of its intervals are rough: ask for {MIN_HISTORIES} or more that can be simulated.",
        )
    if histories.left_out:
        what = "The intervals are of the others" if histories.tell else "The others are too few for an interval"
        yield _caveat(
            Code.HISTORIES_LEFT_OUT,
            f"Of {len(histories.ends)} resampled histories {counted(histories.left_out, 'was', 'were')} left out of "
            "the estimation risk, for want of what the model or the stress needs, such as a losing trade, a day that "
            f"lost or enough distinct P&L, or for a balance beyond what is computed. {what}, which may be harsher or "
            "milder: ask again without that stress, with a model that resamples, or with more trades.",
        )


def _few(code: Code, events: int, paths: int, what: str) -> Caveat:
    number = f"Only {events}" if events else "None"
    return _caveat(
        code,
        f"{number} of {paths:,} paths {what}, so that probability and the days until it are known roughly: "
        "read the upper end of the interval, and ask for more paths if it matters.",
    )


def _rounded_up(number: float) -> int:
    """To two digits."""
    unit = int(10.0 ** max(0, len(str(int(number))) - 2))
    return math.ceil(number / unit) * unit


def _caveat(code: Code, message: str) -> Caveat:
    return Caveat(code=code, message=message)
