"""Any server that makes pictures as OpenAI's images API has it: `/images/generations` and `/images/edits`.

Which of a server's models make pictures is told by their names, as no list says it, or by the settings.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from eclair.errors import EngineBroken, EngineRefused, InvalidInput, NotFound, UpstreamError
from eclair.images.backends import http as http_backend
from eclair.images.backends.servers import PictureServer, PictureServers
from eclair.network.client import CallContext, HttpClient, Refused, WebClient
from eclair.network.gate import CLOSED_GATE, OutboundGate
from eclair.schema.images import Drawn, Job, PictureModel, Progress
from eclair.schema.principal import Principal

NAME = "openai"
LISTING = 10.0
FRESH = 60.0
"""Seconds for which a server's list of models is taken as true."""

LARGEST = 48 << 20
"""Bytes of a picture that is fetched from an address."""

WITHIN = 60.0

DRAWS = re.compile(
    r"gpt-image|dall-?e|(^|[/_.-])flux|stable-?diffusion|(^|[/_.-])sd(xl|-?3|-?xl|-?turbo)|qwen-?image|hidream|z-image"
    r"|imagen|seedream|ideogram|recraft|hunyuan-?image|playground-v|kolors|image-gen",
    re.IGNORECASE,
)
"""The names of models that make pictures."""

