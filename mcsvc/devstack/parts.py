"""What the stack is made of: a part starts on its own thread and yields the environment variables that name it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from mcsvc.config_values import Malformed
from mcsvc.devstack.errors import StackError
from mcsvc.devstack.ports import answers
from mcsvc.devstack.run import Run

Environment = Mapping[str, str]
T = TypeVar("T")

_HTTPS_PORT = 443


class Part(Protocol):
    """A server of the stack. `title` is for people; `needs` names the parts that must be ready before it starts."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def needs(self) -> tuple[str, ...]: ...

    def start(self, run: Run, given: Environment) -> Environment:
        """Start and wait until ready; `given` is what the needed parts yielded. Raises StackError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """A real server named by a variable of the caller's environment, in place of an embedded part."""

    name: str
    title: str
    variable: str
    default_port: int
    needs: tuple[str, ...] = ()

    def start(self, run: Run, given: Environment) -> Environment:
        """Check that it can be reached; of several that are listed, one."""
        del run, given
        listed = os.environ[self.variable]
        if "@" in listed:  # it is shown
            raise StackError(f"{self.variable} holds '@': give the address alone, without user or password.")
        if not any(answers(port, host, timeout_s=5) for host, port in self._addresses(listed)):
            raise StackError(f"{self.title}: nothing answers at {listed}. {unset(self.variable)}")
        return {self.variable: listed}

    def _addresses(self, listed: str) -> list[tuple[str, int]]:
        try:
            return [_host_and_port(address.strip(), self.default_port) for address in listed.split(",")]
        except ValueError:
            given = f"{self.variable} does not name a server"
            raise StackError(f"{given}: give host:port or a URL with a host in it.") from None


def _host_and_port(address: str, default_port: int) -> tuple[str, int]:
    """Of a URL, or of `host:port`. Raises ValueError for a port that is none."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    port = parts.port or (_HTTPS_PORT if parts.scheme == "https" else default_port)
    return parts.hostname or "localhost", port


def is_named(variable: str) -> bool:
    """True if the caller's environment names a real server."""
    return bool(os.environ.get(variable))


def checked(variable: str, read: Callable[[str], T], given: str) -> T:
    """What the service will make of a variable. Raises StackError."""
    try:
        return read(given)
    except Malformed as error:
        raise StackError(f"{variable} {error} {unset(variable)}") from None


def unset(variable: str) -> str:
    """The remedy for a named server that cannot be used."""
    return f"Correct {variable}, or unset it to embed one."
