"""Any server with OpenAI's images API: `/images/generations` and `/images/edits`.

Models that generate images are known by their names, as no list says it, or from the settings.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import random
import re
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from eclair.errors import EngineBroken, EngineBusy, EngineRefused, InvalidInput, NotFound, UpstreamError
from eclair.images.backends import http as http_backend
from eclair.images.backends.servers import ImageServer, ImageServers
from eclair.images.job import ImageJob
from eclair.llm.servers.endpoint_pool import FAILOVER_ERRORS
from eclair.network.client import CallContext, HttpClient, Refused, WebClient
from eclair.network.gate import CLOSED_GATE, OutboundGate
from eclair.schema.images import BackendProgress, ImageModel, UnmarkedImage

NAME = "openai"
LIST_TIMEOUT_S = 10.0
LIST_TTL_S = 60.0
MAX_IMAGE_BYTES = 48 << 20
DOWN_S = 30.0
"""An endpoint that failed is asked last for so long."""

FETCH_TIMEOUT_S = 60.0

IMAGE_MODEL_NAMES = re.compile(
    r"gpt-image|dall-?e|(^|[/_.-])flux|stable-?diffusion|(^|[/_.-])sd(xl|-?3|-?xl|-?turbo)|qwen-?image|hidream|z-image"
    r"|imagen|seedream|ideogram|recraft|hunyuan-?image|playground-v|kolors|image-gen",
    re.IGNORECASE,
)
"""Names of models that generate images."""

_OWN = re.compile(r"gpt-image|dall-?e", re.IGNORECASE)
_EDITS = re.compile(r"gpt-image|dall-?e-2|kontext|image-edit|flux[.-]?2", re.IGNORECASE)
_BLOCKED = re.compile(r"moderation|safety|content_policy|content policy", re.IGNORECASE)


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RemoteImageModel:
    """An image model of a server, and its name there."""

    model: ImageModel
    remote_name: str
    server: ImageServer


class OpenAIImageBackend:
    """Implements `ImageBackend`."""

    name = NAME

    def __init__(
        self, servers: ImageServers, taken: frozenset[str] = frozenset(), *, gate: OutboundGate = CLOSED_GATE
    ) -> None:
        self._servers = servers
        self._taken = taken
        self._gate = gate
        self._lists: dict[tuple[str, str], tuple[float, tuple[str, ...]]] = {}
        self._down_until: dict[str, float] = {}

    async def models(self) -> Sequence[ImageModel]:
        return [offered.model for offered in (await self._find_models()).values()]

    async def generate(self, job: ImageJob) -> AsyncGenerator[BackendProgress | UnmarkedImage, None]:
        offered = (await self._find_models()).get(job.model.id)
        if offered is None:
            raise NotFound(f"There is no image model {job.model.id!r} any more.", param="model")
        server = offered.server
        if server.problem is not None:
            raise server.problem
        _check(offered.model, job)
        yield BackendProgress(0, 1)
        endpoints = self._order(offered)
        while True:
            endpoint = endpoints.pop(0)
            try:
                yield await self._draw(replace(offered, server=endpoint), job)
                return
            except FAILOVER_ERRORS as error:
                if not isinstance(error, EngineBusy):
                    self._down_until[endpoint.url] = time.monotonic() + DOWN_S
                if not endpoints:
                    raise
                log.warning("another endpoint of %s is asked for an image: %s", server.name, error.message)

    def _order(self, offered: RemoteImageModel) -> list[ImageServer]:
        """Return the endpoints in the order in which to ask them: by chance and weight, and those that failed last.

        Those that list other models alone are left out, unless all do.
        """
        now = time.monotonic()
        endpoints = offered.server.each_endpoint(self._gate)
        return sorted(
            [each for each in endpoints if self._may_have(each, offered.remote_name)] or endpoints,
            key=lambda each: (self._down_until.get(each.url, 0) > now, -(random.random() ** (1 / each.weight))),  # noqa: S311
        )

    def _may_have(self, endpoint: ImageServer, name: str) -> bool:
        """True if the endpoint lists the model, or nothing."""
        _, names = self._lists.get((endpoint.name, endpoint.url), (0.0, ()))
        return not names or name in names

    async def _draw(self, offered: RemoteImageModel, job: ImageJob) -> UnmarkedImage:
        """Have one endpoint generate an image. Raises UpstreamError."""
        server = offered.server
        context = CallContext(job.principal, "engine", job.run, server.country)
        http = HttpClient(server.url, server.key, gate=self._gate, country=server.country)
        try:
            row = _first(server.name, await self._request(http, offered, job, context))
            image = http_backend.check_image(server.name, await self._image(http, server, row, context))
        finally:
            await http.close()
        words: Any = row.get("revised_prompt")
        seed: Any = row.get("seed")
        return UnmarkedImage(
            image, seed if isinstance(seed, int) else None, words if isinstance(words, str) and words else None
        )

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _find_models(self) -> dict[str, RemoteImageModel]:
        servers = [server for server in await self._servers.all() if not server.draws_only]
        lists = await asyncio.gather(*map(self._image_models, servers))
        found: dict[str, RemoteImageModel] = {}
        for server, names in zip(servers, lists, strict=True):
            why = server.why_not(self._gate)
            for name in names:
                id = name if name not in self._taken and name not in found else f"{name}@{server.name}"
                found.setdefault(id, RemoteImageModel(_model(id, name, server, why), name, server))
        return found

    async def _image_models(self, server: ImageServer) -> list[str]:
        """Return the names of the server's image models; while it is down, only those that are configured."""
        configured = [*server.pictures, *(name for name in server.models if IMAGE_MODEL_NAMES.search(name))]
        lists = await asyncio.gather(*map(self._list_models, server.each_endpoint(self._gate)))
        listed = [name for names in lists for name in names if IMAGE_MODEL_NAMES.search(name)]
        return list(dict.fromkeys([*configured, *listed]))

    async def _list_models(self, server: ImageServer) -> tuple[str, ...]:
        if server.why_not(self._gate) is not None:
            return ()
        at, names = self._lists.get((server.name, server.url), (-LIST_TTL_S, ()))
        if time.monotonic() - at < LIST_TTL_S:
            return names
        http = HttpClient(
            server.url, server.key, gate=self._gate, country=server.country, idle_timeout_s=LIST_TIMEOUT_S
        )
        try:
            reply, content = await http_backend.read_reply(
                server.name, http.get(f"{server.url.rstrip('/')}/models", idle_timeout_s=LIST_TIMEOUT_S)
            )
            names = _names(content) if reply.status == 200 else ()
        except UpstreamError:
            names = ()
        finally:
            await http.close()
        self._lists[server.name, server.url] = (time.monotonic(), names)
        return names

    async def _request(
        self, http: HttpClient, offered: RemoteImageModel, job: ImageJob, context: CallContext
    ) -> dict[str, Any]:
        """Return the server's reply. Some refuse a seed, or a response format; they are asked again without."""
        name, key = offered.server.name, offered.server.key
        fields = _fields(offered.remote_name, job)
        reply, content = await self._send(http, offered, fields, job, context)
        for field in ("response_format", "seed"):
            if reply.status in (400, 422) and field in fields and field in http_backend.server_message(key, content):
                del fields[field]
                reply, content = await self._send(http, offered, fields, job, context)
        if reply.status == 200:
            return http_backend.parse_json(name, content)
        if reply.status in (400, 403, 422) and _BLOCKED.search(content.decode(errors="replace")):
            raise EngineRefused(
                f"The engine {name} refused this: its moderation rejects it. Change the prompt, or use a model on this "
                "machine."
            )
        raise http_backend.refusal_error(name, key, reply, content)

    async def _send(
        self,
        http: HttpClient,
        offered: RemoteImageModel,
        fields: dict[str, str | int],
        job: ImageJob,
        context: CallContext,
    ) -> tuple[Any, bytes]:
        url = offered.server.url.rstrip("/")
        if not job.sources:
            call = http.post(f"{url}/images/generations", orjson.dumps(fields), context=context)
        else:
            several = "image[]" if len(job.sources) > 1 else "image"
            files = [(several, source) for source in job.sources]
            files += [("mask", job.mask)] if job.mask is not None else []
            media, body = encode_form({name: str(value) for name, value in fields.items()}, files)
            call = http.post(f"{url}/images/edits", body, content_type=media, context=context)
        return await http_backend.read_reply(offered.server.name, call)

    async def _image(self, http: HttpClient, server: ImageServer, row: dict[str, Any], context: CallContext) -> bytes:
        """Return the image in a reply, or fetch it from its URL on the same server or the open web."""
        encoded, url = row.get("b64_json"), row.get("url")
        if isinstance(encoded, str) and encoded:
            return _decode(server.name, encoded)
        if not isinstance(url, str):
            raise EngineBroken(f"The engine {server.name} replied without an image; try again.")
        if url.startswith("data:"):
            return _decode(server.name, url.partition(",")[2])
        if http_backend.origin_of(url) == http_backend.origin_of(server.url):
            reply, content = await http_backend.read_reply(server.name, http.get(url, context=context))
        else:
            browser = WebClient(self._gate)
            try:
                call = browser.get(
                    url,
                    CallContext(context.principal, "page", context.run),
                    timeout_s=FETCH_TIMEOUT_S,
                    max_bytes=MAX_IMAGE_BYTES,
                )
                reply, content = await http_backend.read_reply(server.name, call)
            except Refused as why:
                raise Refused(f"The engine {server.name} offers the image at another address: {why.message}") from why
            finally:
                await browser.close()
        if reply.status != 200:
            raise http_backend.refusal_error(server.name, None, reply, content)
        return content


