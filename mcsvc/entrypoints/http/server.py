"""Serves the HTTP application on a thread of its own."""

from __future__ import annotations

import socket
from datetime import timedelta
from threading import Thread
from typing import final

import uvicorn
from starlette.applications import Starlette


@final
class HttpServer:
    """The port is taken at once, so that a port in use stops the start.

    `grace` is what open requests have to end once the server is asked to stop.
    """

    def __init__(self, app: Starlette, *, host: str, port: int, grace: timedelta = timedelta(seconds=5)) -> None:
        self._socket = socket.create_server((host, port), family=_family(host), backlog=512)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=grace.total_seconds(),  # type: ignore[arg-type]  # it takes fractions as well
        )
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._server.run, args=([self._socket],), name="http", daemon=True)

    def start(self) -> None:
        """Take requests."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Take no more; returns at once."""
        self._server.should_exit = True

    def join(self, timeout: timedelta) -> bool:
        """Wait for the end. False if it still runs after this long."""
        if self._thread.ident is not None:
            self._thread.join(timeout.total_seconds())
        self._socket.close()
        return not self._thread.is_alive()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
