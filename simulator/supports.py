"""Where the figures of a plan can lie, known before any path is seen: what equal values leave open of their mean.

All bounds are by the trades that are drawn and the rules, and none is exceeded; not every value within them can be.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

from simulator.estimate import NO_OTHER, Support
from simulator.planning import Plan
from simulator.spec import Account, FloorAfterPayout, Model, Payout

MILLION: Final = 1_000_000

_MEANS_OF_A_DAY: Final = 4
_DAYS_MORE: Final = 9
"""Days that blocks are joined in have no longest one. By these hardly one path in 10^10 is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supports:
    """Of each figure, as of `Tally`; money in minor units."""

    final_pnl: Support
    max_drawdown: Support
    days: Support
    trades_to_end: Support
    payout: Support
    payouts: Support
    paused_days: Support


def supports(plan: Plan) -> Supports:
    """Those of a plan; of each figure `NO_OTHER` than is seen, where all paths are the same path."""
    if _are_alike(plan):
        return Supports(**{each.name: NO_OTHER for each in fields(Supports)})
    pnl, trades, payouts = _pnl(plan), most_trades(plan), _payouts(plan)
    low, high = min(pnl.low, 0), max(pnl.high, 0)
    return Supports(
        final_pnl=pnl,
        max_drawdown=Support(low=0, high=min(high - low, -_lowest_sum(plan, trades))),
        days=Support(low=1, high=plan.horizon_days),
        trades_to_end=Support(low=1, high=trades),
        payout=Support(low=0, high=_most_paid(plan, high, payouts)),
        payouts=Support(low=0, high=payouts),
        paused_days=Support(low=0, high=plan.horizon_days),
    )


def of_differences(plan: Plan, other: Plan) -> Support:
    """Of a path's final P&L under another plan's conditions less that under this one's, on the same random numbers."""
    settings = replace(plan.spec.settings, scenarios=())
    if other.spec == replace(plan.spec, settings=settings) or (_are_alike(plan) and _are_alike(other)):
        return NO_OTHER
    base, changed = _pnl(plan), _pnl(other)
    return Support(low=changed.low - base.high, high=changed.high - base.low)


def most_trades(plan: Plan) -> int:
    """Trades of a path at the most."""
    longest = int(plan.history.day_trades.max())
    if not _joins_days(plan):
        return plan.horizon_days * (plan.spec.settings.trades_per_day or longest)
    return int((plan.horizon_days + _DAYS_MORE) * max(longest, _MEANS_OF_A_DAY * plan.trades_a_day))


def _joins_days(plan: Plan) -> bool:
    """Whether a day may be longer than any of the history, as blocks are joined within it."""
    drawn_in_blocks = plan.model in {Model.STATIONARY, Model.CIRCULAR} and plan.spec.settings.trades_per_day is None
    return drawn_in_blocks and int(plan.history.day_trades.max()) > 1


def _are_alike(plan: Plan) -> bool:
    """Whether all trades are of one amount, and all days of one length."""
    if plan.spec.settings.stress.worst_day or _joins_days(plan):
        return False
    source, lengths = plan.source, plan.history.day_trades
    least, largest = source.range_minor
    known = [source.history.mae_minor, source.history.mfe_minor] if plan.excursions else []
    one_length = plan.spec.settings.trades_per_day is not None or lengths.min() == lengths.max()
    return one_length and least == largest and all(each is None or each.min() == each.max() for each in known)


def _pnl(plan: Plan) -> Support:
    """Of the P&L at any closed trade, at a floor that is met within one, or as a phase begins: what so many trades can
    make, and the floor and the target that end a path.
    """
    trades = most_trades(plan)
    least, largest = _of_a_trade(plan)
    begun = [0] if plan.excursions or len(plan.spec.rules.steps) > plan.spec.account.phase else []
    low = min([least, *begun, *([_lowest_sum(plan, trades)] if least < 0 else [])])
    high = max(largest, trades * largest, *begun)
    above_floor, below_target = _above_floor(plan), _below_target(plan)
    low = low if above_floor is None else max(low, above_floor + _lowest_sum(plan, 1))
    high = high if below_target is None else min(high, below_target + max(largest, 0))
    return Support(low=low, high=high)


def _of_a_trade(plan: Plan) -> tuple[int, int]:
    """The least and the most that a trade changes the balance by."""
    source = plan.source
    mfe = source.history.mfe_minor if plan.excursions else None
    least, largest = source.lowest_minor, source.range_minor[1]
    largest = largest if mfe is None else max(largest, int(mfe.max()))
    return min(least, _grown(plan, least)), max(largest, _grown(plan, largest))


def _lowest_sum(plan: Plan, trades: int) -> int:
    """How far so many trades take a path down at the most, with the worst day that a stress adds; 0 if they do not."""
    struck = plan.source.worst_day_minor if plan.spec.settings.stress.worst_day else 0
    return trades * min(0, _of_a_trade(plan)[0]) + _grown(plan, struck)


def _grown(plan: Plan, amount: int) -> int:
    """An amount after all steps of scaling, each of which may round it."""
    scaling = plan.spec.rules.scaling
    if scaling is None or amount == 0:
        return amount
    size = -(-abs(amount) * (MILLION + scaling.step_ppm * scaling.max_steps) // MILLION) + scaling.max_steps
    return size if amount > 0 else -size


def _above_floor(plan: Plan) -> int | None:
    """What the P&L is above until the trade that breaches the floor; None without one, or where scaling lowers it."""
    spec, start = plan.spec, plan.spec.rules.starting_balance_minor
    floor = spec.present_floor_minor
    if floor is None or spec.rules.scaling is not None:
        return None
    payout = spec.rules.payout
    if payout is not None and payout.floor_after is FloorAfterPayout.START:
        floor = min(floor, start)
    fresh = replace(spec, account=Account(balance_minor=start, high_water_mark_minor=start)).present_floor_minor
    later = len(spec.rules.steps) > spec.account.phase and fresh is not None
    return min(floor - spec.account.balance_minor, fresh - start if later and fresh is not None else 0)


def _below_target(plan: Plan) -> int | None:
    """What the P&L is below until the trade that passes; None where nothing passes, or a pass is held back."""
    spec, start = plan.spec, plan.spec.rules.starting_balance_minor
    steps, most = spec.rules.steps[spec.account.phase - 1 :], 0
    for number, step in enumerate(steps):
        if step.target_minor is None or step.minimum_days is not None or step.best_day_ppm is not None:
            return None
        most = max(most, step.target_minor - (start if number else spec.account.balance_minor))
    return most


def _payouts(plan: Plan) -> int:
    payout = plan.spec.rules.payout
    if payout is None:
        return 0
    in_time = 1 + (plan.horizon_days - 1) // max(payout.every_days, 1)
    return in_time if payout.max_payouts is None else min(in_time, payout.max_payouts - plan.spec.account.payouts)


def _most_paid(plan: Plan, pnl: float, payouts: int) -> float:
    """No payout takes the balance below the start, so all of them together take no more than the profit over it."""
    spec, payout = plan.spec, plan.spec.rules.payout
    if payout is None:
        return 0
    withdrawn = max(0, pnl + spec.account.balance_minor - spec.rules.starting_balance_minor)
    return min(withdrawn, payouts * max(payout.caps_minor, default=withdrawn)) * _best_split(payout)


def _best_split(payout: Payout) -> float:
    return max(payout.splits_ppm, default=MILLION) / MILLION