_OWN = re.compile(r"gpt-image|dall-?e", re.IGNORECASE)
_EDITS = re.compile(r"gpt-image|dall-?e-2|kontext|image-edit|flux[.-]?2", re.IGNORECASE)
_BLOCKED = re.compile(r"moderation|safety|content_policy|content policy", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Offered:
    """A model that makes pictures: what it is called here, what there, and the server that has it."""

    model: PictureModel
    there: str
    server: PictureServer


class OpenAIImages:
    """Implements `base.Generator`."""

    name = NAME

    def __init__(
        self, servers: PictureServers, taken: frozenset[str] = frozenset(), *, gate: OutboundGate = CLOSED_GATE
    ) -> None:
        self._servers = servers
        self._taken = taken
        self._gate = gate
        self._lists: dict[tuple[str, str], tuple[float, tuple[str, ...]]] = {}

    async def models(self) -> Sequence[PictureModel]:
        return [offered.model for offered in (await self._offered()).values()]

    async def draw(
        self, model: PictureModel, job: Job, principal: Principal, run: str | None
    ) -> AsyncGenerator[Progress | Drawn, None]:
        offered = (await self._offered()).get(model.id)
        if offered is None:
            raise NotFound(f"There is no picture model {model.id!r} any more.", param="model")
        server = offered.server
        if server.problem is not None:
            raise server.problem
        _check(offered.model, job)
        yield Progress(0, 1)
        context = CallContext(principal, "engine", run, server.country)
        http = HttpClient(server.url, server.key, gate=self._gate, country=server.country)
        try:
            row = _first(server.name, await self._asked(http, offered, job, context))
            image = http_backend.picture(server.name, await self._image(http, server, row, context))
        finally:
            await http.close()
        words: Any = row.get("revised_prompt")
        seed: Any = row.get("seed")
        yield Drawn(image, seed if isinstance(seed, int) else None, words if isinstance(words, str) and words else None)

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _offered(self) -> dict[str, Offered]:
        servers = [server for server in await self._servers.all() if not server.draws_only]
        lists = await asyncio.gather(*map(self._drawing, servers))
        found: dict[str, Offered] = {}
        for server, names in zip(servers, lists, strict=True):
            why = server.why_not(self._gate)
            for name in names:
                id = name if name not in self._taken and name not in found else f"{name}@{server.name}"
                found.setdefault(id, Offered(_model(id, name, server, why), name, server))
        return found

    async def _drawing(self, server: PictureServer) -> list[str]:
        """The names of the server's models that make pictures; those that it would list stay away while it is down."""
        told = [*server.pictures, *(name for name in server.models if DRAWS.search(name))]
        return list(dict.fromkeys([*told, *filter(DRAWS.search, await self._listed(server))]))

    async def _listed(self, server: PictureServer) -> tuple[str, ...]:
        if server.why_not(self._gate) is not None:
            return ()
        at, names = self._lists.get((server.name, server.url), (-FRESH, ()))
        if time.monotonic() - at < FRESH:
            return names
        http = HttpClient(server.url, server.key, gate=self._gate, country=server.country, idle_timeout_s=LISTING)
        try:
            reply, content = await http_backend.read(
                server.name, http.get(f"{server.url.rstrip('/')}/models", idle_timeout_s=LISTING)
            )
            names = _names(content) if reply.status == 200 else ()
        except UpstreamError:
            names = ()
        finally:
            await http.close()
        self._lists[server.name, server.url] = (time.monotonic(), names)
        return names

    async def _asked(self, http: HttpClient, offered: Offered, job: Job, context: CallContext) -> dict[str, Any]:
        """What the server answers. Some refuse to be told a seed, or in which form a picture is to come."""
        name, key = offered.server.name, offered.server.key
        fields = _fields(offered.there, job)
        reply, content = await self._sent(http, offered, fields, job, context)
        for field in ("response_format", "seed"):
            if reply.status in (400, 422) and field in fields and field in http_backend.told(key, content):
                del fields[field]
                reply, content = await self._sent(http, offered, fields, job, context)
        if reply.status == 200:
            return http_backend.parsed(name, content)
        if reply.status in (400, 403, 422) and _BLOCKED.search(content.decode(errors="replace")):
            raise EngineRefused(
                f"The engine {name} does not draw that: its moderation refuses it. Change the words, or draw on this "
                "machine."
            )
        raise http_backend.refusal(name, key, reply, content)

    async def _sent(
        self, http: HttpClient, offered: Offered, fields: dict[str, str | int], job: Job, context: CallContext
    ) -> tuple[Any, bytes]:
        url = offered.server.url.rstrip("/")
        if not job.sources:
            call = http.post(f"{url}/images/generations", orjson.dumps(fields), context=context)
        else:
            several = "image[]" if len(job.sources) > 1 else "image"
            files = [(several, source) for source in job.sources]
            files += [("mask", job.mask)] if job.mask is not None else []
            media, body = form({name: str(value) for name, value in fields.items()}, files)
            call = http.post(f"{url}/images/edits", body, content_type=media, context=context)
        return await http_backend.read(offered.server.name, call)

    async def _image(self, http: HttpClient, server: PictureServer, row: dict[str, Any], context: CallContext) -> bytes:
        """The picture in an answer, or behind its address: of the same server, or of the open web."""
        coded, url = row.get("b64_json"), row.get("url")
        if isinstance(coded, str) and coded:
            return _decoded(server.name, coded)
        if not isinstance(url, str):
            raise EngineBroken(f"The engine {server.name} answers without a picture; try again.")
        if url.startswith("data:"):
            return _decoded(server.name, url.partition(",")[2])
        if http_backend.host(url) == http_backend.host(server.url):
            reply, content = await http_backend.read(server.name, http.get(url, context=context))
        else:
            browser = WebClient(self._gate)
            try:
                call = browser.get(
                    url, CallContext(context.principal, "page", context.run), timeout_s=WITHIN, max_bytes=LARGEST
                )
                reply, content = await http_backend.read(server.name, call)
            except Refused as why:
                raise Refused(
                    f"The engine {server.name} has drawn it and gives it out elsewhere: {why.message}"
                ) from why
            finally:
                await browser.close()
        if reply.status != 200:
            raise http_backend.refusal(server.name, None, reply, content)
        return content


def form(fields: dict[str, str], files: Sequence[tuple[str, bytes]]) -> tuple[str, bytes]:
    """The media type and the bytes of a form (RFC 7578)."""
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


def _fields(name: str, job: Job) -> dict[str, str | int]:
    """What a request says. OpenAI's own models refuse what they do not know."""
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
            raise EngineBroken(f"The engine {name} answers without a picture; try again.")


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EngineBroken(f"What the engine {name} sends as a picture is none; try again.") from error


def _names(content: bytes) -> tuple[str, ...]:
    """The models in a list; none in what is no list."""
    try:
        data: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ()
    rows: Any = data.get("data") if isinstance(data, dict) else data  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(rows, list):
        return ()
    ids: list[Any] = [row.get("id") for row in rows if isinstance(row, dict)]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return tuple(id for id in ids if isinstance(id, str) and id)


def _check(model: PictureModel, job: Job) -> None:
    """Raises InvalidInput for what the model does not do."""
    if job.sources and not model.edits:
        raise InvalidInput(f"{model.name} edits no pictures; choose another model.", param="sources")
    if job.mask is not None and not (model.masks and job.sources):
        raise InvalidInput(f"{model.name} takes a mask only with a picture, if at all.", param="mask")
    if job.negative:
        raise InvalidInput(f"{model.name} heeds no negative prompt; leave it out.", param="negative")


def _model(id: str, name: str, server: PictureServer, why: str | None) -> PictureModel:
    lowered = name.lower()
    least, most, multiple = 64, 2048, 8
    if "gpt-image" in lowered:
        least, most, multiple = 1024, 1536, 512
    elif "dall-e-3" in lowered:
        least, most, multiple = 1024, 1792, 256
    elif "dall-e-2" in lowered:
        least, most, multiple = 256, 1024, 256
    edits = _EDITS.search(name) is not None
    return PictureModel(
        id=id,
        name=name,
        maker=server.place.provider or server.name,
        country=None,
        generator=NAME,
        licence=f"the terms of {server.place.provider or server.name}",
        least=least,
        most=most,
        multiple=multiple,
        edits=edits,
        masks=edits and _OWN.search(name) is not None,
        jurisdiction=server.jurisdiction,
        state="ready" if why is None else "locked",
        why=why,
    )
