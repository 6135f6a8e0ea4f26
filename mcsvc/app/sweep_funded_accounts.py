"""Simulate every active funded account that was not simulated lately, page by page."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

from mcsvc.app.trigger_simulation import TriggerRequest, TriggerSimulation
from mcsvc.domain.errors import CoreServiceInvalid, McsvcError, Retryable
from mcsvc.domain.job import Trigger
from mcsvc.domain.subject import Settings, Subject, SubjectKind
from mcsvc.ports.clock import Clock
from mcsvc.ports.core_service import AccountPage, CoreService
from mcsvc.ports.job_store import JobStore
from riskio.numbers import counted

_log = logging.getLogger("mcsvc.sweep")


class SweepHalted(McsvcError):
    """Told to stop before the last page; a sweep for the same time goes on where this one was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """Accounts seen, and what became of them: a job was made; left out, as it was simulated lately or taken by another
    replica's sweep; or refused, as its entry breaks the contract or its job could not be made. The log says which.
    """

    seen: int
    triggered: int
    skipped: int
    refused: int = 0

    def __add__(self, other: SweepReport) -> SweepReport:
        return SweepReport(
            seen=self.seen + other.seen,
            triggered=self.triggered + other.triggered,
            skipped=self.skipped + other.skipped,
            refused=self.refused + other.refused,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFundedAccounts:
    """Safe to repeat and to run on several replicas: each account has one job for each time that was due.

    An account simulated within `fresh_for` is left out. For a job of the schedule itself only half of that counts, back
    from the time that was due: yesterday's sweep may have reached the account hours later in the day than today's will,
    and the account would be simulated every other day.
    """

    core: CoreService
    store: JobStore
    trigger: TriggerSimulation
    clock: Clock
    fresh_for: timedelta = timedelta(hours=24)
    name: str = "funded-accounts"

    def __call__(self, due: datetime, halt: Event) -> SweepReport:
        """Sweep for the time that was due. Call again with the same time to go on after an error.

        Raises:
            SweepHalted: `halt` was set before the last page.
            CoreServiceUnavailable, StoreUnavailable: one of them is away.
            CoreServiceInvalid: a page breaks the contract.
        """
        report = SweepReport(seen=0, triggered=0, skipped=0)
        for page in self._pages():
            if halt.is_set():
                raise SweepHalted(f"Stopped after {counted(report.seen, 'account')}.")
            report += self._sweep_page(page, due)
        return report

    def _pages(self) -> Iterator[AccountPage]:
        token, seen = "", {""}
        while True:
            page = self.core.active_funded_accounts(token)
            yield page
            token = page.next_page_token
            if not token:
                return
            if token in seen:
                raise CoreServiceInvalid(f"next_page_token: {token!r} came before, so the list would never end.")
            seen.add(token)

    def _sweep_page(self, page: AccountPage, due: datetime) -> SweepReport:
        accounts = [Subject(kind=SubjectKind.FUNDED_ACCOUNT, ref=ref) for ref in page.ids]
        since, swept_since = self.clock.now() - self.fresh_for, due - self.fresh_for / 2
        fresh = self.store.simulated_since(accounts, since, swept_since=swept_since)
        made = [self._try_account(account, due) for account in accounts if account not in fresh]
        return SweepReport(
            seen=len(accounts) + len(page.refused),
            triggered=made.count(True),
            skipped=len(accounts) - len(made) + made.count(False),
            refused=len(page.refused) + made.count(None),
        )

    def _try_account(self, account: Subject, due: datetime) -> bool | None:
        """As `_sweep_account`; None if this account alone is at fault. Raises Retryable."""
        try:
            return self._sweep_account(account, due)
        except Retryable:
            raise
        except Exception as error:  # noqa: BLE001 — one account must not keep the others from being simulated
            fields = {"account": account.ref, "error": f"{type(error).__name__}: {error}"}
            _log.warning("sweep_account_refused", extra=fields)
            return None

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
