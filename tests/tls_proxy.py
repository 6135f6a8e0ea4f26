"""TLS in front of a server that speaks none: what comes in is decrypted and passed on, and back."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select
from threading import Thread

from tests.certificates import Signed

_PIECE = 65536


@contextmanager
def tls_in_front_of(port: int, signed: Signed) -> Iterator[int]:
    """The port on the loopback address where the server of that port is reached over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.certificate, signed.key)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=_serve, args=(listening, context, port), daemon=True).start()
        yield listening.getsockname()[1]


def _serve(listening: socket.socket, context: ssl.SSLContext, port: int) -> None:
    while True:
        try:
            raw, _ = listening.accept()
        except OSError:
            return  # closed
        Thread(target=_pass_on, args=(raw, context, port), daemon=True).start()


def _pass_on(raw: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with (
        raw,
        suppress(OSError),
        context.wrap_socket(raw, server_side=True) as outer,
        socket.create_connection(("127.0.0.1", port)) as inner,
    ):
        while True:
            for ready in select([outer, inner], [], [])[0]:
                piece = ready.recv(_PIECE)
                while ready is outer and outer.pending():
                    piece += outer.recv(_PIECE)
                if not piece:
                    return
                (inner if ready is outer else outer).sendall(piece)
