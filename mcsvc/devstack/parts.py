"""What the stack is made of: a part starts on its own thread and yields the environment variables that name it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from mcsvc.devstack.errors import StackError
from mcsvc.devstack.ports import answers
from mcsvc.devstack.run import Run

Environment = Mapping[str, str]


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
    """A real server named by the caller's environment, in place of an embedded part."""

    name: str
    title: str
    variables: tuple[str, ...]
    default_port: int
    port_variable: str = ""
    needs: tuple[str, ...] = ()

    def start(self, run: Run, given: Environment) -> Environment:
        """Check that it can be reached, and hand on the variables that name it."""
        del run, given
        host, port = self._address()
        if not answers(port, host, timeout_s=5):
            remedy = f"Correct {self.variables[0]}, or unset it to embed one."
            raise StackError(f"{self.title}: nothing answers at {host}:{port}. {remedy}")
        return {name: os.environ[name] for name in self.variables if name in os.environ}

    def _address(self) -> tuple[str, int]:
        """Host and port, from a URL, the first of a list of `host:port`, or a host with its port in a variable."""
        name = self.variables[0]
        first = os.environ[name].split(",")[0]
        try:
            parts = urlsplit(first if "://" in first else f"//{first}")
            port = parts.port or int(os.environ.get(self.port_variable) or self.default_port)
        except ValueError:
            raise StackError(f"{name} does not name a server: give host:port or a URL with a host in it.") from None
        return parts.hostname or "localhost", port


def is_named(variable: str) -> bool:
    """True if the caller's environment names a real server."""
    return bool(os.environ.get(variable))
