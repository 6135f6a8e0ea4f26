"""The firm's system of record for assessments, funded accounts and trades (docs/core-service.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mcsvc.domain.subject import Subject
from montecarlo.v1 import rules_pb2, trade_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """The rules an account is traded under and where it stands; `state` is None for a fresh account.

    `status` is the Core Service's own word: PASSED, FAILED … of an assessment, ACTIVE, CLOSED … of a funded account.
    """

    rules: rules_pb2.AccountRules
    state: rules_pb2.AccountState | None
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """One page of funded account ids; an empty token says it was the last.

    `refused` says what is wrong with each entry that breaks the contract and so is left out.
    """

    ids: Sequence[str]
    next_page_token: str
    refused: Sequence[str] = ()


def without_limit() -> None:
    """A `may_go_on` of who can wait for as long as it takes."""


class CoreService(Protocol):
    """See the module.

    Every method raises CoreServiceUnavailable, and CoreServiceInvalid for data that breaks the contract.
    `may_go_on` is called before each request and while its answer comes; what it raises ends the call.
    """

    def account(self, subject: Subject, *, may_go_on: Callable[[], None] = without_limit) -> AccountRecord:
        """Raises SubjectNotFound."""
        ...

    def trades(self, subject: Subject, *, may_go_on: Callable[[], None] = without_limit) -> Sequence[trade_pb2.Trade]:
        """The whole history, all pages, by close time. Raises SubjectNotFound."""
        ...

    def active_funded_accounts(self, page_token: str) -> AccountPage:
        """One page of the active funded accounts; "" asks for the first."""
        ...

    def ping(self) -> None:
        """Raises CoreServiceUnavailable unless the service answers."""
        ...
