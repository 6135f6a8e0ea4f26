"""The kernel and the plain rule book agree exactly, path by path, on everything a path yields.

Hypothesis draws histories, rules, account states and seeds; the shapes of compilation are few: see `rule_shapes`. The
trades of a path are drawn again by `tests.reference.paths`, played by `tests.reference.rule_book`, and compared with
what the kernel says of that path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from simulator import engine
from simulator.conditions import with_limits
from simulator.engine import Plan
from simulator.errors import InvalidInput
from simulator.estimate import NO_OTHER
from simulator.fit import fit
from simulator.planning import DEFAULT_HORIZON_DAYS
from simulator.spec import Account, BreachOperator, DailyLoss, DrawdownKind, MaxDrawdown, Model, Rules, Settings, Spec
from simulator.supports import supports
from simulator.tally import Finished, Outcome
from tests.reference.passing import Calendar
from tests.reference.paths import Drawing, draw_days
from tests.reference.quantiles import Table
from tests.reference.rule_book import Day, Deal, Ending, excursions_used, play
from tests.reference.stress import stressed
from tests.unit.simulator.random_specs import PATHS, specs, trades_of
from tests.unit.simulator.rule_shapes import FITTED, Shape, shapes

pytestmark = pytest.mark.reference

EXAMPLES = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""A failing example is small as it is: to shrink it takes longer than a test may."""

ENDLESS = 10_000

OTHERS = (
    Shape(),
    Shape(course="scaling", drawdown=DrawdownKind.TRAILING_INTRADAY, excursions=True, stress="draws"),
    Shape(model=Model.STUDENT_T, drawdown=DrawdownKind.STATIC, fixed_days=True),
)


def one_block(spec: Spec) -> Plan:
    """A plan of a single small block."""
    return replace(engine.plan(spec, "0" * 64), block_paths=PATHS, blocks=1)


def can_be_fitted(spec: Spec) -> bool:
    """Whether the history has a likeliest Student-t of finite variance."""
    try:
        engine.plan(spec, "0" * 64)
    except InvalidInput:
        return False
    return True


def history_of(spec: Spec) -> list[list[Deal]]:
    """The days of the history, which turn at midnight here."""
    days: dict[object, list[Deal]] = {}
    for trade in spec.trades:
        deal = Deal(trade.pnl_minor, trade.mae_minor, trade.mfe_minor)
        days.setdefault(trade.closed_at.date(), []).append(deal)
    return list(days.values())


def drawing_of(plan: Plan, history: list[list[Deal]]) -> Drawing:
    """How the reference draws the futures of a plan."""
    wanted = plan.spec.settings
    pnls = [deal.pnl for day in history for deal in day]
    fitted = fit(plan.model, np.array(pnls, np.int32))
    return Drawing(
        history=stressed(history, wanted.stress),
        model=plan.model,
        block_length=plan.block_length,
        trades_per_day=wanted.trades_per_day,
        seed=plan.seed,
        table=None if fitted is None else Table(fitted, wanted.stress, sum(pnls) / len(pnls)),
        fewer_winners=wanted.stress.fewer_winners,
        worst_day=wanted.stress.worst_day,
    )


def horizon_of(spec: Spec) -> int:
    """The horizon asked for; without one, the time limit will end the path, or the usual days do."""
    limited = any(step.time_limit_days or step.time_limit_calendar_days for step in spec.rules.steps)
    return spec.settings.horizon_days or (ENDLESS if limited else DEFAULT_HORIZON_DAYS)


def pace_of(spec: Spec, history: list[list[Deal]]) -> Calendar:
    """The calendar days from the first to the last day of the history, and its trading days."""
    whole = spec.trades[-1].closed_at.date() - spec.trades[0].closed_at.date()
    return Calendar(calendar_days=whole.days + 1, trading_days=len(history))


