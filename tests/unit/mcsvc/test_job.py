"""The life of a job: legal moves, illegal moves, waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsvc.domain import job as moves
from mcsvc.domain.errors import IllegalMove
from mcsvc.domain.job import MOST_CHARACTERS, Failure, Job, Progress, State, Timing
from tests.job_samples import FAILURE, new_job, new_owner

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OWNER = new_owner()
MOVES: dict[str, Callable[[Job], Job]] = {
    "claim": lambda job: moves.claim(job, OWNER, NOW),
    "succeed": lambda job: moves.succeed(job, result_digest="r", timing=Timing(), now=NOW),
    "retry": lambda job: moves.retry(job, FAILURE, run_after=NOW),
    "fail": lambda job: moves.fail(job, FAILURE, now=NOW),
    "hand_back": lambda job: moves.hand_back(job, now=NOW),
    "cancel": lambda job: moves.cancel(job, now=NOW),
}
LEGAL = {
    (State.PENDING, "claim"): State.RUNNING,
    (State.PENDING, "cancel"): State.CANCELLED,
    (State.RUNNING, "succeed"): State.SUCCEEDED,
    (State.RUNNING, "retry"): State.PENDING,
    (State.RUNNING, "fail"): State.FAILED,
    (State.RUNNING, "hand_back"): State.PENDING,
    (State.RUNNING, "cancel"): State.CANCELLED,
    (State.CANCELLED, "cancel"): State.CANCELLED,
}


def job_in(state: State) -> Job:
    job = new_job()
    if state is State.PENDING:
        return job
    running = moves.claim(job, OWNER, NOW)
    made = {
        State.RUNNING: running,
        State.SUCCEEDED: MOVES["succeed"](running),
        State.FAILED: MOVES["fail"](running),
        State.CANCELLED: MOVES["cancel"](running),
    }
    return made[state]


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("state", State)
def test_only_the_moves_of_the_diagram_are_legal(state: State, name: str) -> None:
    job = job_in(state)
    if (state, name) in LEGAL:
        assert MOVES[name](job).state is LEGAL[state, name]
    else:
        with pytest.raises(IllegalMove, match=str(job.id)):
            MOVES[name](job)


@pytest.mark.parametrize("state", State)
def test_only_a_running_job_has_an_owner_and_a_term(state: State) -> None:
    job = job_in(state)
    assert (job.owner is not None) == (state is State.RUNNING)
    if state is State.RUNNING:
        assert moves.term_of(job) == moves.Term(job_id=job.id, owner=OWNER, attempt=1)
    else:
        with pytest.raises(IllegalMove, match="only a running job"):
            moves.term_of(job)


def test_the_last_attempt_can_fail_but_not_be_retried() -> None:
    last = moves.claim(new_job(max_attempts=1), OWNER, NOW)
    assert not moves.attempts_left(last)
    with pytest.raises(IllegalMove, match="no attempt of 1 is left"):
        moves.retry(last, FAILURE, run_after=NOW)
    assert moves.fail(last, FAILURE, now=NOW).failure == FAILURE


def test_a_handed_back_attempt_is_not_counted() -> None:
    running = moves.claim(new_job(max_attempts=1), OWNER, NOW)
    assert moves.claim(moves.hand_back(running, now=NOW), OWNER, NOW).attempt == 1


def test_a_new_attempt_starts_with_no_progress_and_its_own_queue_time() -> None:
    job = replace(new_job(), create_time=NOW - timedelta(seconds=90), progress=Progress(paths_done=1, paths_total=2))
    claimed = moves.claim(job, OWNER, NOW)
    assert (claimed.progress, claimed.start_time, claimed.timing.queued_s) == (Progress(), NOW, 90.0)


@given(attempt=st.integers(1, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_waits_double_up_to_a_cap_and_jitter_spreads_only_their_upper_half(attempt: int, jitter: float) -> None:
    base, cap = timedelta(seconds=2), timedelta(minutes=1)
    full = min(base * 2 ** min(attempt - 1, 20), cap)
    wait = moves.backoff(attempt, base=base, cap=cap, jitter=jitter)
    assert full / 2 <= wait <= full


@given(st.text(st.characters(codec=None)))
def test_the_words_of_a_failure_can_be_stored_and_those_that_could_be_are_as_they_were(words: str) -> None:
    message = Failure(code="X", message=words).message
    assert "\0" not in message
    assert message.encode().decode() == message
    if "\0" not in words and not any("\ud800" <= letter <= "\udfff" for letter in words):
        assert message == words


def test_what_cannot_be_stored_of_a_failure_is_kept_as_its_escape() -> None:
    assert Failure(code="X", message="a\0b\ud800").message == r"a\x00b\ud800"


@pytest.mark.parametrize("length", [MOST_CHARACTERS, MOST_CHARACTERS + 1, 3_000_000])
def test_of_long_words_the_beginning_and_the_end_are_kept_and_stay_as_they_are(length: int) -> None:
    message = Failure(code="X", message="trade: " + "9" * (length - 13) + " wrong").message
    assert len(message) <= MOST_CHARACTERS
    assert message.startswith("trade: 99")
    assert message.endswith("99 wrong")
    assert ("characters left out" in message) is (length > MOST_CHARACTERS)
    assert Failure(code="X", message=message).message == message
