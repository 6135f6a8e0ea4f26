"""Jobs, inputs, results and events for tests about anything else."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta

from mcsvc.domain.job import Failure, Job, JobId, OwnerId, Trigger
from mcsvc.domain.subject import Model, Settings, Subject, SubjectKind
from mcsvc.ports.core_service import AccountRecord
from mcsvc.ports.job_store import OutboxEvent, Snapshot, StoredResult
from montecarlo.v1 import rules_pb2, trade_pb2

LEASE = timedelta(minutes=1)
NO_LEASE = timedelta(0)
AT_ONCE = timedelta(0)
ASSESSMENT = Subject(kind=SubjectKind.ASSESSMENT, ref="a-1")
ACCOUNT = Subject(kind=SubjectKind.FUNDED_ACCOUNT, ref="f-1")
FAILURE = Failure(code="ENGINE_UNAVAILABLE", message="The engine broke off; another attempt may succeed.")
SNAPSHOT = Snapshot(data=b"input", digest=hashlib.sha256(b"input").hexdigest())
RESULT = StoredResult(data=b"result", digest=hashlib.sha256(b"result").hexdigest())
RULES = rules_pb2.AccountRules(starting_balance="50000.00")
RECORD = AccountRecord(rules=RULES, state=None, status="ACTIVE")
TRADES = [trade_pb2.Trade(pnl="100.00"), trade_pb2.Trade(pnl="-50.00")]


def new_owner() -> OwnerId:
    """A worker of its own."""
    return OwnerId(uuid.uuid4())


def new_job_id() -> JobId:
    """A job id not used before."""
    return JobId(uuid.uuid4())


def new_job(
    *,
    job_id: JobId | None = None,
    subject: Subject = ASSESSMENT,
    dedup_key: str = "",
    body_digest: str = "body",
    max_attempts: int = 3,
    trigger: Trigger = Trigger.API,
) -> Job:
    """A job to create; the store sets its times."""
    job_id = job_id or new_job_id()
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    return Job(
        id=job_id,
        subject=subject,
        settings=Settings(paths=1000, model=Model.DAY, seed=2**64 - 1, others='{"time_budget_s": 2.5}'),
        trigger=trigger,
        dedup_key=dedup_key or f"unique:{job_id}",
        body_digest=body_digest,
        create_time=long_ago,
        run_after=long_ago,
        max_attempts=max_attempts,
        request_id="r-1",
        trace_parent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


def event_of(job: Job, *, key: str = "") -> OutboxEvent:
    """The event a finished job owes; its id derives from the job's."""
    return OutboxEvent(
        id=f"e-{job.id}", topic="topic", key=key or str(job.id), payload=b"{}", headers={"ce_id": f"e-{job.id}"}
    )
