"""Listening: a socket, uvicorn on it, and connections that do not stay open for nothing."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, Final

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from roadlift.errors import OutputError
from roadlift.server.app import create_app
from roadlift.server.options import ServerOptions

MOST_CONNECTIONS: Final = 1000
HEADER_SECONDS: Final = 20.0
KEEP_ALIVE_SECONDS: Final = 15
GRACE_SECONDS: Final = 3
HEADER_BYTES: Final = 32 * 1024


def serve(options: ServerOptions, *, ready: Callable[[str], None]) -> None:
    """Serve until the process is told to end (SIGINT or SIGTERM).

    Args:
        options: what the server may be told.
        ready: called with the URL once the address is ours.

    Raises:
        OutputError: The address cannot be listened on, or the data folder not be used.
        UsageError, ModelError: A model or the data folder cannot be used.
    """
    app = create_app(options)
    with _listen(options.host, options.port) as listener:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            http=ImpatientProtocol,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            h11_max_incomplete_event_size=HEADER_BYTES,
        )
        host = f"[{options.host}]" if ":" in options.host else options.host
        ready(f"http://{host}:{listener.getsockname()[1]}")
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl+C: Python cleans up behind itself
        with suppress(KeyboardInterrupt):
            _Server(config, app).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    with ExitStack() as failing:
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            listener = failing.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
        except OSError as error:
            raise OutputError(
                f"cannot listen on {host}, port {port}: {error.strerror}; give another --port or --host"
            ) from error
        failing.pop_all()
    return listener


class _Server(uvicorn.Server):
    """Ends streams of events when it ends, which else would wait for their jobs."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._app.state.workshop.watchers.close()
        await super().shutdown(sockets)


class ImpatientProtocol(H11Protocol):
    """Closes a connection on which the head of a request has begun, or should have, and does not end."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes; wait on while they are no whole head."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head_is_here()
        elif self._head_timer is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._head_is_here()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _head_is_here(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
