"""From the message of the rules to what a funded account has: payouts and scaling."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING
from typing import Final

from montecarlo.v1 import rules_pb2
from simulator.codec_reader import MAX_DAYS, Reader
from simulator.money import NotAnAmount, parse_decimal
from simulator.spec import FloorAfterPayout, Payout, Scaling

MAX_RUNGS: Final = 16
MAX_SCALING_STEPS: Final = 100
MAX_STEP_PERCENT: Final = 1_000
MILLION: Final = 1_000_000
_FLOORS: Final[dict[int, FloorAfterPayout]] = {
    rules_pb2.FLOOR_AFTER_PAYOUT_UNSPECIFIED: FloorAfterPayout.KEEP,
    rules_pb2.FLOOR_AFTER_PAYOUT_KEEP: FloorAfterPayout.KEEP,
    rules_pb2.FLOOR_AFTER_PAYOUT_FOLLOW: FloorAfterPayout.FOLLOW,
    rules_pb2.FLOOR_AFTER_PAYOUT_START: FloorAfterPayout.START,
}


def payout(reader: Reader, rule: rules_pb2.Payout) -> Payout:
    """The payout rule; what is bad is noted."""
    field, checks = "rules.payout", reader.checks
    floor, share, least = reader.start, MILLION, 1
    if rule.floor_balance:
        given = checks.money(f"{field}.floor_balance", rule.floor_balance, reader.digits)
        floor = floor if given is None else given
    if rule.max_profit_share:
        share = checks.millionths(f"{field}.max_profit_share", rule.max_profit_share, of_one=1) or MILLION
    if rule.min_amount:
        least = checks.positive_money(f"{field}.min_amount", rule.min_amount, reader.digits) or 1
    return Payout(
        floor_minor=floor,
        every_days=checks.whole(f"{field}.every_days", rule.every_days, 0, MAX_DAYS),
        minimum_days=reader.minimum_days(f"{field}.minimum_days", rule.minimum_days)
        if rule.HasField("minimum_days") else None,
        best_day_ppm=reader.consistency(f"{field}.consistency", rule.consistency)
        if rule.HasField("consistency") else None,
        profit_share_ppm=share,
        least_minor=least,
        caps_minor=_caps(reader, f"{field}.caps", rule.caps),
        splits_ppm=_splits(reader, f"{field}.splits", rule.splits),
        floor_after=checks.kind(f"{field}.floor_after", rule.floor_after, _FLOORS) or FloorAfterPayout.KEEP,
        max_payouts=checks.whole(f"{field}.max_payouts", rule.max_payouts, 0, MAX_DAYS) or None,
    )  # fmt: skip


def scaling(reader: Reader, rule: rules_pb2.Scaling) -> Scaling:
    """The scaling rule; what is bad is noted."""
    field, checks = "rules.scaling", reader.checks
    profit = reader.percent_of_start(f"{field}.min_profit_percent", rule.min_profit_percent, ROUND_CEILING, most=None)
    percent = checks.percent(f"{field}.step_percent", rule.step_percent, most=MAX_STEP_PERCENT)
    if percent is not None and percent != round(percent, 4):
        checks.bad(f"{field}.step_percent", f"{rule.step_percent} has more than 4 decimals: round it first")
    return Scaling(
        every_days=checks.whole(f"{field}.every_days", rule.every_days, 1, MAX_DAYS),
        min_profit_minor=profit or 1,
        step_ppm=int((percent or 1) * 10_000),
        max_steps=checks.whole(f"{field}.max_steps", rule.max_steps, 1, MAX_SCALING_STEPS),
    )


def _caps(reader: Reader, field: str, texts: Sequence[str]) -> tuple[int, ...]:
    _check_rungs(reader, field, texts)
    found = [reader.checks.positive_money(f"{field}[{at}]", text, reader.digits) for at, text in enumerate(texts)]
    return tuple(each or 1 for each in found)


def _splits(reader: Reader, field: str, texts: Sequence[str]) -> tuple[int, ...]:
    """A share may be 0 here: a payout of which the trader gets nothing."""
    _check_rungs(reader, field, texts)
    return tuple(
        0 if _is_nothing(text) else reader.checks.millionths(f"{field}[{at}]", text, of_one=1) or MILLION
        for at, text in enumerate(texts)
    )


def _is_nothing(text: str) -> bool:
    try:
        return parse_decimal(text) == 0
    except NotAnAmount:
        return False


def _check_rungs(reader: Reader, field: str, texts: Sequence[str]) -> None:
    if len(texts) > MAX_RUNGS:
        reader.checks.bad(
            field, f"has {len(texts)} entries: give at most {MAX_RUNGS}; the last holds for all later ones"
        )
