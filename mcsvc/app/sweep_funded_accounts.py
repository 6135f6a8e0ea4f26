"""Simulate every active funded account that was not simulated lately, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mcsvc.app.trigger_simulation import TriggerRequest, TriggerSimulation
from mcsvc.domain.job import Trigger
from mcsvc.domain.subject import Settings, Subject, SubjectKind
from mcsvc.ports.clock import Clock
from mcsvc.ports.core_service import CoreService
from mcsvc.ports.job_store import JobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """Accounts seen, jobs made, and accounts left out: simulated lately, or taken by another replica's sweep."""

    seen: int
    triggered: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFundedAccounts:
    """Safe to repeat and to run on several replicas: each account has one job for each time that was due.

    Yesterday's sweep reached an account some minutes earlier or later in its run than today's will. `drift` is taken
    off `fresh_for`, else a job of 23 h 59 min ago would leave the account out: it would be simulated every other day.
    """

    core: CoreService
    store: JobStore
    trigger: TriggerSimulation
    clock: Clock
    fresh_for: timedelta = timedelta(hours=24)
    drift: timedelta = timedelta(hours=1)
    name: str = "funded-accounts"

    def __call__(self, due: datetime) -> SweepReport:
        """Raises CoreServiceUnavailable, StoreUnavailable: call again with the same time to go on."""
        since = self.clock.now() - self.fresh_for + min(self.drift, self.fresh_for / 2)
        seen = triggered = 0
        token = ""
        while True:
            page = self.core.active_funded_accounts(token)
            seen += len(page.ids)
            triggered += self._sweep_page(page.ids, due, since)
            token = page.next_page_token
            if not token:
                return SweepReport(seen=seen, triggered=triggered, skipped=seen - triggered)

    def _sweep_page(self, ids: Sequence[str], due: datetime, since: datetime) -> int:
        accounts = [Subject(kind=SubjectKind.FUNDED_ACCOUNT, ref=ref) for ref in ids]
        fresh = self.store.simulated_since(accounts, since)
        return sum(self._sweep_account(account, due) for account in accounts if account not in fresh)

    def _sweep_account(self, account: Subject, due: datetime) -> bool:
        """True if a job was made."""
        _, made = self.trigger.once(
            TriggerRequest(
                subject=account,
                settings=Settings(),
                trigger=Trigger.SCHEDULE,
                dedup_key=f"schedule:{self.name}:{account.ref}:{due.isoformat(timespec='minutes')}",
            )
        )
        return made
