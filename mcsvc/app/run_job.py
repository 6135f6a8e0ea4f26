"""Run one claimed job to the end of its attempt: a result, a retry, a failure, or nothing if its term is over.

`docs/jobs.md` has the protocol and the failure cases.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from mcsvc.app import metrics
from mcsvc.app.events import completed_event, failed_event
from mcsvc.app.failures import Verdict, verdict_of, without_words
from mcsvc.app.patience import patiently
from mcsvc.app.run_attempt import Outcome, RunAttempt
from mcsvc.app.run_policy import RunPolicy
from mcsvc.app.snapshot import store_form
from mcsvc.app.tracing import job_span, mark_failed
from mcsvc.domain.errors import LeaseLost, StoreUnavailable
from mcsvc.domain.job import Job, Term, attempts_left, term_of
from mcsvc.ports.clock import Clock
from mcsvc.ports.core_service import CoreService
from mcsvc.ports.job_store import JobStore, OutboxEvent
from mcsvc.ports.simulator import Simulator

T = TypeVar("T")
_log = logging.getLogger("mcsvc.jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob:
    """See the module."""

    store: JobStore
    core: CoreService
    simulator: Simulator
    clock: Clock
    policy: RunPolicy

    def __call__(self, job: Job, halt: Event, stopping: Event) -> bool:
        """Blocks. False if something that other jobs will need too was away. Never raises for what an attempt can meet.

        `halt` ends the run: its term is over or, if `stopping` was set before it, the process is going down and the
        job is handed back.
        """
        with job_span(job):
            try:
                return self._attempt(job, halt, stopping)
            except LeaseLost:
                metrics.attempt_dropped(job, reason="lost")
                _log.warning("job_lease_lost", extra=_fields(job))
            except StoreUnavailable as error:
                metrics.attempt_dropped(job, reason="abandoned")
                _log.error("job_abandoned", extra={**_fields(job), "reason": str(error)})
                return False
        return True

    def _attempt(self, job: Job, halt: Event, stopping: Event) -> bool:
        attempt = RunAttempt(
            store=self.store, core=self.core, simulator=self.simulator, clock=self.clock, policy=self.policy
        )
        try:
            outcome = attempt(job, halt)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 — whatever it is, the job must not be lost over it
            if not halt.is_set():
                return self._fall(job, error, halt)
            self._give_up(job, halt, stopping)
        else:
            self._succeed(job, outcome, halt)
        return True

    def _succeed(self, job: Job, outcome: Outcome, halt: Event) -> None:
        result = store_form(outcome.result)

        def event_of(finished: Job) -> OutboxEvent:
            return completed_event(finished, outcome.result.outcomes)

        self._move(job, lambda term: self.store.succeed(term, result, outcome.timing, event_of), halt)
        metrics.attempt_succeeded(job, outcome.timing)
        seconds = {"fetch_s": outcome.timing.fetch_s, "simulate_s": outcome.timing.simulate_s}
        _log.info("job_succeeded", extra={**_fields(job), **seconds})

    def _fall(self, job: Job, error: Exception, halt: Event) -> bool:
        verdict = verdict_of(error)
        try:
            return self._fall_with(job, error, verdict, halt)
        except (LeaseLost, StoreUnavailable):
            raise
        except Exception as refusal:  # noqa: BLE001 — a job must not run again and again over the words of its failure
            _log.error("job_failure_not_stored", extra={**_fields(job), "code": verdict.failure.code}, exc_info=refusal)
            return self._fall_with(job, error, without_words(verdict), halt)

    def _fall_with(self, job: Job, error: Exception, verdict: Verdict, halt: Event) -> bool:
        moved = self._move(job, lambda term: self._after(job, term, verdict), halt)
        mark_failed(verdict.failure)
        metrics.attempt_failed(moved, verdict.failure)
        if not verdict.foreseen:
            _log.error("job_attempt_broke", extra=_fields(job), exc_info=error)
        fields = {**_fields(job), "code": verdict.failure.code, "reason": verdict.failure.message}
        _log.warning("job_failed" if moved.state.final else "job_retried", extra=fields)
        return not verdict.away

    def _after(self, job: Job, term: Term, verdict: Verdict) -> Job:
        now = self.store.now()
        delay = self.policy.delay_after(job.attempt, at_least=verdict.retry_after)
        if verdict.away and now - job.create_time < self.policy.outage_patience:
            return self.store.put_off(term, verdict.failure, delay=delay)
        if verdict.worth_retrying and attempts_left(job):
            return self.store.retry(term, verdict.failure, delay=delay)
        return self.store.fail(term, verdict.failure, failed_event)

    def _give_up(self, job: Job, halt: Event, stopping: Event) -> None:
        if not stopping.is_set():
            raise LeaseLost(f"Job {job.id} was cancelled or taken over during attempt {job.attempt}.")
        self._move(job, self.store.hand_back, halt)
        metrics.attempt_dropped(job, reason="handed_back")
        _log.info("job_handed_back", extra=_fields(job))

    def _move(self, job: Job, move: Callable[[Term], Job], halt: Event) -> Job:
        return patiently(lambda: move(term_of(job)), clock=self.clock, policy=self.policy, halt=halt)


def _fields(job: Job) -> dict[str, object]:
    return {"job_id": str(job.id), "attempt": job.attempt, "trigger": job.trigger.value}
