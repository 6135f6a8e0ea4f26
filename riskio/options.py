"""Options of a command line about uncertainty, the same for `mcsim` and `mcsvc trigger`, as the settings message."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Protocol

from montecarlo.v1.settings_pb2 import (
    EXCURSIONS_OFF,
    EXCURSIONS_UNSPECIFIED,
    RARE_EVENTS_OFF,
    RARE_EVENTS_UNSPECIFIED,
    EstimationRisk,
    PrecisionTarget,
    Scenario,
    SimulationSettings,
    Stress,
)
from riskio.times import NotAnInstant, instant


class Arguments(Protocol):
    """A parser, or a group of its options."""

    def add_argument(self, *names: str, **how: Any) -> object:
        """As of argparse."""


OUTCOMES: Final = ("passed", "breached_max_drawdown", "breached_daily_loss", "expired")
FACTORS: Final = ("volatility_factor", "loss_factor", "fewer_winners")
FACTOR_RANGE: Final = (0.1, 10.0)
HISTORIES_RANGE: Final = (20, 2_000)
PATHS_RANGE: Final = (256, 16_384)
STRESSES: Final = (*FACTORS, "cost_per_trade", "worst_day")
_STRESS_EXAMPLE: Final = "such as loss_factor=1.5,cost_per_trade=4.20,worst_day"


def add(parser: Arguments) -> None:
    """Adds the options to a parser or to a group of one."""
    option = parser.add_argument
    option(
        "--precision", type=precision, action="append", default=[], metavar="OUTCOME=X",
        help="stop once the 95%% interval is X to either side, as in passed=0.001; repeatable; --paths is the most",
    )  # fmt: skip
    option("--time-budget", type=seconds, default=0.0, metavar="S", help="begin no further paths after so many seconds")
    option(
        "--stress", type=stress, metavar="WHAT=X,…",
        help="make the history worse: volatility_factor, loss_factor, cost_per_trade, fewer_winners, worst_day",
    )  # fmt: skip
    option(
        "--scenario", type=scenario, action="append", default=[], metavar="NAME:WHAT=X,…",
        help="a what-if beside it on the same random numbers: a stress, which replaces that of --stress, and"
        " limits_factor, which scales the drawdown's allowance, the daily limit and the target; may be repeated",
    )  # fmt: skip
    option(
        "--estimation-risk", type=estimation_risk, metavar="N[xM]",
        help="what the history's shortness leaves open, by N resampled histories of M paths each (default M: 2048)",
    )  # fmt: skip
    option("--rare-events", choices=("auto", "off"), default="auto", help="importance sampling of rare breaches")
    option("--excursions", choices=("auto", "off"), default="auto", help="look for breaches within trades, by MAE, MFE")
    option(
        "--as-of", type=moment, metavar="TIME",
        help="the present, with its offset, such as 2026-01-31T17:00:00Z: is the history old?",
    )  # fmt: skip


def apply(options: Namespace, settings: SimulationSettings) -> None:
    """Writes what the options ask for into the settings."""
    settings.precision.extend(options.precision)
    settings.time_budget_s = options.time_budget
    if options.stress is not None:
        settings.stress.CopyFrom(options.stress)
    settings.scenarios.extend(options.scenario)
    if options.estimation_risk is not None:
        settings.estimation_risk.CopyFrom(options.estimation_risk)
    settings.rare_events = RARE_EVENTS_OFF if options.rare_events == "off" else RARE_EVENTS_UNSPECIFIED
    settings.excursions = EXCURSIONS_OFF if options.excursions == "off" else EXCURSIONS_UNSPECIFIED
    if options.as_of is not None:
        settings.as_of.FromDatetime(options.as_of)


def whole(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number in this range; `_` and `,` may group its digits. It raises ArgumentTypeError."""

    def read(text: str) -> int:
        digits = text.replace("_", "").replace(",", "")
        if not digits.isascii() or not digits.isdigit():
            raise ArgumentTypeError(f"{text!r} is not a whole number, such as 1000000 or 1_000_000")
        if len(digits.lstrip("0")) > len(str(high)) or not low <= int(digits) <= high:
            raise ArgumentTypeError(f"{text!r} is out of range: give {low:,} to {high:,}")
        return int(digits)

    return read


