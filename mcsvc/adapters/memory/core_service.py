"""A Core Service in dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import final

from mcsvc.domain.errors import SubjectNotFound
from mcsvc.domain.subject import Subject, SubjectKind
from mcsvc.ports.core_service import AccountPage, AccountRecord, without_limit
from montecarlo.v1 import trade_pb2


@final
@dataclass(kw_only=True)
class MemoryCoreService:
    """The `CoreService` of unit tests. `faults` are raised by the next calls, one each; None lets a call pass.

    `pieces` are what happens while the answers come: each is done before the caller is asked whether to go on.
    """

    page_size: int = 2
    accounts: dict[Subject, AccountRecord] = field(default_factory=dict)
    histories: dict[Subject, list[trade_pb2.Trade]] = field(default_factory=dict)
    faults: list[Exception | None] = field(default_factory=list)
    pieces: list[Callable[[], None]] = field(default_factory=list)
    calls: int = 0

    def put(self, subject: Subject, record: AccountRecord, trades: Sequence[trade_pb2.Trade]) -> None:
        """Make an account known."""
        self.accounts[subject] = record
        self.histories[subject] = list(trades)

    def account(self, subject: Subject, *, may_go_on: Callable[[], None] = without_limit) -> AccountRecord:
        """The account as it was put."""
        self._call(may_go_on)
        if subject not in self.accounts:
            raise SubjectNotFound(f"No {subject.in_words()} in the Core Service. Check the id.")
        return self.accounts[subject]

    def trades(self, subject: Subject, *, may_go_on: Callable[[], None] = without_limit) -> Sequence[trade_pb2.Trade]:
        """The trades as they were put."""
        self._call(may_go_on)
        if subject not in self.histories:
            raise SubjectNotFound(f"No {subject.in_words()} in the Core Service. Check the id.")
        return self.histories[subject]

    def active_funded_accounts(self, page_token: str) -> AccountPage:
        """Pages of `page_size`, by id. The token is the number of accounts already seen."""
        self._call()
        active = sorted(
            subject.ref
            for subject, record in self.accounts.items()
            if subject.kind is SubjectKind.FUNDED_ACCOUNT and record.status == "ACTIVE"
        )
        start = int(page_token or 0)
        end = start + self.page_size
        return AccountPage(ids=active[start:end], next_page_token=str(end) if end < len(active) else "")

    def ping(self) -> None:
        """Raises the next fault, if there is one."""
        self._call()

    def _call(self, may_go_on: Callable[[], None] = without_limit) -> None:
        may_go_on()
        self.calls += 1
        while self.pieces:
            self.pieces.pop(0)()
            may_go_on()
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