def encode_form(fields: dict[str, str], files: Sequence[tuple[str, bytes]]) -> tuple[str, bytes]:
    """Encode a form (RFC 7578) and return its media type and bytes."""
    boundary = secrets.token_hex(16)
    parts = [
        f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value.encode()
        for name, value in fields.items()
    ]
    for number, (name, data) in enumerate(files):
        kind = "jpeg" if data.startswith(b"\xff\xd8") else "webp" if data.startswith(b"RIFF") else "png"
        head = f'Content-Disposition: form-data; name="{name}"; filename="{number}.{kind}"\r\n'
        parts.append(head.encode() + f"Content-Type: image/{kind}\r\n\r\n".encode() + data)
    lines = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return f"multipart/form-data; boundary={boundary}", lines + b"--" + boundary.encode() + b"--\r\n"


def _fields(name: str, job: ImageJob) -> dict[str, str | int]:
    """Return the fields of a request. OpenAI's own models refuse unknown ones."""
    fields: dict[str, str | int] = {"model": name, "prompt": job.prompt, "n": 1, "size": f"{job.width}x{job.height}"}
    if not re.search("gpt-image", name, re.IGNORECASE):
        fields["response_format"] = "b64_json"
    if not _OWN.search(name):
        fields["seed"] = job.seed
    return fields