def precision(text: str) -> PrecisionTarget:
    """OUTCOME=X. Raises: ArgumentTypeError."""
    outcome, _, width = text.partition("=")
    if outcome not in OUTCOMES:
        raise ArgumentTypeError(f"{outcome!r} is no outcome: give one of {', '.join(OUTCOMES)}, such as passed=0.001")
    return PrecisionTarget(outcome=outcome, half_width=_number(width, "passed=0.001"))


def stress(text: str) -> Stress:
    """WHAT=X,… Raises: ArgumentTypeError."""
    found = Stress()
    for name, value in _pairs(text):
        _put(found, name, value)
    return found


def scenario(text: str) -> Scenario:
    """NAME:WHAT=X,… Raises: ArgumentTypeError."""
    name, colon, rest = text.partition(":")
    if not name.strip() or not colon:
        raise ArgumentTypeError(f"{text!r} has no name: write it like worse:loss_factor=1.5,limits_factor=0.9")
    found = Scenario(name=name.strip())
    for what, value in _pairs(rest):
        if what == "limits_factor":
            found.limits_factor = _factor(what, value, "limits_factor=0.9")
        else:
            _put(found.stress, what, value)
    return found


def estimation_risk(text: str) -> EstimationRisk:
    """N or NxM. Raises: ArgumentTypeError."""
    histories, x, paths = text.partition("x")
    if not histories.isdecimal() or bool(x) != paths.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a number of histories: write it like 200, or 200x4096 with the paths")
    found = EstimationRisk(histories=_whole("histories", histories, HISTORIES_RANGE))
    if paths:
        found.paths_per_history = _whole("paths of each", paths, PATHS_RANGE)
    return found


def seconds(text: str) -> float:
    """A number above 0. Raises: ArgumentTypeError."""
    found = _number(text, "30")
    if not 0 < found < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a time: give seconds above 0")
    return found


def moment(text: str) -> datetime:
    """An instant, with its offset from UTC. Raises: ArgumentTypeError."""
    try:
        return instant(text)
    except NotAnInstant as unreadable:
        raise ArgumentTypeError(str(unreadable)) from None


def _pairs(text: str) -> list[tuple[str, str]]:
    """WHAT=X,… as pairs; WHAT alone has no value."""
    parts = [part.strip() for part in text.split(",")]
    return [(what.strip(), value.strip()) for what, _, value in (part.partition("=") for part in parts)]


def _put(found: Stress, name: str, value: str) -> None:
    if name == "fewer_winners":
        found.fewer_winners = _number(value, f"{name}=0.5")
    elif name in FACTORS:
        setattr(found, name, _factor(name, value, f"{name}=0.5"))
    elif name == "cost_per_trade" and value:
        found.cost_per_trade = value
    elif name == "worst_day" and not value:
        found.worst_day = True
    else:
        shown = f"{name}={value}" if value else name
        raise ArgumentTypeError(f"{shown!r} is no stress: give {', '.join(STRESSES)}, {_STRESS_EXAMPLE}")


def _factor(name: str, text: str, example: str) -> float:
    """A factor that is one: 0 would be none to the settings."""
    low, high = FACTOR_RANGE
    found = _number(text, example)
    if not low <= found <= high:
        raise ArgumentTypeError(f"{name}={text} is out of range: give {low:g} to {high:g}, or leave it out")
    return found


def _whole(what: str, text: str, bounds: tuple[int, int]) -> int:
    low, high = bounds
    if not low <= int(text) <= high:
        raise ArgumentTypeError(f"{text} {what} are out of range: give {low} to {high}")
    return int(text)


def _number(text: str, example: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a number: write it like {example}") from None
