"""The port to search services, and the base of those called over HTTP.

Each provider's own file knows how it is asked and how its reply is read; `search` joins the results of several.
"""

from __future__ import annotations

import html
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ValidationError

from eclair.network.client import (
    BrokenReply,
    CallContext,
    Refused,
    Reply,
    ReplyTooLarge,
    TimedOut,
    Unreachable,
    WebClient,
)
from eclair.schema.messages import StepOutcome
from eclair.schema.principal import Principal
from eclair.schema.web import WebHit, WebQuery

MAX_REPLY_BYTES = 1 << 20
MAX_URL_CHARS = 2048
MAX_TITLE_CHARS = 300
MAX_SNIPPET_CHARS = 1000

Today = Callable[[], date]

_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>|<!--[^<>]*-->")
_SPACE = re.compile(r"[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(T\d{6}Z?)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class ProviderError(Exception):
    """A provider gave no hits. The message is a sentence with the remedy; `outcome` is that of its step."""

    def __init__(self, outcome: StepOutcome, message: str) -> None:
        super().__init__(message)
        self.outcome: StepOutcome = outcome
        self.message = message


class SearchProvider(Protocol):
    """A search service. `jurisdiction` is a country code, or where it runs (as in `jurisdiction.Place`).

    `terms` is the URL of its terms of use. One that is not ready lacks something, such as its key, and isn't asked.
    One that `is_local` searches what this machine has, so that its answer doesn't show that the web can be reached.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def jurisdiction(self) -> str: ...
    @property
    def needs_key(self) -> bool: ...
    @property
    def terms(self) -> str: ...
    @property
    def is_ready(self) -> bool: ...
    @property
    def is_local(self) -> bool: ...

    async def serves(self, principal: Principal) -> bool:
        """Return whether there is anything to search for this person."""
        ...

    async def search(self, query: WebQuery, limit: int, context: CallContext, timeout_s: float) -> list[WebHit]:
        """Return at most `limit` hits, best first. Raises ProviderError."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A call to a provider: GET, or POST of a JSON `body`."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None


class ProviderReply(BaseModel):
    """Base of the models of replies, which ignore fields they don't know."""


class HttpProvider(ABC):
    """A search service called over HTTP. `base` replaces its usual address, without the path."""

    name: str
    title: str
    jurisdiction: str
    needs_key: bool = False
    is_local: bool = False
    terms: str
    base: str
    max_redirects: int = 0

    def __init__(self, client: WebClient, *, base: str | None = None, key: str = "", today: Today = date.today) -> None:
        self._client = client
        self._key = key
        self._today = today
        if base is not None:
            self.base = base.rstrip("/")

    @abstractmethod
    def build_request(self, query: WebQuery, limit: int) -> ProviderRequest:
        """Build the call that asks for at most `limit` hits."""

    @abstractmethod
    def parse_hits(self, body: bytes, query: WebQuery) -> Iterable[WebHit]:
        """Yield the hits of a reply as they come. Raises ProviderError, and ValidationError for a malformed reply."""

    @property
    def is_ready(self) -> bool:
        return not self.needs_key or bool(self._key)

    @property
    def today(self) -> date:
        return self._today()

    async def serves(self, principal: Principal) -> bool:
        return True

    async def search(self, query: WebQuery, limit: int, context: CallContext, timeout_s: float) -> list[WebHit]:
        return self.read_hits(await self.fetch(self.build_request(query, limit), context, timeout_s), query)[:limit]

    def read_hits(self, body: bytes, query: WebQuery) -> list[WebHit]:
        """Parse and clean the hits of a reply, whatever it is. Raises ProviderError."""
        latest = self.today + timedelta(days=1)
        try:
            found = [clean_hit(hit, self.name, latest) for hit in self.parse_hits(body, query)]
        except ValidationError:
            raise self.malformed() from None
        return [hit for hit in found if hit is not None and self._client.may_lead(self.base, hit.url)]

    async def fetch(self, request: ProviderRequest, context: CallContext, timeout_s: float) -> bytes:
        """Return the body of a successful reply. Raises ProviderError."""
        if not self._client.may_lead(self.base, request.url):
            raise ProviderError("refused", f"{self.title} refers to another service in `private_addresses`.")
        try:
            async with self._send(request, self._with_country(context), timeout_s) as reply:
                self.check_status(reply)
                return await reply.body(MAX_REPLY_BYTES)
        except Refused as error:
            raise ProviderError("refused", str(error)) from error
        except TimedOut as error:
            raise ProviderError("late", f"{self.title} did not answer in time.") from error
        except ReplyTooLarge as error:
            raise self.malformed() from error
        except (Unreachable, BrokenReply) as error:
            raise ProviderError("failed", f"{self.title}: {error}") from error

    def since(self, query: WebQuery) -> date | None:
        """Return the first day that the query asks for, if it has one."""
        return None if query.days is None else self.today - timedelta(days=min(query.days, 36_500))

    def check_status(self, reply: Reply) -> None:
        """Raise ProviderError unless the reply is a success."""
        match reply.status:
            case 200:
                return
            case 401 | 403 if self.needs_key:
                remedy = f"correct {self.name} in `search_keys`"
                raise ProviderError("failed", f"{self.title} does not accept its key; {remedy}.")
            case 402:
                raise ProviderError("failed", f"{self.title} wants payment; check the account of its key.")
            case 429 | 503:
                raise ProviderError("failed", f"{self.title} is overloaded; try again later.")
            case status:
                raise ProviderError("failed", f"{self.title} answered with status {status}; try again later.")

    def malformed(self) -> ProviderError:
        return ProviderError("failed", f"{self.title} sent a reply that doesn't match its documentation.")

    def _send(
        self, request: ProviderRequest, context: CallContext, timeout_s: float
    ) -> AbstractAsyncContextManager[Reply]:
        url, headers = request.url, request.headers
        if request.body is not None:
            headers = {"Content-Type": "application/json", **headers}
            return self._client.post(
                url, request.body, context, headers=headers, timeout_s=timeout_s, max_bytes=MAX_REPLY_BYTES
            )
        return self._client.get(
            url,
            context,
            headers=headers,
            timeout_s=timeout_s,
            max_bytes=MAX_REPLY_BYTES,
            max_redirects=self.max_redirects,
        )

    def _with_country(self, context: CallContext) -> CallContext:
        """Add the provider's country, where its jurisdiction is one."""
        return replace(context, country=self.jurisdiction) if len(self.jurisdiction) == 2 else context


def build_url(base: str, **parameters: str | int | None) -> str:
    """Add the query parameters that aren't None to a URL."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{base}?{urlencode(given)}"


def clean_hit(hit: WebHit, provider: str, latest: date) -> WebHit | None:
    """Turn a hit into plain text, without a date after `latest`. None if it has no web address or no words."""
    url = hit.url.strip()
    title = strip_markup(hit.title)[:MAX_TITLE_CHARS]
    snippet = strip_markup(hit.snippet)[:MAX_SNIPPET_CHARS]
    if not is_web_url(url) or not (title or snippet):
        return None
    published = hit.published if hit.published is not None and hit.published <= latest else None
    return WebHit(url, title or snippet[:MAX_TITLE_CHARS], snippet, published, (provider,))


def is_web_url(url: str) -> bool:
    """Tell whether a URL can be that of a web page."""
    try:
        parts = urlsplit(url)
        has_host = parts.hostname is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    is_clean = len(url) <= MAX_URL_CHARS and url.isprintable() and " " not in url
    return parts.scheme in ("http", "https") and has_host and is_clean


def strip_markup(text: str) -> str:
    """Remove HTML markup and control characters, on one line."""
    bare = html.unescape(_TAG.sub("", text))
    return _SPACE.sub(" ", "".join(c if c.isprintable() else " " for c in bare)).strip()


def parse_day(text: str | None) -> date | None:
    """Parse a date as providers write it (ISO 8601, compact, RFC 5322); None where it isn't certain."""
    written = (text or "").strip()
    try:
        if compact := _COMPACT.fullmatch(written):
            return date(int(compact[1]), int(compact[2]), int(compact[3]))
        if _DAY.match(written):
            return date.fromisoformat(written) if len(written) == 10 else _utc_day(datetime.fromisoformat(written))
        return _utc_day(parsedate_to_datetime(written))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _utc_day(moment: datetime) -> date:
    return (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
