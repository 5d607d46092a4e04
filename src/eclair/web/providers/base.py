"""The port to search services, and what those over HTTP have in common: one call, its faults, the cleaning of hits.

What a service is asked and how its answer is read is the affair of its own file; how answers are joined is `search`'s.
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
from typing import Protocol, runtime_checkable
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
from eclair.schema.messages import Outcome
from eclair.schema.web import Hit, Query

BYTES = 1 << 20
"""Of a service's answer, at most."""

ADDRESS = 2048
TITLE = 300
SNIPPET = 1000
"""Characters that are kept of a hit; one with a longer address is none."""

Today = Callable[[], date]

_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>|<!--[^<>]*-->")
_SPACE = re.compile(r"[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(T\d{6}Z?)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class ServiceFailed(Exception):
    """A service gave no hits. `str()` is one sentence that names it and the remedy; `outcome` is that of its step."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome
        self.message = message


class SearchService(Protocol):
    """Finds pages. `jurisdiction` is as a `Place` has its code: whose law it is under, or where it is;
    `terms` is the address of what one agrees to by asking it."""

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

    async def find(self, query: Query, limit: int, context: CallContext, within: float) -> list[Hit]:
        """At most `limit` hits within so many seconds, best first. Raises ServiceFailed."""
        ...


@runtime_checkable
class Conditional(Protocol):
    """A service that cannot always be asked."""

    async def ready(self) -> bool:
        """Whether it has what it needs: its key, a feed."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked over HTTP; with a `body` it is sent as JSON."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None


class Answer(BaseModel):
    """What is read of a foreign answer; the rest of it is of no interest."""


class HTTPService(ABC):
    """A search service that answers one call. `base` is its address without the path, for one that is elsewhere."""

    name: str
    title: str
    jurisdiction: str
    needs_key: bool = False
    terms: str
    base: str
    redirects: int = 0

    def __init__(
        self, browser: WebClient, *, base: str | None = None, key: str = "", today: Today = date.today
    ) -> None:
        self._browser = browser
        self._key = key
        self._today = today
        if base is not None:
            self.base = base.rstrip("/")

    @abstractmethod
    def call(self, query: Query, limit: int) -> Call:
        """How it is asked."""

    @abstractmethod
    def hits(self, body: bytes, query: Query) -> Iterable[Hit]:
        """What its answer says, as it says it. Raises ServiceFailed, and ValidationError for what is no answer."""

    async def ready(self) -> bool:
        return not self.needs_key or bool(self._key)

    async def find(self, query: Query, limit: int, context: CallContext, within: float) -> list[Hit]:
        return self.read(await self.fetch(self.call(query, limit), context, within), query)[:limit]

    def read(self, body: bytes, query: Query) -> list[Hit]:
        """The hits in an answer to `query`, whatever it is, cleaned. Raises ServiceFailed."""
        latest = self.today + timedelta(days=1)
        try:
            found = [clean(hit, self.name, latest) for hit in self.hits(body, query)]
        except ValidationError:
            raise self.garbled() from None
        return [hit for hit in found if hit is not None]

    async def fetch(self, call: Call, context: CallContext, within: float) -> bytes:
        """The body of a good answer. Raises ServiceFailed."""
        try:
            async with self._sent(call, self._told(context), within) as reply:
                self.check(reply)
                return await reply.body(BYTES)
        except Refused as error:
            raise ServiceFailed("refused", str(error)) from error
        except TimedOut as error:
            raise ServiceFailed("late", f"{self.title} did not answer in time.") from error
        except ReplyTooLarge as error:
            raise self.garbled() from error
        except (Unreachable, BrokenReply) as error:
            raise ServiceFailed("failed", f"{self.title}: {error}") from error

    def _sent(self, call: Call, context: CallContext, within: float) -> AbstractAsyncContextManager[Reply]:
        if call.body is not None:
            headers = {"Content-Type": "application/json", **call.headers}
            return self._browser.post(call.url, call.body, context, headers=headers, timeout_s=within, max_bytes=BYTES)
        return self._browser.get(
            call.url, context, headers=call.headers, timeout_s=within, max_bytes=BYTES, max_redirects=self.redirects
        )

    def _told(self, context: CallContext) -> CallContext:
        """With the country of the service, where that is one."""
        return replace(context, country=self.jurisdiction) if len(self.jurisdiction) == 2 else context

    def garbled(self) -> ServiceFailed:
        return ServiceFailed("failed", f"{self.title} answered something else than its documentation says.")

    @property
    def today(self) -> date:
        return self._today()

    def since(self, query: Query) -> date | None:
        """The first day of what is wanted, where the query has one."""
        return None if query.days is None else self.today - timedelta(days=min(query.days, 36_500))

    def check(self, reply: Reply) -> None:
        """Raises ServiceFailed for a reply that is none."""
        match reply.status:
            case 200:
                return
            case 401 | 403 if self.needs_key:
                remedy = f"correct {self.name} in `search_keys`"
                raise ServiceFailed("failed", f"{self.title} does not accept its key; {remedy}.")
            case 402:
                raise ServiceFailed("failed", f"{self.title} wants to be paid; see to the account that its key is of.")
            case 429 | 503:
                raise ServiceFailed("failed", f"{self.title} asks to be called later; it has too much to do.")
            case status:
                raise ServiceFailed("failed", f"{self.title} refuses to answer (status {status}); try again later.")


def address(base: str, **parameters: str | int | None) -> str:
    """The URL with the parameters that are something."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{base}?{urlencode(given)}"


def clean(hit: Hit, by: str, latest: date) -> Hit | None:
    """The hit as plain text, found by `by`, with no date after `latest`; None for one without an address on the web or
    any words."""
    url = hit.url.strip()
    title = plain(hit.title)[:TITLE]
    snippet = plain(hit.snippet)[:SNIPPET]
    if not on_web(url) or not (title or snippet):
        return None
    published = hit.published if hit.published is not None and hit.published <= latest else None
    return Hit(url, title or snippet[:TITLE], snippet, published, (by,))


def on_web(url: str) -> bool:
    """Whether it is an address that a page can have."""
    try:
        parts = urlsplit(url)
        named = parts.hostname is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and named and len(url) <= ADDRESS and url.isprintable() and " " not in url


def plain(text: str) -> str:
    """The text without marks of HTML, on one line."""
    bare = html.unescape(_TAG.sub("", text))
    return _SPACE.sub(" ", "".join(c if c.isprintable() else " " for c in bare)).strip()


def day(text: str | None) -> date | None:
    """The day in a date as services write it (ISO 8601, compact, RFC 5322); None where there is none for sure."""
    written = (text or "").strip()
    try:
        if compact := _COMPACT.fullmatch(written):
            return date(int(compact[1]), int(compact[2]), int(compact[3]))
        if _DAY.match(written):
            return date.fromisoformat(written) if len(written) == 10 else _utc(datetime.fromisoformat(written))
        return _utc(parsedate_to_datetime(written))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _utc(moment: datetime) -> date:
    return (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
