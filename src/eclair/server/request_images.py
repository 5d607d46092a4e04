"""Pictures in requests of foreign dialects: shown to a model that sees as they are prepared, told to one that does not.

Each stays where it stands in the conversation. Nothing of them is kept.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast
from urllib.parse import urlsplit

from eclair.app import App
from eclair.errors import InvalidInput, TooLarge
from eclair.llm.base import JSON, PromptImage, PromptMessage, Request
from eclair.models.catalog import DEFAULT_IMAGE_SIDE_PIXELS
from eclair.network.gate import CallContext
from eclair.network.response import BrokenReply, ReplyTooLarge, TimedOut, Unreachable
from eclair.schema.models import Model
from eclair.schema.principal import Principal

MAX_PICTURES = 50
FETCH_TIMEOUT_S = 15.0
BLIND = "(Here is a picture, which this model cannot see.)"


@dataclass(frozen=True, slots=True)
class RequestImages:
    """The pictures of a request, by their addresses, and what a model that sees none is told of each."""

    pictures: dict[str, PromptImage] = field(default_factory=dict[str, PromptImage])
    told: dict[str, str] = field(default_factory=dict[str, str])

    def shown(self, request: Request, model: Model) -> Request:
        """Return the request as this model is asked it."""
        if not self.pictures:
            return request
        return replace(request, messages=tuple(self._shown(said, model) for said in request.messages))

    def _shown(self, said: PromptMessage, model: Model) -> PromptMessage:
        if not isinstance(said.content, list) or not _addresses(said):
            return said
        others = [part for part in said.content if part.get("type") != "image_url"]
        if model.vision_pixels is not None:
            seen = tuple(self.pictures[address] for address in _addresses(said))
            return replace(said, content=_plain(others), images=seen)
        told: list[JSON] = [{"type": "text", "text": self.told.get(each, BLIND)} for each in _addresses(said)]
        return replace(said, content=_plain([*told, *others]))


def image(address: str) -> JSON:
    """A part of a message that is a picture: at that address, or the whole of it as a `data:` URL."""
    return {"type": "image_url", "image_url": {"url": address}}


async def open_images(app: App, principal: Principal, said: Sequence[PromptMessage], model: Model) -> RequestImages:
    """Open the pictures of a request that `model` is asked first. Raises InvalidInput, TooLarge, UnreadableFile and,
    where the policy does not let one be fetched, Refused."""
    addresses = list(dict.fromkeys(address for each in said for address in _addresses(each)))
    if len(addresses) > MAX_PICTURES:
        raise InvalidInput(f"There are {len(addresses)} pictures; send {MAX_PICTURES} at most.", param="messages")
    found = RequestImages()
    for number, address in enumerate(addresses, 1):
        data, name = await _data(app, principal, address), f"Picture {number}"
        prepared = await app.vision.prepare_bytes(data, name, model.vision_pixels or DEFAULT_IMAGE_SIDE_PIXELS)
        found.pictures[address] = PromptImage(prepared.media, prepared.data, prepared.width, prepared.height)
        if model.vision_pixels is None:
            found.told[address] = await app.vision.describe_bytes(data, name)
    return found


async def _data(app: App, principal: Principal, address: str) -> bytes:
    most = app.settings.max_file_mb << 20
    if address.startswith("data:"):
        data = await asyncio.to_thread(_decoded, address)
    elif address.startswith(("http://", "https://")):
        data = await _fetched(app, principal, address, most)
    else:
        raise InvalidInput(
            "A picture is neither a data: URL in base64 nor at an address of http or https.", param="image_url"
        )
    if len(data) > most:
        raise TooLarge(
            f"A picture has {len(data) >> 20:,} MB; the limit is {app.settings.max_file_mb:,} MB (ECLAIR_MAX_FILE_MB)."
        )
    return data


def _decoded(address: str) -> bytes:
    head, _, encoded = address.partition(",")
    try:
        data = base64.b64decode(encoded, validate=True) if head.endswith(";base64") else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise InvalidInput("The data: URL of a picture is no base64, or empty; encode its bytes.", param="image_url")
    return data


async def _fetched(app: App, principal: Principal, address: str, most: int) -> bytes:
    """Raises InvalidInput where it cannot be fetched, and Refused where it may not."""
    host = urlsplit(address).hostname or address[:80]
    try:
        context = CallContext(principal, "page")
        headers = {"Accept": "image/*"}
        async with app.browser.get(
            address, context, headers=headers, timeout_s=FETCH_TIMEOUT_S, max_bytes=most
        ) as reply:
            if reply.status != 200:
                raise InvalidInput(f"The picture at {host} is not there ({reply.status}); send it as a data: URL.")
            return await reply.body(most)
    except (Unreachable, TimedOut, BrokenReply, ReplyTooLarge) as error:
        raise InvalidInput(f"The picture at {host} cannot be fetched ({error}); send it as a data: URL.") from error


def _addresses(said: PromptMessage) -> list[str]:
    """What stands for each picture of a message. Raises InvalidInput for a picture that nothing stands for."""
    content = said.content if isinstance(said.content, list) else []
    found: list[str] = []
    for part in content:
        if part.get("type") != "image_url":
            continue
        given: object = part.get("image_url")
        url: object = cast("JSON", given).get("url") if isinstance(given, dict) else given
        if not isinstance(url, str):
            raise InvalidInput("A picture lacks its `url`; send a data: URL.", param="messages.image_url")
        found.append(url)
    return found


def _plain(parts: list[JSON]) -> str | list[JSON]:
    """Parts that are all text, as one."""
    if all(part.get("type") == "text" for part in parts):
        return "\n".join(str(part.get("text", "")) for part in parts)
    return parts
