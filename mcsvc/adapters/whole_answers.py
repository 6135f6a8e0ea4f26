"""Answers over HTTP that come whole within a time, or not at all.

A client's own timeouts are for each piece, of which a slow server sends many, also of its headers. So calls are made on
one loop, which ends one that takes too long wherever it stands, and their callers wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, wait
from datetime import timedelta
from threading import Event, Thread
from typing import final

import httpx

_LOOK_EVERY_S = 0.1
_CLOSE_WITHIN_S = 1.0


@final
class WholeAnswers:
    """Safe to share among threads. `client` is this one's from now on; `within` is for each answer."""

    def __init__(self, client: httpx.AsyncClient, *, within: timedelta) -> None:
        self._client = client
        self._within_s = within.total_seconds()
        self._closed = Event()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="http-client", daemon=True)
        self._thread.start()

    def get(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str], may_go_on: Callable[[], None]
    ) -> httpx.Response:
        """The whole answer. `may_go_on` is called before and while it comes; what it raises ends the call.

        Raises httpx.RequestError.
        """
        may_go_on()
        if self._closed.is_set():
            raise _closed_meanwhile()
        asking = asyncio.run_coroutine_threadsafe(self._get(path, params, headers), self._loop)
        try:
            while not wait([asking], _LOOK_EVERY_S).done:
                may_go_on()
        except BaseException:
            asking.cancel()
            raise
        return _answer_of(asking)

    def close(self) -> None:
        """End the calls under way, the connections and the thread."""
        if self._closed.is_set():
            return
        self._closed.set()
        wait([asyncio.run_coroutine_threadsafe(self._end(), self._loop)], _CLOSE_WITHIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_WITHIN_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def _get(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> httpx.Response:
        try:
            async with asyncio.timeout(self._within_s):
                return await self._client.get(path, params=params, headers=headers)
        except TimeoutError:
            raise httpx.ReadTimeout(f"the answer was not whole within {self._within_s:g} s") from None

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.aclose()


def _answer_of(asked: Future[httpx.Response]) -> httpx.Response:
    try:
        return asked.result()
    except CancelledError:
        raise _closed_meanwhile() from None


def _closed_meanwhile() -> httpx.ReadError:
    return httpx.ReadError("the client was closed meanwhile")