class Reference:
    """What the reference says of the paths of a plan."""

    def __init__(self, plan: Plan) -> None:
        """Looks at the plan's spec, and at what the plan chose where the spec left it open."""
        self.plan, self.spec = plan, plan.spec
        history = history_of(plan.spec)
        self.drawing = drawing_of(plan, history)
        self.pace = pace_of(plan.spec, history)
        wanted = plan.spec.settings.excursions and plan.model not in FITTED
        self.excursions = excursions_used(history, plan.spec.rules, wanted=wanted)

    def days(self, path: int) -> Iterator[Day]:
        """The days a path draws; the worst one is among those of the plan's horizon."""
        most = self.plan.horizon_days if self.drawing.worst_day else horizon_of(self.spec)
        return draw_days(self.drawing, path, most)

    def ending(self, path: int) -> Ending:
        """How a path ends; one that has ended keeps its last balance."""
        spec = self.spec
        end = play(self.days(path), spec.rules, spec.account, excursions=self.excursions, pace=self.pace)
        return replace(end, closes=end.closes + end.closes[-1:] * (self.plan.horizon_days - end.days))


def simulated(plan: Plan, finished: Finished, path: int) -> Ending:
    """What the kernel says of one path, its closes being those of the fan, which shows every day of so few."""
    assert plan.shown_days.tolist() == list(range(plan.horizon_days + 1))
    assert finished.fan[0, path] == 0

    def counted(figure: npt.NDArray[np.int32] | None) -> int:
        return 0 if figure is None else int(figure[path])

    return Ending(
        outcome=int(finished.outcome[path]),
        final_pnl=int(finished.final_pnl[path]),
        max_drawdown=int(finished.max_drawdown[path]),
        days=int(finished.days[path]),
        trades=int(finished.trades[path]),
        closes=tuple(finished.fan[1:, path].tolist()),
        skipped=counted(finished.skipped),
        phase=counted(finished.phase),
        paid=counted(finished.payout),
        payouts=counted(finished.payouts),
        paused_days=counted(finished.paused_days),
    )


def agree_on_paths(shape: Shape, examples: int) -> None:
    """Kernel and reference agree on simulations of this shape."""

    @settings(EXAMPLES, max_examples=examples)
    @given(specs(shape))
    def agree(spec: Spec) -> None:
        assume(spec.settings.model not in FITTED or can_be_fitted(spec))
        plan = one_block(spec)
        finished, reference = engine.finished(plan, 0), Reference(plan)
        for path in range(PATHS):
            assert simulated(plan, finished, path) == reference.ending(path)

    agree()


@pytest.mark.parametrize("shape", [*shapes(2), *OTHERS], ids=str)
def test_kernel_and_reference_agree_path_by_path(shape: Shape) -> None:
    agree_on_paths(shape, examples=20)


@pytest.mark.slow
@pytest.mark.parametrize("shape", shapes(3), ids=str)
def test_kernel_and_reference_agree_on_every_three_rules(shape: Shape) -> None:
    agree_on_paths(shape, examples=20)


def test_the_cases_meet_every_rule() -> None:
    """What is compared above would show little if few paths passed, paused, were paid or grew."""
    seen: Counter[str] = Counter()

    def note(end: Ending, spec: Spec) -> None:
        seen[f"outcome {end.outcome}"] += 1
        seen["paused"] += end.paused_days > 0
        seen["skipped"] += end.skipped > 0
        seen["paid twice"] += end.payouts > 1
        seen["phase passed"] += end.phase > spec.account.phase - 1
        seen["grown"] += spec.rules.scaling is not None and end.closes[-1] > end.final_pnl

    for shape in shapes(2):

        @settings(EXAMPLES, max_examples=12)
        @given(specs(shape))
        def look(spec: Spec) -> None:
            reference = Reference(one_block(spec))
            for path in range(12):
                note(reference.ending(path), spec)

        look()
    assert min(seen.values()) >= 20, seen
    assert len(seen) == 9


