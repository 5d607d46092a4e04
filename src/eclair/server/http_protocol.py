"""One HTTP connection: its peer, and limits on what a stranger can make it hold before anybody has looked at it.

uvicorn parses and answers. What is added here costs a request that arrives whole a few comparisons: only those that
arrive in pieces are watched by a timer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from eclair.server.connection_limit import ConnectionLimit
from eclair.server.peer import PEER, Peer

MAX_HEAD_BYTES = 64 << 10
MAX_HEADERS = 128
HEAD_TIMEOUT_S = 20.0
BODY_CHECK_S = 15.0
MIN_BODY_BYTES_PER_CHECK = 8 << 10
"""Over half a kilobyte a second; a slower sender is given a second chance, and no third."""

CODES = {429: "too_busy", 431: "too_large", 503: "too_busy"}

_Phase = Literal["between", "head", "body"]

log = logging.getLogger(__name__)


class HttpProtocol(HttpToolsProtocol):
    """A connection that gives its requests the peer, and ends those that are too large or too slow to arrive.

    With a `limit`, connections over it are refused as soon as they ask for something, and too many of those unheard.
    """

    limit: ConnectionLimit | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._phase: _Phase = "between"
        self._watched: _Phase | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._chunk_bytes = 0
        self._held_bytes = 0
        """Bytes that the parser may hold, of further chunks since the message or its last piece of body began."""
        self._body_bytes = 0
        self._slow_checks = 0
        self._refusal: tuple[int, str] | None = None
        self._client: str | None = None
        """The client whose limit this connection counts for."""
        self._is_admitted = self._is_surplus = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # as uvicorn's own
        super().connection_made(transport)
        self.app_state = {**self.app_state, PEER: Peer.from_transport(transport)}
        if self.limit is not None and self.client is not None:
            self._client = self.limit.find_client(self.client[0])
        if self.limit is not None and self._take_place() is not None:
            self._is_surplus = self.limit.keep_surplus(self._client)
            if not self._is_surplus:
                transport.abort()
                return
        self._watch("head")

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch(None)
        if self.limit is not None and self._is_admitted:
            self.limit.release(self._client)
        elif self.limit is not None and self._is_surplus:
            self.limit.drop_surplus(self._client)
        self._is_admitted = self._is_surplus = False
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._chunk_bytes = len(data)
        self._held_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            self._watch(None)
        elif self._phase != "between" and self._held_bytes > MAX_HEAD_BYTES:
            self._refuse(431, "The request's headers are too large; send fewer or shorter ones.")
        elif self._phase == "body":
            self._watch("body")
        else:
            self._watch(None if self._phase == "between" and self._is_answering() else "head")

    def on_message_begin(self) -> None:
        self._phase = "head"
        self._held_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if (refusal := self._take_place()) is not None:
            self._refusal = refusal
            raise ValueError(refusal[1])
        may_be_large = self._chunk_bytes > MAX_HEAD_BYTES or self._held_bytes > 0
        if len(self.headers) > MAX_HEADERS or (may_be_large and self._head_bytes() > MAX_HEAD_BYTES):
            self._refusal = (431, "The request's headers are too large or too many; send fewer or shorter ones.")
            raise ValueError(self._refusal[1])  # which stops the parser, and leads to `send_400_response`
        self._phase = "body"
        self._held_bytes = self._body_bytes = self._slow_checks = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._held_bytes = 0
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._phase = "between"
        super().on_message_complete()

    def _take_place(self) -> tuple[int, str] | None:
        """Take a place among the connections, unless this one has it; return status and sentence if there is none."""
        if self.limit is None or self._is_admitted:
            return None
        refusal = self.limit.admit(self._client)
        self._is_admitted = refusal is None
        if self._is_admitted and self._is_surplus:
            self.limit.drop_surplus(self._client)
            self._is_surplus = False
        return refusal

    def send_400_response(self, msg: str) -> None:
        status, sentence = self._refusal or (400, "This isn't HTTP as it should be; check what was sent.")
        self._refuse(status, sentence)

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]  # None at first

    def _refuse(self, status: int, sentence: str) -> None:
        """End the connection, with an error where that isn't in the middle of an answer."""
        self._watch(None)
        if self.transport.is_closing():
            return
        if not (self._is_answering() and self.cycle.response_started):
            code = CODES.get(status, "invalid_request")
            body = orjson.dumps({"error": {"code": code, "message": sentence, "param": None}})
            length = str(len(body)).encode()
            retry = b"retry-after: 30\r\n" if CODES.get(status) == "too_busy" else b""
            head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: " + length + b"\r\n"
            head += retry + b"\r\n"
            self.transport.write(STATUS_LINE[status] + head + body)
        if CODES.get(status) != "too_busy":  # those are logged where they are counted
            log.info("Ended the connection of %s: %s", self.client, sentence)
        self.transport.close()

    def _watch(self, phase: _Phase | None) -> None:
        """Time the arrival of a head or a body, and stop timing what was timed before."""
        if phase == self._watched:
            return
        self._watched = phase
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if phase is not None:
            self._set_timer()

    def _set_timer(self) -> None:
        delay, check = (BODY_CHECK_S, self._check_body) if self._watched == "body" else (HEAD_TIMEOUT_S, self._end_head)
        self._timer = self.loop.call_later(delay, check)

    def _end_head(self) -> None:
        if self._is_answering():  # the head of the next request waits until this one is answered
            self._set_timer()
        elif self._phase == "between":
            self._watch(None)
            self.transport.close()
        else:
            self._refuse(408, "The request's headers took too long to arrive; send it again.")

    def _check_body(self) -> None:
        if self._body_bytes >= MIN_BODY_BYTES_PER_CHECK or self.flow.read_paused:
            self._slow_checks = 0
        else:
            self._slow_checks += 1
        self._body_bytes = 0
        if self._slow_checks >= 2:
            self._refuse(408, "The request's body arrived too slowly; send it again.")
        else:
            self._set_timer()
