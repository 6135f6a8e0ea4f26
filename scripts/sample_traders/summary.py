"""What each sample trader's record looks like in figures, as the README of the samples."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from .people import Trader
from .replay import new_york_day

INTRODUCTION = """\
<!-- Written by scripts/make_sample_traders.py: do not edit. -->
# Sample traders

The traders of the sample Core Service. They are invented; the prices they trade at are real: the daily open, high, low
and close of the S&P 500 and the NASDAQ Composite, 2010 to 2018, that the Python package `arch` ships. Their rules and
their periods were chosen *to show a character*, with hindsight; no record here is evidence that a rule works.

`SPX5` is 5 USD a point of the S&P 500, `IXC2` 2 USD a point of the NASDAQ Composite: the size of micro futures, at
1.30 USD commission for a contract in and out. Prices are rounded to quarter points. Fills are at the open, the close,
a stop, or a price the day passed through; there is no slippage. `pnl`, `mae` and `mfe` are after commission. Times are
UTC, in the hours of the New York session, early closes included. When both indices are traded, the NASDAQ's fills at
the bell are stamped a second earlier, so that no two trades of a trader close at the same moment.

"""

COLUMNS = (
    "| trader | period | trades | a day | win rate | mean | median | worst | best | profit factor | drawdown | total |"
)

ENDING = """
Amounts in USD. "a day" is trades per traded day; "drawdown" the largest fall of the running total from its peak, the
start included; "profit factor" the gains over the losses.

- `trades/*.csv`: the trades, by close time. `rules/*.yaml`: account rules. `accounts.yaml`: the assessments and funded
  accounts, each brought to where it stands by trading the account forward under its rules.
- Daily bars do not tell what happened within a day. The over-trader's three legs take a day that closed up to have made
  its low first, any other its high first. A stopped trade's best price is the better of its entry and the open. The
  strangles count intrinsic value only while they are open.
"""


def readme(people: Sequence[Trader]) -> str:
    """The whole README."""
    table = [COLUMNS, "| --- |" + " --- |" * (COLUMNS.count("|") - 2), *(table_row(trader) for trader in people)]
    stories = [textwrap.fill(f"- **{trader.name}**: {trader.story}", 120, subsequent_indent="  ") for trader in people]
    return INTRODUCTION + "\n".join(stories) + "\n\n" + "\n".join(table) + "\n" + ENDING


def table_row(trader: Trader) -> str:
    """One trader in figures."""
    pnl = [trade.pnl for trade in trader.trades]
    days = {new_york_day(trade) for trade in trader.trades}
    wins, losses = sum(p for p in pnl if p > 0), -sum(p for p in pnl if p < 0)
    cells = (
        trader.name,
        f"{min(days):%Y-%m} – {max(days):%Y-%m}",
        f"{len(pnl)}",
        f"{len(pnl) / len(days):.1f}",
        f"{sum(p > 0 for p in pnl) / len(pnl):.0%}",
        dollars(sum(pnl) / len(pnl)),
        dollars(sorted(pnl)[len(pnl) // 2]),
        dollars(min(pnl)),
        dollars(max(pnl)),
        f"{wins / losses:.2f}",
        dollars(-drawdown(pnl)),
        dollars(sum(pnl)),
    )
    return "| " + " | ".join(cells) + " |"


def drawdown(pnl: Sequence[int]) -> int:
    """The largest fall of the running total from its peak, the start included, in cents."""
    total = peak = worst = 0
    for amount in pnl:
        total += amount
        peak = max(peak, total)
        worst = max(worst, peak - total)
    return worst


def dollars(cents: float) -> str:
    """Cents as whole dollars, with a true minus sign."""
    return f"{cents / 100:,.0f}".replace("-", "−")