def test_no_figure_lies_beyond_what_is_said_to_be_possible() -> None:
    """By the reference, whose paths the kernel's are."""
    for shape in [*shapes(2), *OTHERS]:

        @settings(EXAMPLES, max_examples=12)
        @given(specs(shape))
        def look(spec: Spec) -> None:
            assume(spec.settings.model not in FITTED or can_be_fitted(spec))
            plan = one_block(spec)
            reference, within = Reference(plan), supports(plan)
            for path in range(12):
                end = reference.ending(path)
                for figure, value in (
                    (within.final_pnl, end.final_pnl), (within.max_drawdown, end.max_drawdown),
                    (within.days, end.days), (within.trades_to_end, end.trades), (within.payout, end.paid),
                    (within.payouts, end.payouts), (within.paused_days, end.paused_days),
                ):  # fmt: skip
                    assert figure == NO_OTHER or figure.low <= value <= figure.high, (figure, value, end)

        look()


@pytest.mark.parametrize("block", [(1 << 27) - 1, 1 << 27], ids=["below 2^32", "from 2^32"])
def test_paths_of_any_index_agree(block: int) -> None:
    """Also those whose index needs more than 32 bits, and so another key. Blocks are powers of two."""
    days = [[(pnl, None, None) for pnl in day] for day in ((120, -80), (35,), (-150, 90, 10))]
    spec = Spec(
        trades=trades_of(days),
        rules=Rules(starting_balance_minor=10_000),
        account=Account(balance_minor=10_000, high_water_mark_minor=10_000),
        settings=Settings(paths=1, horizon_days=6, model=Model.IID, seed=2**63 + 5),
    )
    plan = replace(engine.plan(spec, "0" * 64), paths=(block + 1) * 32, block_paths=32, blocks=block + 1)
    finished, reference = engine.finished(plan, block), Reference(plan)
    found = [(int(finished.final_pnl[path]), int(finished.trades[path])) for path in range(32)]
    ends = [reference.ending(block * 32 + path) for path in range(32)]
    assert found == [(end.final_pnl, end.trades) for end in ends]


@pytest.mark.parametrize("excursions", [True, False])
@pytest.mark.parametrize("breach", BreachOperator)
@pytest.mark.parametrize(
    "limits",
    [
        {
            "max_drawdown": MaxDrawdown(
                kind=DrawdownKind.TRAILING_END_OF_DAY, allowance_minor=0, lock_minor=50_000, peak_share_ppm=500_000
            )
        },
        {"max_drawdown": MaxDrawdown(kind=DrawdownKind.TRAILING_INTRADAY, allowance_minor=0, peak_share_ppm=500_000)},
        {"daily_loss": DailyLoss(limit_minor=0, anchor_share_ppm=500_000)},
    ],
    ids=["end of day", "intraday", "daily"],
)
def test_shares_that_a_scenario_makes_larger_than_the_whole_agree(
    limits: dict[str, Any], breach: BreachOperator, excursions: bool
) -> None:
    """Balances fall below 0 before they breach."""
    rules = with_limits(Rules(starting_balance_minor=100_000, breach=breach, **limits), 3.0)
    parts = [(-30_000, -32_500, 500), (32_000, -10_000, 40_000)]
    spec = Spec(
        trades=trades_of([parts]),
        rules=rules,
        account=Account(balance_minor=100_000, high_water_mark_minor=100_000),
        settings=Settings(
            paths=PATHS, horizon_days=10, model=Model.IID, trades_per_day=5, seed=3, excursions=excursions
        ),
    )
    plan = one_block(spec)
    finished, reference = engine.finished(plan, 0), Reference(plan)
    ends = [reference.ending(path) for path in range(PATHS)]
    assert [simulated(plan, finished, path) for path in range(PATHS)] == ends
    lowest = min(
        min(end.closes) for end in ends if end.outcome in {Outcome.BREACHED_MAX_DRAWDOWN, Outcome.BREACHED_DAILY_LOSS}
    )
    assert lowest < -100_000
