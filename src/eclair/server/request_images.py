"""Images in foreign requests: sent to vision models, described to others.

Each keeps its place in the conversation. Nothing is stored.
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
from eclair.errors import InvalidInput, NotFound, TooLarge, UnreadableFile
from eclair.llm.base import JSON, PromptImage, PromptMessage, Request
from eclair.models.catalog import DEFAULT_IMAGE_SIDE_PIXELS
from eclair.network.gate import CallContext
from eclair.network.response import BrokenReply, ReplyTooLarge, TimedOut, Unreachable
from eclair.schema.models import Model
from eclair.schema.principal import Principal

MAX_IMAGES = 50
FETCH_TIMEOUT_S = 15.0
UNSEEN_IMAGE_TEXT = "(Here is a picture, which this model cannot see.)"


@dataclass(frozen=True, slots=True)
class RequestImages:
    """Images of a request by URL, and the descriptions that stand in for them at models without vision."""

    images: dict[str, PromptImage] = field(default_factory=dict[str, PromptImage])
    descriptions: dict[str, str] = field(default_factory=dict[str, str])

    def insert(self, request: Request, model: Model) -> Request:
        """Return the request with its images in the form that this model can take."""
        if not self.images:
            return request
        return replace(request, messages=tuple(self._insert(message, model) for message in request.messages))

    def _insert(self, message: PromptMessage, model: Model) -> PromptMessage:
        if not isinstance(message.content, list) or not (urls := _image_urls(message)):
            return message
        others = [part for part in message.content if part.get("type") != "image_url"]
        if model.vision_pixels is not None:
            return replace(message, content=_merge_text(others), images=tuple(self.images[url] for url in urls))
        texts: list[JSON] = [{"type": "text", "text": self.descriptions.get(url, UNSEEN_IMAGE_TEXT)} for url in urls]
        return replace(message, content=_merge_text([*texts, *others]))


def image_part(url: str) -> JSON:
    """Build the part of a message that is an image, by its web address or `data:` URL."""
    return {"type": "image_url", "image_url": {"url": url}}


async def open_images(app: App, principal: Principal, messages: Sequence[PromptMessage], model: Model) -> RequestImages:
    """Load the images of a request that goes to `model` first.

    Raises InvalidInput, TooLarge, and Refused if the policy forbids fetching one.
    """
    urls = list(dict.fromkeys(url for message in messages for url in _image_urls(message)))
    if len(urls) > MAX_IMAGES:
        raise InvalidInput(f"There are {len(urls)} images; send {MAX_IMAGES} at most.", param="messages")
    found = RequestImages()
    for number, url in enumerate(urls, 1):
        data, name = await _load(app, principal, url), f"Image {number}"
        side = model.vision_pixels or DEFAULT_IMAGE_SIDE_PIXELS
        try:
            prepared = await app.vision.prepare_bytes(data, name, side)
        except (NotFound, UnreadableFile) as error:
            raise InvalidInput(error.message, param="messages") from error
        found.images[url] = PromptImage(prepared.media, prepared.data, prepared.width, prepared.height)
        if model.vision_pixels is None:
            found.descriptions[url] = await app.vision.describe_bytes(data, name)
    return found


async def _load(app: App, principal: Principal, url: str) -> bytes:
    max_bytes = app.settings.max_file_mb << 20
    if url.startswith("data:"):
        data = await asyncio.to_thread(_decode, url)
    elif url.startswith(("http://", "https://")):
        data = await _fetch(app, principal, url, max_bytes)
    else:
        raise InvalidInput("An image is neither a base64 data: URL nor an http(s) address.", param="image_url")
    if len(data) > max_bytes:
        raise TooLarge(
            f"An image has {len(data) >> 20:,} MB; the limit is {app.settings.max_file_mb:,} MB (ECLAIR_MAX_FILE_MB)."
        )
    return data


def _decode(url: str) -> bytes:
    head, _, encoded = url.partition(",")
    try:
        data = base64.b64decode(encoded, validate=True) if head.endswith(";base64") else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise InvalidInput("The data: URL of an image is empty or not base64; encode its bytes.", param="image_url")
    return data


async def _fetch(app: App, principal: Principal, url: str, max_bytes: int) -> bytes:
    """Fetch an image. Raises InvalidInput if that fails, and Refused if the policy forbids it."""
    host = urlsplit(url).hostname or url[:80]
    try:
        context = CallContext(principal, "page")
        headers = {"Accept": "image/*"}
        async with app.web_client.get(
            url, context, headers=headers, timeout_s=FETCH_TIMEOUT_S, max_bytes=max_bytes
        ) as reply:
            if reply.status != 200:
                raise InvalidInput(f"The image at {host} is not there ({reply.status}); send it as a data: URL.")
            return await reply.body(max_bytes)
    except (Unreachable, TimedOut, BrokenReply, ReplyTooLarge) as error:
        raise InvalidInput(f"The image at {host} cannot be fetched ({error}); send it as a data: URL.") from error


def _image_urls(message: PromptMessage) -> list[str]:
    """List the URLs of a message's images. Raises InvalidInput for an image without one."""
    content = message.content if isinstance(message.content, list) else []
    found: list[str] = []
    for part in content:
        if part.get("type") != "image_url":
            continue
        given: object = part.get("image_url")
        url: object = cast("JSON", given).get("url") if isinstance(given, dict) else given
        if not isinstance(url, str):
            raise InvalidInput("An image lacks its `url`; send a data: URL.", param="messages.image_url")
        found.append(url)
    return found


def _merge_text(parts: list[JSON]) -> str | list[JSON]:
    """Merge the parts into one string if all are text."""
    if all(part.get("type") == "text" for part in parts):
        return "\n".join(str(part.get("text", "")) for part in parts)
    return parts
