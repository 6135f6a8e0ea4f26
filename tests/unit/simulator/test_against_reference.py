"""The kernel and the plain rule book agree exactly, path by path, on everything a path yields.

Hypothesis draws histories, rules, account states and seeds; the shapes of compilation are few, each pair of a drawdown
kind with a model among them. The trades of a path are drawn again by `tests.reference.paths`, played by
`tests.reference.rule_book`, and compared with what the kernel says of that path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator import engine
from simulator.engine import Plan
from simulator.spec import (
    Account,
    BreachOperator,
    DailyLoss,
    DrawdownKind,
    MaxDrawdown,
    MinimumDays,
    Model,
    Rules,
    Settings,
    Spec,
    Trade,
)
from simulator.tally import Finished
from tests.reference.paths import Drawing, draw_days
from tests.reference.rule_book import Ending, play

PATHS = 24
START = 10_000
FIRST_CLOSE = datetime(2024, 1, 1, 12, tzinfo=UTC)
PASSES = ("never", "target", "days", "profitable days")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What decides a compilation."""

    drawdown: DrawdownKind | None
    model: Model
    fixed_days: bool
    passes: str
    daily_loss: bool

    def __str__(self) -> str:
        drawdown = self.drawdown.value if self.drawdown else "no drawdown"
        days = "fixed days" if self.fixed_days else "days of the history"
        return f"{drawdown}, {self.model.value}, {days}, {self.passes}, {'' if self.daily_loss else 'no '}daily loss"


def shapes() -> list[Shape]:
    """Every drawdown kind with every model, the other parts in turn."""
    kinds = (None, *DrawdownKind)
    return [
        Shape(
            drawdown=kind,
            model=model,
            fixed_days=model is not Model.DAY and (row + column) % 2 == 1,
            passes=PASSES[(row + column) % len(PASSES)],
            daily_loss=kind is None or (row + column) % 3 != 1,
        )
        for (row, kind), (column, model) in product(enumerate(kinds), enumerate(Model))
    ]


def trades_of(days: Sequence[Sequence[int]]) -> tuple[Trade, ...]:
    """Trades with these P&Ls on consecutive days."""
    return tuple(
        Trade(closed_at=FIRST_CLOSE + timedelta(days=day, minutes=minute), pnl_minor=pnl)
        for day, pnls in enumerate(days)
        for minute, pnl in enumerate(pnls)
    )


