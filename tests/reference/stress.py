"""What is made worse than the history, in whole numbers: first its amounts, then what is drawn from it.

Written from the definitions in the docstrings of `simulator.stress` and `simulator.kernel.models`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from simulator.spec import Stress
from tests.reference.rule_book import Day, Deal

MILLION = 10**6
TWO_32 = 1 << 32


def millionths(factor: float) -> Fraction:
    """A factor as it counts."""
    return Fraction(round(factor * MILLION), MILLION)


def stressed(history: Sequence[Day], stress: Stress) -> list[list[Deal]]:
    """The history with other amounts, each rounded half to even after each stress."""
    pnls = [deal.pnl for day in history for deal in day]
    mean = Fraction(sum(pnls), len(pnls))
    return [[stressed_deal(deal, mean, stress) for deal in day] for day in history]


def stressed_deal(deal: Deal, mean: Fraction, stress: Stress) -> Deal:
    """Volatility about the mean, then losses, then the cost."""
    volatility, losses = millionths(stress.volatility_factor), millionths(stress.loss_factor)
    pnl = round(mean + volatility * (deal.pnl - mean))
    pnl = round(losses * pnl) if pnl < 0 else pnl
    mae = None if deal.mae is None else round(losses * round(volatility * deal.mae)) - stress.cost_minor
    return Deal(pnl - stress.cost_minor, mae, None if deal.mfe is None else round(volatility * deal.mfe))


def replace_winners(
    drawn: Iterable[tuple[Deal, bool]], history: Sequence[Day], share: float, second_words: Iterable[int]
) -> Iterator[tuple[Deal, bool]]:
    """A winner becomes the loser that the upper half of word x losers names, if the lower half is small enough."""
    losers = [deal for day in history for deal in day if deal.pnl < 0]
    for (deal, over), word in zip(drawn, second_words, strict=False):
        number, rest = divmod(word * len(losers), TWO_32)
        replaced = deal.pnl > 0 and bool(losers) and rest < Fraction(share) * TWO_32
        yield losers[number] if replaced else deal, over


def with_worst_day(days: Iterable[list[Deal]], history: Sequence[Day], word: int, horizon: int) -> Iterator[list[Deal]]:
    """The drawn day begins with a trade that loses the sum of the worst day more, and is as much lower at its worst."""
    struck, blow = word * horizon >> 32, min(sum(deal.pnl for deal in day) for day in history)
    for number, day in enumerate(days):
        yield [hit(day[0], blow), *day[1:]] if number == struck else day


def hit(deal: Deal, blow: int) -> Deal:
    """P&L and low fall by the blow; the high stays."""
    low = None if deal.mae is None else min(deal.mae, deal.pnl) + blow
    return Deal(deal.pnl + blow, low, None if deal.mfe is None else max(deal.mfe, deal.pnl))
