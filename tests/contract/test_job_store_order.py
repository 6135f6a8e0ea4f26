"""What every job store promises of who goes first: by trigger or by age, whoever claims."""

from __future__ import annotations

import pytest

from mcsvc.domain.job import Job, JobId, State, Trigger, term_of
from mcsvc.ports.job_store import JobStore
from tests.contract.job_steps import created, due
from tests.job_samples import LEASE, new_job, new_owner

API, EVENT, SWEEP = Trigger.API, Trigger.ASSESSMENT_COMPLETED, Trigger.SCHEDULE


def ids_of(*claimed: list[Job]) -> list[JobId]:
    return [job.id for jobs in claimed for job in jobs]


@pytest.mark.parametrize("limits", [(6,), (1, 1, 1, 1, 1, 1), (3, 9)])
def test_calls_go_before_events_and_these_before_sweeps_and_of_each_the_longest_due_first(
    store: JobStore, limits: tuple[int, ...]
) -> None:
    old_sweep, sweep, event, old_event, call, old_call = due(
        store, (SWEEP, 90), (SWEEP, 60), (EVENT, 30), (EVENT, 50), (API, 1), (API, 2)
    )
    claimed = [store.claim_next(new_owner(), limit=limit, lease=LEASE) for limit in limits]
    assert [len(some) for some in claimed] == [min(limit, 6 - sum(limits[:n])) for n, limit in enumerate(limits)]
    assert ids_of(*claimed) == [old_call, call, old_event, event, old_sweep, sweep]


@pytest.mark.parametrize("limits", [(4,), (1, 1, 1, 1), (2, 9)])
def test_by_age_the_longest_due_goes_first_whatever_made_it(store: JobStore, limits: tuple[int, ...]) -> None:
    call, sweep, event, old_call = due(store, (API, 1), (SWEEP, 60), (EVENT, 30), (API, 90))
    claimed = [store.claim_longest_due(new_owner(), limit=limit, lease=LEASE) for limit in limits]
    assert ids_of(*claimed) == [old_call, sweep, event, call]


def test_a_call_that_is_put_off_keeps_no_sweep_waiting(store: JobStore) -> None:
    put_off, sweep, old_sweep = due(store, (API, -60), (SWEEP, 1), (SWEEP, 2))
    assert ids_of(store.claim_next(new_owner(), limit=1, lease=LEASE)) == [old_sweep]
    assert ids_of(store.claim_longest_due(new_owner(), limit=9, lease=LEASE)) == [sweep]
    assert store.claim_next(new_owner(), limit=9, lease=LEASE) == []
    assert store.get(put_off).state is State.PENDING


@pytest.mark.parametrize("trigger", Trigger)
def test_either_claim_takes_jobs_of_every_trigger_and_starts_the_same_term(store: JobStore, trigger: Trigger) -> None:
    jobs = [created(store, new_job(trigger=trigger)) for _ in range(2)]
    owner = new_owner()
    claimed = store.claim_next(owner, limit=1, lease=LEASE) + store.claim_longest_due(owner, limit=9, lease=LEASE)
    assert sorted(ids_of(claimed)) == sorted(ids_of(jobs))
    for mine in claimed:
        assert (mine.state, mine.owner, mine.attempt) == (State.RUNNING, owner, 1)
        assert store.get(mine.id) == mine
    assert store.renew([term_of(mine) for mine in claimed], lease=LEASE) == {term_of(mine) for mine in claimed}
    assert store.claim_longest_due(owner, limit=9, lease=LEASE) == []


def test_a_claim_of_none_takes_none(store: JobStore) -> None:
    due(store, (API, 1), (SWEEP, 1))
    assert store.claim_next(new_owner(), limit=0, lease=LEASE) == []
    assert store.claim_longest_due(new_owner(), limit=0, lease=LEASE) == []