def amounts(low: int, high: int, step: int) -> st.SearchStrategy[int]:
    """Multiples of the step: coarse ones put balances exactly at floors and targets."""
    return st.integers(-(-low // step), high // step).map(step.__mul__)


@st.composite
def specs(draw: st.DrawFn, shape: Shape) -> Spec:
    """A simulation of this shape, its amounts such that every rule is met now and then."""
    step = draw(st.sampled_from([1, 50, 100]))
    day = st.lists(amounts(-300, 300, step), min_size=1, max_size=4)
    days = draw(st.lists(day, min_size=1, max_size=8))
    rules = draw(rule_books(shape, step))
    balance = START + draw(amounts(-300, 600, step))
    return Spec(
        trades=trades_of(days),
        rules=rules,
        account=Account(
            balance_minor=balance,
            high_water_mark_minor=draw(st.sampled_from([balance, max(balance, START), max(balance, START) + 250])),
            days_traded=draw(st.integers(0, (rules.time_limit_days or 5) - 1)),
            qualifying_days=draw(st.integers(0, 4)),
        ),
        settings=Settings(
            paths=PATHS,
            horizon_days=draw(st.none() | st.integers(1, 14)),
            model=shape.model,
            trades_per_day=draw(st.integers(1, 4)) if shape.fixed_days else None,
            block_length=draw(st.floats(1, 12)) if shape.model is Model.STATIONARY else None,
            seed=draw(st.integers(0, 2**64 - 1)),
        ),
    )


@st.composite
def rule_books(draw: st.DrawFn, shape: Shape, step: int) -> Rules:
    """Rules of this shape."""
    return Rules(
        starting_balance_minor=START,
        breach=draw(st.sampled_from(BreachOperator)),
        max_drawdown=None if shape.drawdown is None else draw(drawdowns(shape.drawdown, step)),
        daily_loss=DailyLoss(limit_minor=draw(amounts(1, 600, step))) if shape.daily_loss else None,
        target_minor=None if shape.passes == "never" else START + draw(amounts(1, 900, step)),
        minimum_days=draw(minimum_days(shape.passes, step)),
        time_limit_days=draw(st.none() | st.integers(1, 12)),
    )


def drawdowns(kind: DrawdownKind, step: int) -> st.SearchStrategy[MaxDrawdown]:
    """An allowance, and for trailing kinds a lock or none."""
    locks = st.none() if kind is DrawdownKind.STATIC else st.none() | amounts(START - 700, START + 400, step)
    return st.builds(MaxDrawdown, kind=st.just(kind), allowance_minor=amounts(1, 900, step), lock_minor=locks)


def minimum_days(passes: str, step: int) -> st.SearchStrategy[MinimumDays | None]:
    """The days a pass of this kind needs."""
    if passes not in {"days", "profitable days"}:
        return st.none()
    profits = st.none() if passes == "days" else amounts(1, 300, step)
    return st.builds(MinimumDays, days=st.integers(1, 7), min_profit_minor=profits)


def one_block(spec: Spec) -> Plan:
    """A plan of a single small block."""
    return replace(engine.plan(spec, "0" * 64), block_paths=PATHS, blocks=1)


def expected(plan: Plan, path: int) -> Ending:
    """What the reference says of one path; a path that has ended keeps its last balance."""
    history, spec = plan.history, plan.spec
    days = [day.tolist() for day in np.split(history.pnl_minor, history.day_start[1:])]
    drawing = Drawing(
        history=days,
        model=plan.model,
        block_length=plan.block_length,
        trades_per_day=spec.settings.trades_per_day,
        seed=plan.seed,
    )
    end = play(draw_days(drawing, path, spec.settings.horizon_days or 60), spec.rules, spec.account)
    return replace(end, closes=end.closes + (end.final_pnl,) * (plan.horizon_days - end.days))


def simulated(plan: Plan, finished: Finished, path: int) -> Ending:
    """What the kernel says of one path, its closes being those of the fan, which shows every day of so few."""
    assert plan.shown_days.tolist() == list(range(plan.horizon_days + 1))
    assert finished.fan[0, path] == 0
    return Ending(
        outcome=int(finished.outcome[path]),
        final_pnl=int(finished.final_pnl[path]),
        max_drawdown=int(finished.max_drawdown[path]),
        days=int(finished.days[path]),
        trades=int(finished.trades[path]),
        closes=tuple(finished.fan[1:, path].tolist()),
    )


@pytest.mark.parametrize("shape", shapes(), ids=str)
def test_kernel_and_reference_agree_path_by_path(shape: Shape) -> None:
    @given(specs(shape))
    @settings(deadline=None, max_examples=16, derandomize=True, suppress_health_check=list(HealthCheck))
    def agree(spec: Spec) -> None:
        plan = one_block(spec)
        finished = engine.finished(plan, 0)
        for path in range(PATHS):
            assert simulated(plan, finished, path) == expected(plan, path)

    agree()


@pytest.mark.parametrize("block", [(1 << 27) - 1, 1 << 27], ids=["below 2^32", "from 2^32"])
def test_paths_of_any_index_agree(block: int) -> None:
    """Also those whose index needs more than 32 bits, and so another key. Blocks are powers of two."""
    days = ((120, -80), (35,), (-150, 90, 10))
    spec = Spec(
        trades=trades_of(days),
        rules=Rules(starting_balance_minor=START),
        account=Account(balance_minor=START, high_water_mark_minor=START),
        settings=Settings(paths=1, horizon_days=6, model=Model.IID, seed=2**63 + 5),
    )
    plan = replace(engine.plan(spec, "0" * 64), paths=(block + 1) * 32, block_paths=32, blocks=block + 1)
    finished = engine.finished(plan, block)
    found = [(int(finished.final_pnl[path]), int(finished.trades[path])) for path in range(32)]
    ends = [expected(plan, block * 32 + path) for path in range(32)]
    assert found == [(end.final_pnl, end.trades) for end in ends]
