"""What a client of Kafka hears of its connections, in words with a remedy.

librdkafka tells a caller only that no broker answers. Why that is, it tells its error callback: that is kept here. It
says the same several times a second, as long as it lasts; that is let through once a minute.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from mcsvc.domain.errors import EventBusUnavailable

_AGAIN_S = 60.0
TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
_DENIED = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
# librdkafka's own errors, which are public, begin with an underscore.
_LOGIN_FAILED = frozenset(
    {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError.UNSUPPORTED_SASL_MECHANISM}  # noqa: SLF001 — see above
)
_TLS_FAILED = KafkaError._SSL  # noqa: SLF001 — see above
_ALL_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 — see above
_NO_ANSWER = frozenset(
    {_ALL_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._MSG_TIMED_OUT, KafkaError._RESOLVE}  # noqa: SLF001 — see above
)
_NO_TOPIC = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})  # noqa: SLF001 — see above
_UNREACHED = (
    "Check KAFKA_BROKERS, that KAFKA_SECURITY_PROTOCOL is what these listeners speak, and KAFKA_CERTIFICATE_FILE if "
    "they ask for one."
)
_LOGIN = "Check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM."
_TLS = (
    "Check KAFKA_CA_FILE, that KAFKA_BROKERS are the names in the brokers' certificates, KAFKA_SECURITY_PROTOCOL, and "
    "KAFKA_CERTIFICATE_FILE if the brokers ask for one."
)
_RIGHTS = "Give this user the rights that docs/deployment.md lists."
_TOPIC = "Make the topic."
_SIZE = "Raise the topic's max.message.bytes."
_PASSES = "librdkafka goes on by itself; if this lasts, look at the brokers' log."
_REMEDIES = {
    code: words
    for codes, words in ((_DENIED, _RIGHTS), (TOO_LARGE, _SIZE), (_NO_TOPIC, _TOPIC), (_NO_ANSWER, _UNREACHED))
    for code in codes
}


def remedy(error: KafkaError) -> str:
    """What to do about an error."""
    if _login_refused(error):
        return _LOGIN
    if _tls_refused(error):
        return _TLS
    return _REMEDIES.get(error.code(), _PASSES)


@final
class _Repeats:
    """What was said in the last minute; `monotonic` tells the time, in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until: dict[str, float] = {}

    def is_news(self, words: str) -> bool:
        """True if these were not said in it; they now are."""
        now = self._monotonic()
        if now < self._until.get(words, now):
            return False
        self._until = {each: until for each, until in self._until.items() if now < until} | {words: now + _AGAIN_S}
        return True


@final
class _OnceAMinute(logging.Filter):
    """Drops repeated lines."""

    def __init__(self) -> None:
        super().__init__()
        self._repeats = _Repeats(time.monotonic)

    def filter(self, record: logging.LogRecord) -> bool:
        """True if the line is let through."""
        return self._repeats.is_news(_without_time(record.getMessage()))


LOGGER = logging.getLogger("mcsvc.librdkafka")
"""For librdkafka's own lines."""
LOGGER.addFilter(_OnceAMinute())


@final
class Troubles:
    """The last that was heard, until a broker answers. `hear` is called from any thread."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._last: KafkaError | None = None
        self._repeats = _Repeats(monotonic)

    def hear(self, error: KafkaError) -> bool:
        """Keep it. True if it is worth saying."""
        if error.code() != _ALL_DOWN or self._last is None:  # that comes after the reason
            self._last = error
        return self._repeats.is_news(_without_time(error.str()))

    def forget(self) -> None:
        """A broker has answered."""
        self._last = None

    def refused(self) -> bool:
        """True if a broker was reached, and waiting for it will not help: login or TLS failed."""
        return self._last is not None and (_login_refused(self._last) or _tls_refused(self._last))

    def why(self, error: KafkaError | None = None) -> str:
        """What went wrong and what to do, where a caller was told this, or nothing."""
        silent = error is None or error.code() in _NO_ANSWER
        known = self._last or error if silent else error
        if known is None or known.code() == _ALL_DOWN:  # whose words count brokers that are not there
            return _UNREACHED
        return f"{_without_time(known.str())}. {remedy(known)}"


def ask(
    client: Producer | Consumer, troubles: Troubles, *, within_s: float, topic: str | None = None
) -> dict[str, list[int]]:
    """The partitions of a topic, or of all topics. Raises EventBusUnavailable, which says why."""
    try:
        known = client.list_topics(topic, timeout=within_s).topics
    except KafkaException as error:
        client.poll(0)  # calls back with the reason
        what = "lets us in" if troubles.refused() else "answers"
        raise EventBusUnavailable(f"No Kafka broker {what}: {troubles.why(error.args[0])}") from error
    troubles.forget()
    denied = next((each.error for each in known.values() if each.error and each.error.code() in _DENIED), None)
    if topic is not None and denied is not None:
        raise EventBusUnavailable(f"{topic} is not to be read: {troubles.why(denied)}")
    return {name: list(each.partitions) for name, each in known.items()}


def _login_refused(error: KafkaError) -> bool:
    return error.code() in _LOGIN_FAILED


def _tls_refused(error: KafkaError) -> bool:
    return error.code() == _TLS_FAILED or "SSL" in error.str()


def _without_time(words: str) -> str:
    """Without an end that differs from time to time: "(after 310ms in state AUTH_REQ)"."""
    return words.partition(" (after ")[0]
