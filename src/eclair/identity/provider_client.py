"""Calls to an identity provider over HTTP, through the outbound gate, with their failures as sentences."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from eclair.errors import IdentityMisconfigured, IdentityUnavailable, IdentityUnverified, Refused
from eclair.identity.provider_claims import JSON, as_object
from eclair.network.client import (
    BrokenReply,
    CallContext,
    HttpClient,
    OutboundGate,
    StreamedReply,
    TimedOut,
    Unreachable,
)
from eclair.schema.principal import LOCAL_PRINCIPAL

MAX_REPLY_BYTES = 4 << 20
"""Room for the groups of a person who is in very many."""
REPLY_TIMEOUT_S = 15.0


class ProviderClient:
    """Asks the provider that people know as `name`.

    Every method raises IdentityUnavailable, IdentityMisconfigured where the outbound policy forbids the call, and
    IdentityUnverified for a reply that is no JSON object.
    """

    def __init__(self, name: str, url: str, gate: OutboundGate, ca_file: Path | None = None) -> None:
        self._name = name
        self._http = HttpClient(url, gate=gate, ca_file=ca_file)
        self._context = CallContext(LOCAL_PRINCIPAL, "identity")
        self.date: float | None = None
        """The time that the provider gave with its last reply."""

    async def get(self, url: str, token: str | None = None) -> JSON:
        """Fetch JSON, with an access token where one is given."""
        headers = {"Accept": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
        status, body = await self._read(self._http.get(url, headers=headers, context=self._context), url)
        if status != 200:
            raise IdentityUnavailable(
                f"{self._name} can't be asked now: {urlsplit(url).netloc} replied with {status}; try again later."
            )
        return body

    async def post_form(self, url: str, form: bytes, headers: Mapping[str, str]) -> tuple[int, JSON]:
        """Send a form; return status and reply, which may be an error of OAuth."""
        request = self._http.post(
            url,
            form,
            content_type="application/x-www-form-urlencoded",
            headers={**headers, "Accept": "application/json"},
            context=self._context,
        )
        return await self._read(request, url)

    async def close(self) -> None:
        await self._http.close()

    async def _read(self, request: AbstractAsyncContextManager[StreamedReply], url: str) -> tuple[int, JSON]:
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S), request as reply:
                body = await reply.body(MAX_REPLY_BYTES + 1)
                self.date = _read_date(reply.headers.get("Date"))
        except Refused as error:
            raise IdentityMisconfigured(f"{self._name} can't be asked: {error.message}") from error
        except (Unreachable, TimedOut, BrokenReply, TimeoutError) as error:
            why = str(error) or f"no reply within {REPLY_TIMEOUT_S:.0f} s"
            raise IdentityUnavailable(
                f"{self._name} can't be reached ({urlsplit(url).netloc}: {why}); try again later."
            ) from error
        if reply.status >= 500:
            raise IdentityUnavailable(
                f"{self._name} is out of order: {urlsplit(url).netloc} replied with {reply.status}; try again later."
            )
        return reply.status, self._parse(body, url)

    def _parse(self, body: bytes, url: str) -> JSON:
        try:
            parsed = as_object(orjson.loads(body)) if len(body) <= MAX_REPLY_BYTES else None
        except orjson.JSONDecodeError:
            parsed = None
        if parsed is None:
            raise IdentityUnverified(
                f"{urlsplit(url).netloc} sent no JSON that can be read; ask your administrator to check {self._name}."
            )
        return parsed


def _read_date(header: str | None) -> float | None:
    try:
        return None if header is None else parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None
