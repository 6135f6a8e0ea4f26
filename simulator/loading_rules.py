"""From a plan to what the rules take: which are on, and their numbers, relative to the balance at the path's start.

Every number here is exact. A level that lies beyond any balance a path may reach is moved to just beyond that reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator import growth
from simulator.growth import BEYOND
from simulator.host import handed
from simulator.levels import MILLION, Levels, Opening, PayoutLevels, PhaseLevels, ScalingLevels, Share
from simulator.planning import Plan
from simulator.shape import Features, Pass, PayoutFeatures
from simulator.spec import BreachOperator, DailyAnchor, MinimumDays, Payout, Phase, Rules, Spec

if TYPE_CHECKING:
    import jax

MAX_INT32: Final = 2**31 - 1
NO_SHARE: Final = BEYOND * MILLION
"""Millionths of any profit that no day's profit is more than."""


def features(plan: Plan) -> Features:
    """Which rules are on."""
    rules = plan.spec.rules
    drawdown, daily = rules.max_drawdown, rules.daily_loss
    return Features(
        drawdown=drawdown.kind if drawdown else None,
        peak_share=drawdown is not None and drawdown.peak_share_ppm is not None,
        daily_loss=daily.action if daily else None,
        anchor_share=daily is not None and daily.anchor_share_ppm is not None,
        open_equity=daily is not None and anchor_raise(plan.spec) > 0,
        passes=_pass(rules.steps),
        best_day=any(phase.best_day_ppm is not None for phase in rules.steps),
        phases=len(rules.steps) > 1,
        payouts=_payout_features(rules.payout) if rules.payout else None,
        scaling=rules.scaling is not None,
        excursions=plan.excursions and not (drawdown is None and daily is None),
    )


def _pass(phases: Sequence[Phase]) -> Pass:
    if all(phase.target_minor is None for phase in phases):
        return Pass.NEVER
    minimums = [phase.minimum_days for phase in phases if phase.minimum_days]
    if not minimums:
        return Pass.TARGET
    return Pass.DAYS if all(each.min_profit_minor is None for each in minimums) else Pass.PROFITABLE_DAYS


def _payout_features(payout: Payout) -> PayoutFeatures:
    return PayoutFeatures(
        qualifying_days=payout.minimum_days is not None,
        best_day=payout.best_day_ppm is not None,
        profit_share=payout.profit_share_ppm != MILLION,
        caps=bool(payout.caps_minor),
        splits=any(split != MILLION for split in payout.splits_ppm),
        floor_after=payout.floor_after,
    )


def levels(plan: Plan) -> Levels:
    """The rules' numbers; floors are exclusive."""
    spec = plan.spec
    rules, present = spec.rules, spec.account.balance_minor
    start = rules.starting_balance_minor
    daily = rules.daily_loss
    at_floor = 1 if rules.breach is BreachOperator.AT_OR_BELOW else 0
    allowance, lock, peak_ppm = _drawdown(rules)
    limit = daily.limit_minor if daily else 0
    return Levels(
        start=_level(start - present),
        floor=_level(start - allowance - spec.lowered_minor - present + at_floor),
        lock=_level(BEYOND if lock is None else lock - present + at_floor),
        allowance=_level(0 if peak_ppm is not None else allowance - at_floor),
        allowance_step=_int32(growth.allowance_step(spec, plan.horizon_days)),
        peak_share=_share(peak_ppm, present, at_floor),
        start_floor=_level(start - present + at_floor),
        fresh_trail=_level(start - present if peak_ppm is not None else start - allowance - present + at_floor),
        daily_floor=_level(at_floor - limit),
        first_daily_floor=_level(at_floor - limit + anchor_raise(spec)),
        daily_step=_int32(growth.daily_step(spec, plan.horizon_days)),
        anchor_share=_share(daily.anchor_share_ppm if daily else None, present, at_floor),
        anchor_raise=_level(anchor_raise(spec)),
        phase=_phases(plan),
        last_phase=_int32(len(rules.steps) - 1),
        horizon_days=_int32(plan.horizon_days),
        payout=_payout(rules.payout, present) if rules.payout else None,
        scaling=_scaling(rules, plan.horizon_days),
        opening=_opening(spec, at_floor),
        zero=_int32(0),
    )


def anchor_raise(spec: Spec) -> int:
    """What the first day's anchor is above the balance."""
    daily, account = spec.rules.daily_loss, spec.account
    if daily is None or daily.anchor is DailyAnchor.PRIOR_BALANCE or account.equity_minor is None:
        return 0
    return max(0, account.equity_minor - account.balance_minor)