def _first(name: str, data: dict[str, Any]) -> dict[str, Any]:
    match data.get("data"):
        case [dict() as row, *_]:  # pyright: ignore[reportUnknownVariableType]
            return row  # pyright: ignore[reportUnknownVariableType]
        case _:
            raise EngineBroken(f"The engine {name} replied without an image; try again.")


def _decode(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EngineBroken(f"The engine {name} sent no valid image; try again.") from error


def _names(content: bytes) -> tuple[str, ...]:
    """Return the models in a list; empty for anything else."""
    try:
        data: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ()
    rows: Any = data.get("data") if isinstance(data, dict) else data  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(rows, list):
        return ()
    ids: list[Any] = [row.get("id") for row in rows if isinstance(row, dict)]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return tuple(id for id in ids if isinstance(id, str) and id)


def _check(model: ImageModel, job: ImageJob) -> None:
    """Raise InvalidInput for what the model can't do."""
    if job.sources and not model.edits:
        raise InvalidInput(f"{model.name} can't edit images; choose another model.", param="sources")
    if job.mask is not None and not (model.masks and job.sources):
        raise InvalidInput(f"{model.name} takes a mask only with an image, if at all.", param="mask")
    if job.negative:
        raise InvalidInput(f"{model.name} takes no negative prompt; leave it out.", param="negative")


def _model(id: str, name: str, server: ImageServer, why: str | None) -> ImageModel:
    lowered = name.lower()
    least, most, multiple = 64, 2048, 8
    if "gpt-image" in lowered:
        least, most, multiple = 1024, 1536, 512
    elif "dall-e-3" in lowered:
        least, most, multiple = 1024, 1792, 256
    elif "dall-e-2" in lowered:
        least, most, multiple = 256, 1024, 256
    edits = _EDITS.search(name) is not None
    return ImageModel(
        id=id,
        name=name,
        maker=server.location.provider or server.name,
        country=None,
        generator=NAME,
        license=f"the terms of {server.location.provider or server.name}",
        least=least,
        most=most,
        multiple=multiple,
        edits=edits,
        masks=edits and _OWN.search(name) is not None,
        jurisdiction=server.jurisdiction,
        state="ready" if why is None else "locked",
        why=why,
    )
