"""Discovers the API at an address: its models, or the address that was meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson

from eclair.errors import Refused
from eclair.llm.remote.reply_values import as_sentence, error_text
from eclair.network.client import BrokenReply, HttpClient, Reply, TimedOut, Unreachable

LIST_TIMEOUT_S = 8.0
MAX_LIST_BYTES = 4 << 20
API_PATHS = ("/v1", "/api/v1", "/openai/v1", "/v1beta/openai")
"""Paths at which servers have their API, below the address that people know."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """The models that the server lists.

    `fault` is a sentence on why it can't be used, `suggested_url` an address that works; with `is_down` nothing
    answered at all.
    """

    models: tuple[str, ...] = ()
    fault: str | None = None
    suggested_url: str | None = None
    is_down: bool = False


async def discover(http: HttpClient, url: str, *, keyed: bool, listless: bool) -> Discovery:
    """Ask for the list of models.

    With `keyed` a key is sent. With `listless` a server without a list is fine.
    """
    try:
        async with http.get(f"{url}/models", idle_timeout_s=LIST_TIMEOUT_S) as reply:
            content = await reply.body(MAX_LIST_BYTES)
    except TimedOut:
        return Discovery(fault=f"It does not answer within {LIST_TIMEOUT_S:.0f} seconds.", is_down=True)
    except Refused as error:
        return Discovery(fault=error.message, is_down=True)
    except (Unreachable, BrokenReply) as error:
        return Discovery(fault=_unreachable_fault(str(error), url), is_down=True)
    listed = _parse_list(content) if reply.status == 200 else None
    if listed is not None:
        return Discovery(listed)
    if 300 <= reply.status < 400:
        return _redirect_fault(reply, url)
    if reply.status in (401, 403):
        wrong = "does not accept the key, which may have expired; set another" if keyed else "asks for a key; set one"
        return Discovery(fault=f"It {wrong}.")
    address = await _find_api(http, url)
    if address is not None:
        fault = f"There is no such API at this address, but there is at {address}; use that."
        return Discovery(fault=fault, suggested_url=address)
    if listless and reply.status in (404, 405, 501):
        return Discovery()
    return Discovery(fault=_refusal_fault(reply.status, content))


def _refusal_fault(status: int, content: bytes) -> str:
    if content.lstrip().startswith(b"<"):
        return "It sends a web page in place of its list of models; check the address, which usually ends in /v1."
    if status == 200:
        return "Its reply is not a list of models; check the address, which usually ends in /v1."
    if status == 404:
        return "There is no API at this address; check it, it usually ends in /v1, or name a model with `--model`."
    try:
        said = error_text(orjson.loads(content))
    except orjson.JSONDecodeError:
        said = ""
    return f"It does not list its models: {as_sentence(said or f'status {status}')}"


def _unreachable_fault(reason: str, url: str) -> str:
    low = reason.lower()
    if "self-signed" in low or "self signed" in low:
        return (
            "Its certificate is self-signed; give the file of the certificate "
            "in SSL_CERT_FILE, or use an address whose certificate is known."
        )
    if "certificate" in low:
        return f"Its certificate is not accepted ({reason}); use the name that it is for, or renew it."
    if url.startswith("https:") and ("wrong_version_number" in low or "record layer" in low or "ssl" in low):
        return f"It does not speak https; use http{url.removeprefix('https')} if it is in your own network."
    return f"It cannot be reached: {reason}; check that it runs, and the address."


def _redirect_fault(reply: Reply, url: str) -> Discovery:
    """Report a redirect. It isn't followed: it would take the key to a server nobody chose."""
    target = urljoin(f"{url}/models", reply.headers.get("Location", ""))
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or not parts.path.endswith("/models"):
        where = f" to {parts.netloc}" if parts.netloc else ""
        return Discovery(fault=f"It sends us on{where}, which is not followed; check the address.")
    address = parts._replace(path=parts.path.removesuffix("/models"), query="", fragment="").geturl()
    return Discovery(
        fault=f"It sends us on to {address}, which is not followed; use that address.", suggested_url=address
    )


async def _find_api(http: HttpClient, url: str) -> str | None:
    """Return an address of the same server that lists models, or would with the right key."""
    parts = urlsplit(url)
    bases = dict.fromkeys((url, url.removesuffix("/v1"), f"{parts.scheme}://{parts.netloc}"))
    candidates = dict.fromkeys(f"{base.rstrip('/')}{ending}" for base in bases for ending in API_PATHS)
    for candidate in candidates:
        if candidate == url:
            continue
        try:
            async with http.get(f"{candidate}/models", idle_timeout_s=LIST_TIMEOUT_S) as reply:
                content = await reply.body(MAX_LIST_BYTES)
        except (TimedOut, Unreachable, BrokenReply):
            continue
        listed = reply.status == 200 and _parse_list(content) is not None
        if listed or (reply.status in (401, 403) and content.lstrip().startswith(b"{")):
            return candidate
    return None


def _parse_list(content: bytes) -> tuple[str, ...] | None:
    """Return the names in a list of models; None if it isn't one."""
    try:
        data: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    match data:
        case {"data": [*rows]}:
            names: list[Any] = [row.get("id") for row in rows if isinstance(row, dict)]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            return tuple(name for name in names if isinstance(name, str))
        case _:
            return None
