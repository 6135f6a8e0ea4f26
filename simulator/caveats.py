"""What the reader of a result must know before trusting it: typed codes, each with advice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from montecarlo.v1.result_pb2 import Warning as Caveat
from simulator.history import History
from simulator.spec import Rules
from simulator.tally import Outcome, Tally

MIN_TRADES: Final = 60
MIN_DAYS: Final = 20
MIN_PATHS: Final = 1_000
"""Fewer paths leave less than ten in the 1% tail."""

MIN_EVENTS: Final = 100
"""Fewer events leave a relative standard error of a probability above 10%."""


def caveats(history: History, rules: Rules, tally: Tally) -> list[Caveat]:
    """The warnings of a result, those of the history first."""
    return [*_of_history(history), *_of_paths(rules, tally)]


def _of_history(history: History) -> Iterator[Caveat]:
    if history.trades < MIN_TRADES or history.days < MIN_DAYS:
        yield Caveat(
            code="SHORT_HISTORY",
            message=f"The history holds {history.trades} trades on {history.days} days, less than {MIN_TRADES} trades "
            f"or {MIN_DAYS} days. The intervals show sampling error only, not what so short a history cannot tell: "
            "take the figures as a rough guide and simulate again with more trades.",
        )
    total, best = int(history.pnl_minor.sum(dtype="int64")), int(history.pnl_minor.max())
    if total > 0 and best * 2 > total:
        yield Caveat(
            code="ONE_TRADE_DOMINATES",
            message=f"One trade made {best / total:.0%} of the total profit. Without it the figures may turn: "
            "simulate again with that trade left out and compare.",
        )
    if int(history.pnl_minor.min()) >= 0:
        yield Caveat(
            code="NO_LOSING_TRADE",
            message="No trade of the history lost money, so no simulated path can fall. The risk is not zero but "
            "unseen: do not rely on the breach and tail figures.",
        )


def _of_paths(rules: Rules, tally: Tally) -> Iterator[Caveat]:
    if tally.paths < MIN_PATHS:
        yield Caveat(
            code="FEW_PATHS",
            message=f"Only {tally.paths} paths were simulated, so tail figures have wide or open intervals: "
            f"ask for at least {MIN_PATHS}.",
        )
    breaches = tally.outcomes[Outcome.BREACHED_MAX_DRAWDOWN] + tally.outcomes[Outcome.BREACHED_DAILY_LOSS]
    if (rules.max_drawdown or rules.daily_loss) and breaches < MIN_EVENTS:
        yield _few("FEW_BREACHES", breaches, tally.paths, "breached")
    if rules.target_minor is not None and tally.outcomes[Outcome.PASSED] < MIN_EVENTS:
        yield _few("FEW_PASSES", tally.outcomes[Outcome.PASSED], tally.paths, "passed")


def _few(code: str, events: int, paths: int, what: str) -> Caveat:
    return Caveat(
        code=code,
        message=f"Only {events} of {paths} paths {what}, so that probability and the days until it are known roughly: "
        "read the upper end of the interval, and ask for more paths if it matters.",
    )