def _drawdown(rules: Rules) -> tuple[int, int | None, int | None]:
    """Allowance, lock, and the share of the peak that the allowance is."""
    rule = rules.max_drawdown
    return (0, None, None) if rule is None else (rule.allowance_minor, rule.lock_minor, rule.peak_share_ppm)


def _share(ppm: int | None, present: int, at_floor: int) -> Share | None:
    """The floor at this share below z + present, z being what moves, is the highest whole amount that breaches."""
    if ppm is None:
        return None
    whole, rest = divmod(ppm * present, MILLION)
    return Share(ppm=_float64(ppm), whole=_float64(whole - at_floor), rest=_float64(rest + at_floor * (MILLION - 1)))


def _opening(spec: Spec, at_floor: int) -> Opening:
    account, rules = spec.account, spec.rules
    present, payout = account.balance_minor, rules.payout
    peak = spec.present_peak_minor
    made = account.profit_since_payout_minor
    allowance, _, peak_ppm = _drawdown(rules)
    return Opening(
        trail=_level(peak - present if peak_ppm is not None else peak - allowance - present + at_floor),
        qualifying=_level(account.qualifying_days - _needed(_minimum_days(rules, account.phase - 1))),
        best_day=_level(account.best_day_minor),
        phase=_int32(account.phase - 1),
        payouts=_int32(account.payouts),
        payout_day=_int32(-min(account.days_since_payout, payout.every_days if payout else 0)),
        payout_balance=_level(rules.starting_balance_minor - present if made is None else -made),
    )


def _minimum_days(rules: Rules, phase: int) -> MinimumDays | None:
    return rules.payout.minimum_days if rules.payout else rules.steps[phase].minimum_days


def _needed(minimum: MinimumDays | None) -> int:
    return minimum.days if minimum else 0


def _phases(plan: Plan) -> PhaseLevels:
    spec = plan.spec
    rules, account, steps = spec.rules, spec.account, spec.rules.steps
    minimums = [_minimum_days(rules, index) for index in range(len(steps))]
    done = [account.qualifying_days if index == account.phase - 1 else 0 for index in range(len(steps))]
    profits = [each.min_profit_minor if each else None for each in minimums]
    return PhaseLevels(
        target=_entries(_level, [_target(step, account.balance_minor) for step in steps]),
        first_pass_day=_entries(_level, [_needed(each) - days for each, days in zip(minimums, done, strict=True)]),
        qualifying=_entries(_level, [-_needed(each) for each in minimums]),
        min_profit=_entries(_level, [-BEYOND if profit is None else profit for profit in profits]),
        best_day_ppm=_entries(_float64, [NO_SHARE if s.best_day_ppm is None else s.best_day_ppm for s in steps]),
        last_day=_entries(_level, [BEYOND if left is None else left for left in plan.days_left]),
    )


def _target(step: Phase, present: int) -> int:
    return BEYOND if step.target_minor is None else step.target_minor - present


def _payout(payout: Payout, present: int) -> PayoutLevels:
    caps, splits = payout.caps_minor or (BEYOND,), payout.splits_ppm or (MILLION,)
    return PayoutLevels(
        every_days=_int32(payout.every_days),
        best_day_ppm=_float64(NO_SHARE if payout.best_day_ppm is None else payout.best_day_ppm),
        floor=_level(payout.floor_minor - present),
        profit_share_ppm=_int32(payout.profit_share_ppm),
        least=_level(payout.least_minor),
        caps=_ladder(_level, caps),
        splits_ppm=_ladder(_int32, splits),
        most=_int32(MAX_INT32 if payout.max_payouts is None else payout.max_payouts),
    )


def _scaling(rules: Rules, horizon_days: int) -> ScalingLevels | None:
    scaling = rules.scaling
    if scaling is None:
        return None
    return ScalingLevels(
        every_days=_int32(scaling.every_days),
        min_profit=_level(scaling.min_profit_minor),
        most_steps=_int32(scaling.max_steps),
        deposit=_int32(growth.deposit(rules, horizon_days)),
    )


def _entries(kind: Callable[[int], jax.Array], values: Sequence[int]) -> jax.Array:
    """One number, or a ladder with an entry a phase."""
    return kind(values[0]) if len(values) == 1 else _ladder(kind, values)


def _ladder(kind: Callable[[int], jax.Array], rungs: Sequence[int]) -> jax.Array:
    """The entries, the last repeated up to a power of two, so that there are few shapes."""
    size = 1 << (len(rungs) - 1).bit_length()
    return handed(np.stack([kind(rungs[min(index, len(rungs) - 1)]) for index in range(size)]))


def _level(minor: int) -> jax.Array:
    return _int32(max(-BEYOND, min(BEYOND, minor)))


def _int32(value: int) -> jax.Array:
    return handed(np.int32(value))


def _float64(value: int) -> jax.Array:
    return handed(np.float64(value))
