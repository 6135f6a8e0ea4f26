"""The running stack: its parts started side by side, each as soon as what it needs is ready, and ended in any case."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

from mcsvc.devstack.parts import Environment, Part
from mcsvc.devstack.ports import LOOPBACK
from mcsvc.devstack.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A part that is ready, how long it took by itself, and the environment variables that name it."""

    part: Part
    seconds: float
    environment: Environment


Observer = Callable[[Ready], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """See the module. `startup_s` is the time from the first start until all was ready."""

    run: Run
    environment: Environment
    startup_s: float

    @property
    def grpc_target(self) -> str:
        """host:port of the gRPC API."""
        return f"{LOOPBACK}:{self.environment['GRPC_PORT']}"

    @property
    def http_url(self) -> str:
        """Base of the HTTP API."""
        return f"http://{LOOPBACK}:{self.environment['PORT']}"

    def check(self) -> None:
        """Raises PartFailed if a part has ended."""
        self.run.check()


@contextmanager
def running(parts: Sequence[Part], on_ready: Observer) -> Iterator[Stack]:
    """Start the parts, and on the way out end every process, whatever happened.

    Raises:
        StackError: a part did not start. For any error the logs are kept; a note at the error says where.
    """
    run = Run()
    keep_logs = False
    try:
        yield _start(run, parts, on_ready)
    except Exception as error:
        keep_logs = run.has_logs()
        if keep_logs:
            error.add_note(f"The logs are kept in {run.directory}.")
        raise
    finally:
        run.close(keep_logs=keep_logs)


def _start(run: Run, parts: Sequence[Part], on_ready: Observer) -> Stack:
    began = time.monotonic()
    started: dict[str, Future[Ready]] = {}
    environment: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=len(parts), thread_name_prefix="start") as pool:
        try:
            for part in parts:
                needed = [started[name] for name in part.needs]
                started[part.name] = pool.submit(_start_part, run, part, needed)
            for future in as_completed(started.values()):
                ready = future.result()
                environment.update(ready.environment)
                on_ready(ready)
        except BaseException:
            run.stop.set()  # so that the threads the pool waits for give up
            raise
    return Stack(run=run, environment=environment, startup_s=time.monotonic() - began)


def _start_part(run: Run, part: Part, needed: Sequence[Future[Ready]]) -> Ready:
    given: dict[str, str] = {}
    for future in needed:
        given.update(future.result().environment)
    began = time.monotonic()
    environment = part.start(run, given)
    return Ready(part=part, seconds=time.monotonic() - began, environment=environment)
