"""Accounts that the studies simulate: small made-up ones, and those of the sample traders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from montecarlo.v1.result_pb2 import SimulationResult
from riskio import files
from simulator import codec, crew, engine, rare, result
from simulator.launching import Launcher
from simulator.planning import Plan
from simulator.rare_event import RareEvent
from simulator.spec import Account, DrawdownKind, MaxDrawdown, Rules, Settings, Spec
from simulator.tally import Outcome
from simulator.trades import Trade, Trades

ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLES: Final = ROOT / "mcsvc" / "devstack" / "samples"
START: Final = 1_000_000
"""Balance of a made-up account at the start, in minor units: far above whatever it may lose."""

MORNING: Final = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
NO_DIGEST: Final = "0" * 64

Amounts = Sequence[int]


def walls(room: int | None = None, target: int | None = None, kind: DrawdownKind = DrawdownKind.STATIC) -> Rules:
    """Lost `room` below the start, passed `target` above it, in minor units."""
    drawdown = None if room is None else MaxDrawdown(kind=kind, allowance_minor=room)
    return Rules(
        starting_balance_minor=START,
        max_drawdown=drawdown,
        target_minor=None if target is None else START + target,
    )


def plan_of(pnls: Amounts, rules: Rules, settings: Settings) -> Plan:
    """A fresh account of a history with one trade a day."""
    trades = Trades.of(Trade(closed_at=MORNING + timedelta(days=day), pnl_minor=pnl) for day, pnl in enumerate(pnls))
    account = Account(balance_minor=START, high_water_mark_minor=START)
    return engine.plan(Spec(trades=trades, rules=rules, account=account, settings=settings), NO_DIGEST)


def sample(trader: str, rules: str = "assessment-50k-eod") -> Spec:
    """A sample trader on a fresh account under sample rules."""
    return codec.decode(files.read_input(SAMPLES / f"trades/{trader}.csv", SAMPLES / f"rules/{rules}.yaml"))


def sample_plan(spec: Spec, settings: Settings, trades: int | None = None) -> Plan:
    """The plan of a sample, of its first so many trades."""
    return engine.plan(replace(spec, trades=spec.trades[:trades], settings=settings), NO_DIGEST)


def by_importance(plan: Plan, outcomes: Iterable[Outcome]) -> tuple[RareEvent, ...]:
    """Breaches by importance sampling."""
    with Launcher(1) as launcher:
        return rare.estimate(plan, outcomes, launcher)


def simulated(plan: Plan) -> SimulationResult:
    """All that the plan asks for, in one thread."""
    return result.build(plan, crew.simulate(plan, threads=1), 0.0)
