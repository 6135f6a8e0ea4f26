"""From the message of the rules to what an assessment asks for: one step of it, or several phases."""

from __future__ import annotations

from decimal import ROUND_CEILING
from typing import Final

from montecarlo.v1 import rules_pb2
from riskio.numbers import counted
from simulator.codec_reader import MAX_DAYS, Reader
from simulator.spec import Phase

MAX_PHASES: Final = 8
_OF_A_PHASE: Final = ("profit_target", "minimum_days", "consistency")
_LIMITS: Final = ("time_limit_days", "time_limit_calendar_days")


def step(reader: Reader, field: str, message: rules_pb2.AccountRules | rules_pb2.Phase) -> Phase:
    """What one step asks for; `field` is where it stands."""
    targeted = message.HasField("profit_target")
    if message.HasField("consistency") and not targeted:
        reader.checks.bad(f"{field}.consistency", "has no meaning without a profit_target, which it holds back")
    return Phase(
        target_minor=_target(reader, f"{field}.profit_target", message.profit_target) if targeted else None,
        minimum_days=reader.minimum_days(f"{field}.minimum_days", message.minimum_days)
        if message.HasField("minimum_days") else None,
        time_limit_days=_days(reader, f"{field}.time_limit_days", message.time_limit_days),
        time_limit_calendar_days=_days(
            reader, f"{field}.time_limit_calendar_days", message.time_limit_calendar_days
        ),
        best_day_ppm=reader.consistency(f"{field}.consistency", message.consistency)
        if message.HasField("consistency") else None,
    )  # fmt: skip


def phases(reader: Reader, message: rules_pb2.AccountRules) -> tuple[Phase, ...]:
    """The steps of an assessment of several; empty for one of a single step."""
    count = len(message.phases)
    if not count:
        return ()
    if not 2 <= count <= MAX_PHASES:
        entries = counted(count, "entry", "entries")
        reader.checks.bad("rules.phases", f"has {entries}: give 2 to {MAX_PHASES}, or the rules of the one alone")
        return ()
    given = [name for name in _OF_A_PHASE if message.HasField(name)] + [
        each for each in _LIMITS if getattr(message, each)
    ]
    for name in given:
        reader.checks.bad(f"rules.{name}", "stands beside rules.phases: give it in each phase instead")
    found = []
    for index, phase in enumerate(message.phases):
        field = f"rules.phases[{index}]"
        if not phase.HasField("profit_target"):
            reader.checks.bad(f"{field}.profit_target", "is missing: a phase is passed by its target")
        found.append(step(reader, field, phase))
    return tuple(found)


def _days(reader: Reader, field: str, days: int) -> int | None:
    return reader.checks.whole(field, days, 0, MAX_DAYS) or None


def _target(reader: Reader, field: str, rule: rules_pb2.ProfitTarget) -> int | None:
    profit = reader.share(field, rule, ROUND_CEILING, most=None)
    return None if profit is None else reader.start + profit
