"""The tally: the same bytes however the paths are cut into chunks and in whatever order these are merged."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import pairwise
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.bins import Binned
from simulator.tally import Finished, Outcome, Tally

FAN_DAYS = 3
CUTS = ((0, 40), (40, 41), (41, 90))
OPTIONAL = ("skipped", "payout", "payouts", "paused_days", "phase")


def finished(n: int, *, seed: int = 1, fan_paths: int = 0) -> Finished:
    rng = np.random.default_rng(seed)
    return Finished(
        outcome=rng.integers(0, 4, n).astype(np.uint8),
        final_pnl=rng.normal(0, 300_000, n).astype(np.int32),
        max_drawdown=rng.integers(0, 500_000, n).astype(np.int32),
        days=rng.integers(1, 60, n).astype(np.int32),
        trades=rng.integers(1, 300, n).astype(np.int32),
        fan=rng.normal(0, 1_000, (FAN_DAYS, fan_paths)).astype(np.int32),
    )


def part(whole: Finished, start: int, stop: int) -> Finished:
    """The paths from start to stop; the first part has the fan."""
    return Finished(
        outcome=whole.outcome[start:stop],
        final_pnl=whole.final_pnl[start:stop],
        max_drawdown=whole.max_drawdown[start:stop],
        days=whole.days[start:stop],
        trades=whole.trades[start:stop],
        fan=whole.fan if start == 0 else whole.fan[:, :0],
    )


@given(st.lists(st.integers(0, 200), max_size=8), st.randoms())
def test_any_chunking_in_any_order_gives_the_same_bytes(cuts: list[int], random: Random) -> None:
    whole = finished(200, fan_paths=120)
    bounds = [0, *sorted({1 + each % 199 for each in cuts}), 200]
    chunks = [Tally.of(part(whole, a, b)) for a, b in pairwise(bounds)]
    random.shuffle(chunks)
    merged = reduce(Tally.merge, chunks, Tally.empty())
    assert merged.to_bytes() == Tally.of(whole).to_bytes()


def test_merging_is_associative_and_has_a_neutral_element() -> None:
    a, b, c = (Tally.of(finished(50, seed=seed)) for seed in (1, 2, 3))
    assert Tally.merge(Tally.merge(a, b), c) == Tally.merge(a, Tally.merge(b, c))
    assert Tally.merge(Tally.empty(), a) == a == Tally.merge(a, Tally.empty())


def test_every_path_is_counted_where_it_belongs() -> None:
    paths = finished(500)
    tally = Tally.of(paths)
    breached = np.isin(paths.outcome, [Outcome.BREACHED_MAX_DRAWDOWN, Outcome.BREACHED_DAILY_LOSS])
    assert (tally.paths, tally.steps) == (500, int(paths.trades.sum()))
    assert tally.outcomes == tuple(int((paths.outcome == outcome).sum()) for outcome in Outcome)
    assert tally.days_to_pass.total == int(paths.days[paths.outcome == Outcome.PASSED].sum())
    assert tally.days_to_breach.total == int(paths.days[breached].sum())
    assert tally.final_pnl.total == int(paths.final_pnl.sum())
    assert tally.max_drawdown.total == int(paths.max_drawdown.sum())
    assert tally.trades_to_end.total == tally.steps
    assert tally.fan is None


def test_serialised_form_is_read_back() -> None:
    tally = Tally.of(finished(300, fan_paths=30))
    assert Tally.from_bytes(tally.to_bytes()) == tally
    assert Tally.from_bytes(Tally.empty().to_bytes()) == Tally.empty()


def with_all_figures(n: int, *, seed: int = 1) -> Finished:
    rng = np.random.default_rng(seed)
    return replace(
        finished(n, seed=seed),
        skipped=rng.integers(0, 5, n).astype(np.int32),
        payout=rng.integers(0, 900_000, n).astype(np.int32),
        payouts=rng.integers(0, 4, n).astype(np.int32),
        paused_days=rng.integers(0, 9, n).astype(np.int32),
        phase=rng.integers(0, 3, n).astype(np.int32),
        phases=3,
    )


def test_figures_of_rules_that_are_on_are_counted_merged_and_read_back() -> None:
    paths = with_all_figures(400)
    assert paths.skipped is not None
    assert paths.payout is not None
    assert paths.payouts is not None
    assert paths.paused_days is not None
    tally = Tally.of(paths)
    assert tally.steps == int(paths.trades.sum() + paths.skipped.sum())
    assert tally.trades_to_end.total == int(paths.trades.sum())
    assert [tally.payout.total, tally.payouts.total, tally.paused_days.total] == [
        int(values.sum()) for values in (paths.payout, paths.payouts, paths.paused_days)
    ]
    assert Tally.from_bytes(tally.to_bytes()) == tally
    parts = [Tally.of(cut_all(paths, a, b)) for a, b in ((250, 400), (0, 100), (100, 250))]
    assert reduce(Tally.merge, parts, Tally.empty()).to_bytes() == tally.to_bytes()


def cut_all(whole: Finished, start: int, stop: int) -> Finished:
    optional = {name: getattr(whole, name)[start:stop] for name in OPTIONAL}
    return replace(part(whole, start, stop), phases=whole.phases, **optional)


def test_a_phase_is_reached_by_those_that_passed_the_one_before() -> None:
    paths = with_all_figures(300)
    tally, last, passed = Tally.of(paths), paths.phase, paths.outcome == Outcome.PASSED
    assert last is not None
    for number, phase in enumerate(tally.phases):
        assert phase.reached == int((last >= number).sum())
        assert phase.passed == int((last > number).sum() + (passed & (last == number)).sum())


def test_figures_of_rules_that_are_off_are_empty() -> None:
    tally = Tally.of(finished(10))
    assert (tally.payout.count, tally.payouts.count, tally.paused_days.count, tally.phases) == (0, 0, 0, ())


def test_tallies_of_other_phases_are_refused() -> None:
    paths = with_all_figures(10)
    assert paths.phase is not None
    fewer = replace(paths, phase=np.minimum(paths.phase, 1), phases=2)
    with pytest.raises(ValueError, match="different phases"):
        Tally.merge(Tally.of(paths), Tally.of(fewer))


def test_parts_joined_before_they_are_counted_give_the_same_bytes() -> None:
    whole = replace(with_all_figures(90), fan=finished(90, fan_paths=20).fan)
    parts = [replace(cut_all(whole, a, b), fan=whole.fan[:, :20] if a == 0 else whole.fan[:, :0]) for a, b in CUTS]
    assert Tally.of(Finished.joined(parts)).to_bytes() == Tally.of(whole).to_bytes()
    assert Tally.of(*parts).to_bytes() == Tally.of(whole).to_bytes()


def test_bins_that_are_known_already_change_nothing() -> None:
    paths = finished(2_000)
    known = replace(paths, pnl_bins=bins_of(paths.final_pnl), drawdown_bins=bins_of(paths.max_drawdown))
    assert Tally.of(known).to_bytes() == Tally.of(paths).to_bytes()
    halves = [
        replace(known, **{name: half_of(name, known, a, b) for name in COLUMNS}) for a, b in ((0, 900), (900, 2_000))
    ]
    assert Finished.joined(halves).pnl_bins is not None
    assert Tally.of(*halves).to_bytes() == Tally.of(Finished.joined(halves)).to_bytes() == Tally.of(paths).to_bytes()


COLUMNS = ("outcome", "final_pnl", "max_drawdown", "days", "trades", "pnl_bins", "drawdown_bins")


def half_of(name: str, paths: Finished, start: int, stop: int) -> object:
    whole = getattr(paths, name)
    return Binned(*(each[start:stop] for each in whole)) if isinstance(whole, Binned) else whole[start:stop]


def bins_of(values: npt.NDArray[np.int32]) -> Binned:
    """As the module of the histogram defines them."""
    shifts = [max(0, abs(value).bit_length() - 11) for value in values.tolist()]
    pairs = list(zip(values.tolist(), shifts, strict=True))
    keys = [(1 if value >= 0 else -1) * (1024 * shift + (abs(value) >> shift)) for value, shift in pairs]
    return Binned(np.array(keys, np.int32), np.array([abs(value) % (1 << shift) for value, shift in pairs], np.int32))


def test_two_fans_are_refused() -> None:
    one, other = (Tally.of(finished(10, fan_paths=10, seed=seed)) for seed in (1, 2))
    with pytest.raises(ValueError, match="different blocks"):
        Tally.merge(one, other)


@pytest.mark.parametrize("damage", [b"", b"MCT0", b"MCT2", b"MCT2" + bytes(20)])
def test_damaged_bytes_are_refused_with_the_remedy(damage: bytes) -> None:
    with pytest.raises(ValueError, match="start again without the checkpoint"):
        Tally.from_bytes(damage)


@pytest.mark.parametrize("cut", [3, 400])
def test_a_tally_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="cut short"):
        Tally.from_bytes(Tally.of(finished(30, fan_paths=5)).to_bytes()[:-cut])
