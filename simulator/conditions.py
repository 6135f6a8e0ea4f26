"""The conditions of a scenario: the same account and history under other stress and other limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor

from simulator.spec import BreachOperator, DailyLoss, MaxDrawdown, Phase, Rules, Scenario, Settings, Spec


def spec_of(spec: Spec, scenario: Scenario) -> Spec:
    """The simulation that a scenario is."""
    return replace(
        spec,
        rules=with_limits(spec.rules, scenario.limits_factor),
        settings=_settings_of(spec.settings, scenario),
    )


def with_limits(rules: Rules, factor: float) -> Rules:
    """The rules with drawdown allowance, daily limit and profit target multiplied; locks are balances and stay.

    The factor is taken as it is written: 0.9 is nine tenths. Amounts are rounded to the side that changes no test.
    """
    if factor == 1:
        return rules
    times = _Times(Fraction(repr(factor)), at_floor=rules.breach is BreachOperator.AT_OR_BELOW)
    start = rules.starting_balance_minor
    return replace(
        rules,
        max_drawdown=times.drawdown(rules.max_drawdown) if rules.max_drawdown else None,
        daily_loss=times.daily_loss(rules.daily_loss) if rules.daily_loss else None,
        target_minor=times.target(rules.target_minor, start),
        phases=tuple(times.phase(phase, start) for phase in rules.phases),
    )


@dataclass(frozen=True, slots=True)
class _Times:
    """Multiplies rules; `at_floor`: a balance at the floor breaches, so that allowances round up."""

    factor: Fraction
    at_floor: bool

    def drawdown(self, rule: MaxDrawdown) -> MaxDrawdown:
        return replace(
            rule,
            allowance_minor=self._allowance(rule.allowance_minor),
            peak_share_ppm=self._share(rule.peak_share_ppm),
        )

    def daily_loss(self, rule: DailyLoss) -> DailyLoss:
        return replace(
            rule,
            limit_minor=self._allowance(rule.limit_minor),
            anchor_share_ppm=self._share(rule.anchor_share_ppm),
        )

    def phase(self, phase: Phase, start: int) -> Phase:
        return replace(phase, target_minor=self.target(phase.target_minor, start))

    def target(self, target: int | None, start: int) -> int | None:
        return None if target is None else start + ceil((target - start) * self.factor)

    def _allowance(self, minor: int) -> int:
        return ceil(minor * self.factor) if self.at_floor else floor(minor * self.factor)

    def _share(self, ppm: int | None) -> int | None:
        """One beyond the whole has its floor below 0, where balances may fall too."""
        return None if ppm is None else max(1, round(ppm * self.factor))


def _settings_of(settings: Settings, scenario: Scenario) -> Settings:
    return replace(settings, stress=scenario.stress or settings.stress, scenarios=())
