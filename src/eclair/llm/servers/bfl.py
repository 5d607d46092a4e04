"""The API of Black Forest Labs: a server that makes images and doesn't chat.

`images/backends` draws with it. This module recognizes it and checks its key.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from urllib.parse import urlsplit

import orjson

from eclair.llm.remote.reply_values import as_sentence, error_text, redact_key
from eclair.llm.servers.probe import Probe, ProbeFinding, ProbeOutcome
from eclair.network.client import CLOSED_GATE, BrokenReply, HttpClient, OutboundGate, TimedOut, Unreachable
from eclair.schema.ids import Clock

BFL_NAME = "bfl"
BFL_HOSTS = ("bfl.ai", "bfl.ml")
KEY_HEADER = "x-key"

REQUEST_TIMEOUT_S = 20.0
MAX_REPLY_BYTES = 1 << 20


def is_image_only(name: str, url: str) -> bool:
    """Return whether an engine is the API of Black Forest Labs, by its name or host."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return name == BFL_NAME or any(host == each or host.endswith(f".{each}") for each in BFL_HOSTS)


def api_root(url: str) -> str:
    """Return the URL without the version that people copy along."""
    return url.rstrip("/").removesuffix("/v1")


class CreditsProber:
    """Asks the API how many credits are left, which costs none. Used like a `Prober`."""

    def __init__(
        self,
        url: str,
        key: str | None,
        models: Sequence[str] = (),
        *,
        clock: Clock = time.time,
        gate: OutboundGate = CLOSED_GATE,
        country: str | None = None,
    ) -> None:
        del models
        self._url = url.rstrip("/")
        self._key = key
        self._clock = clock
        self._http = HttpClient(
            api_root(url), key, gate=gate, country=country, idle_timeout_s=REQUEST_TIMEOUT_S, header=KEY_HEADER
        )

    async def run(self) -> AsyncGenerator[ProbeFinding | Probe, None]:
        """Yield the finding, then the probe."""
        try:
            outcome, said = await self._ask()
        finally:
            await self._http.close()
        found = ProbeFinding("answers", outcome, "It makes images." if outcome == "yes" else said)
        yield found
        fault, notes = (None, (said,)) if outcome == "yes" else (said, ())
        yield Probe(int(self._clock() * 1000), self._url, None, (found,), fault, None, notes)

    async def _ask(self) -> tuple[ProbeOutcome, str]:
        try:
            async with self._http.get(f"{api_root(self._url)}/v1/credits") as reply:
                content = await reply.body(MAX_REPLY_BYTES)
        except TimedOut:
            return "failed", f"It did not answer within {REQUEST_TIMEOUT_S:g} seconds."
        except (Unreachable, BrokenReply) as error:
            return "failed", f"It cannot be reached: {error}."
        if reply.status in (401, 403):
            return "failed", "It does not accept the key; set the key." if self._key else "It asks for a key; set it."
        try:
            data = orjson.loads(content)
            left = float(data["credits"]) if reply.status == 200 else None
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return "no", "Its reply is not one of this API; check the address."
        if left is None:
            return "failed", as_sentence(
                redact_key(self._key, error_text(data)) or f"It answers with status {reply.status}"
            )
        return "yes", f"It makes images; {left:g} credits are left."
