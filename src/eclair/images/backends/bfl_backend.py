"""The API of Black Forest Labs: post a request, poll, fetch the image.

Formats follow docs.bfl.ai as of November 2026. An engine at one of its addresses, or named `bfl`, is called so.
"""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson

from eclair.errors import EngineBroken, EngineBusy, EngineRefused, EngineUnavailable, InvalidInput, NotFound
from eclair.images.backends import http as http_backend
from eclair.images.backends.servers import ImageServer, ImageServers
from eclair.images.job import ImageJob
from eclair.llm.servers.bfl import BFL_HOSTS, KEY_HEADER, api_root
from eclair.network.client import CallContext, HttpClient
from eclair.network.gate import CLOSED_GATE, OutboundGate
from eclair.schema.images import BackendProgress, ImageModel, UnmarkedImage

NAME = "bfl"
POLL_PAUSES_S = (0.5, 0.5, 1.0, 1.0, 2.0)
"""Before the first polls; the last pause is repeated."""

JOB_TIMEOUT_S = 300.0

MAX_POLL_FAILURES = 5
"""In a row."""


@dataclass(frozen=True, slots=True)
class BflEndpoint:
    """A model of the API, under `/v1/`.

    It takes up to `max_images`; with `has_sides` it takes width and height, else an aspect ratio; with `has_steps` it
    takes steps and guidance.
    """

    id: str
    name: str
    max_images: int = 0
    has_sides: bool = True
    most: int = 2048
    least: int = 64
    multiple: int = 16
    has_steps: bool = False
    steps: int | None = None
    guidance: float | None = None


ENDPOINTS = (
    BflEndpoint("flux-2-pro", "FLUX.2 [pro]", 8),
    BflEndpoint("flux-2-max", "FLUX.2 [max]", 8),
    BflEndpoint("flux-2-flex", "FLUX.2 [flex]", 8, has_steps=True, steps=50, guidance=5.0),
    BflEndpoint("flux-2-klein-9b", "FLUX.2 [klein] 9B", 4),
    BflEndpoint("flux-2-klein-4b", "FLUX.2 [klein] 4B", 4),
    BflEndpoint("flux-kontext-max", "FLUX.1 Kontext [max]", 1, has_sides=False),
    BflEndpoint("flux-kontext-pro", "FLUX.1 Kontext [pro]", 1, has_sides=False),
    BflEndpoint("flux-pro-1.1", "FLUX1.1 [pro]", least=256, most=1440, multiple=32),
)


class BflBackend:
    """Implements `ImageBackend`."""

    name = NAME

    def __init__(
        self,
        servers: ImageServers,
        taken: frozenset[str] = frozenset(),
        *,
        gate: OutboundGate = CLOSED_GATE,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._servers = servers
        self._taken = taken
        self._gate = gate
        self._sleep = sleep

    async def models(self) -> Sequence[ImageModel]:
        found = await self._find_models()
        return [model for model, _, _ in found.values()]

    async def generate(self, job: ImageJob) -> AsyncGenerator[BackendProgress | UnmarkedImage, None]:
        found = (await self._find_models()).get(job.model.id)
        if found is None:
            raise NotFound(f"There is no image model {job.model.id!r} any more.", param="model")
        _, endpoint, server = found
        if server.problem is not None:
            raise server.problem
        _check(endpoint, job)
        context = CallContext(job.principal, "engine", job.run, server.country)
        keyed = HttpClient(api_root(server.url), server.key, gate=self._gate, country=server.country, header=KEY_HEADER)
        bare = HttpClient(api_root(server.url), gate=self._gate, country=server.country)
        drawn: UnmarkedImage | None = None
        try:
            url = await self._submit(keyed, server, endpoint, job, context)
            async with aclosing(self._poll(keyed, server, url, context)) as answers:
                async for said in answers:
                    if isinstance(said, BackendProgress):
                        yield said
                        continue
                    reply, content = await http_backend.read_reply(server.name, bare.get(said.url, context=context))
                    if reply.status != 200:
                        raise http_backend.refusal_error(server.name, None, reply, content)
                    drawn = UnmarkedImage(http_backend.check_image(server.name, content), said.seed, said.prompt)
        finally:
            await keyed.close()
            await bare.close()
        assert drawn is not None
        yield drawn

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _find_models(self) -> dict[str, tuple[ImageModel, BflEndpoint, ImageServer]]:
        found: dict[str, tuple[ImageModel, BflEndpoint, ImageServer]] = {}
        for server in await self._servers.all():
            if not server.draws_only:
                continue
            for endpoint in ENDPOINTS:
                plain = endpoint.id not in self._taken and endpoint.id not in found
                id = endpoint.id if plain else f"{endpoint.id}@{server.name}"
                found[id] = (_model(id, endpoint, server, server.why_not(self._gate)), endpoint, server)
        return found

    async def _submit(
        self, http: HttpClient, server: ImageServer, endpoint: BflEndpoint, job: ImageJob, context: CallContext
    ) -> str:
        """Post the request and return the URL to poll."""
        body = orjson.dumps(_body(endpoint, job))
        call = http.post(f"{api_root(server.url)}/v1/{endpoint.id}", body, context=context)
        reply, content = await http_backend.read_reply(server.name, call)
        if reply.status != 200:
            raise http_backend.refusal_error(server.name, server.key, reply, content)
        return _own_url(server, http_backend.parse_json(server.name, content).get("polling_url"))

    async def _poll(
        self, http: HttpClient, server: ImageServer, url: str, context: CallContext
    ) -> AsyncGenerator[BackendProgress | BflResult, None]:
        """Poll until the image is ready: yield progress, and the result last."""
        waited, troubles, pauses = 0.0, 0, iter(POLL_PAUSES_S)
        while waited < JOB_TIMEOUT_S:
            pause = next(pauses, POLL_PAUSES_S[-1])
            await self._sleep(pause)
            waited += pause
            try:
                reply, content = await http_backend.read_reply(server.name, http.get(url, context=context))
                if reply.status != 200 and reply.status != 404:
                    raise http_backend.refusal_error(server.name, server.key, reply, content)
            except (EngineUnavailable, EngineBroken, EngineBusy):
                troubles += 1
                if troubles == MAX_POLL_FAILURES:
                    raise
                continue
            troubles = 0
            data = http_backend.parse_json(server.name, content)
            done = _read_poll(server, data)
            if done is not None:
                yield done
                return
            part: Any = data.get("progress")
            yield BackendProgress(round(min(1.0, max(0.0, part)) * 100) if isinstance(part, int | float) else 0, 100)
        raise EngineUnavailable(f"The engine {server.name} generated nothing in {JOB_TIMEOUT_S:g} seconds; try again.")


@dataclass(frozen=True, slots=True)
class BflResult:
    """The image can be fetched at `url` for some minutes."""

    url: str
    seed: int | None
    prompt: str | None


def _read_poll(server: ImageServer, data: dict[str, Any]) -> BflResult | None:
    """Read a reply to a poll; None while nothing is ready. Raises UpstreamError."""
    result: Any = data.get("result")
    match data.get("status"):
        case "Ready" if isinstance(result, dict):
            seed: Any = result.get("seed")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            prompt: Any = result.get("prompt")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            return BflResult(
                _own_url(server, result.get("sample")),  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
                seed if isinstance(seed, int) else None,
                prompt if isinstance(prompt, str) else None,
            )
        case "Pending" | "Queued" | "Processing" | "Generating":
            return None
        case "Request Moderated":
            raise EngineRefused(
                f"The engine {server.name} refused this: its moderation rejects the prompt or an image. "
                "Change them, or use a model on this machine."
            )
        case "Content Moderated":
            raise EngineRefused(
                f"The engine {server.name} generated it but keeps it back: its moderation rejects the image. "
                "Change the prompt, or use a model on this machine."
            )
        case "Task not found":
            raise EngineBroken(f"The engine {server.name} has lost the request; try again.")
        case "Error" | "Failed":
            said = http_backend.server_message(server.key, orjson.dumps(data.get("details") or data.get("error") or ""))
            raise EngineBroken(f"The engine {server.name} failed{f': {said}' if said else ''}; try again.")
        case other:
            raise EngineBroken(f"The engine {server.name} says {str(other)[:60]!r}, which isn't understood.")


def _own_url(server: ImageServer, url: Any) -> str:
    """Return `url` if it is on the same server, or both are Black Forest Labs'. Raises EngineBroken otherwise.

    The key goes there, so scheme and port must be the same too.
    """
    there = http_backend.origin_of(url) if isinstance(url, str) else None
    own = http_backend.origin_of(server.url)
    if there is not None and own is not None and (there == own or _are_theirs(own, there)):
        return str(url)
    raise EngineBroken(f"The engine {server.name} refers to another server ({there[1] if there else 'nowhere'}).")


def _are_theirs(own: tuple[str, str, int], there: tuple[str, str, int]) -> bool:
    return own[::2] == there[::2] and _is_theirs(own[1]) and _is_theirs(there[1])


def _is_theirs(host: str) -> bool:
    return any(host == each or host.endswith(f".{each}") for each in BFL_HOSTS)


def _body(endpoint: BflEndpoint, job: ImageJob) -> dict[str, Any]:
    body: dict[str, Any] = {"prompt": job.prompt, "seed": job.seed, "output_format": "png"}
    if endpoint.has_sides:
        body |= {"width": job.width, "height": job.height}
    else:
        common = math.gcd(job.width, job.height)
        body["aspect_ratio"] = f"{job.width // common}:{job.height // common}"
    if endpoint.has_steps:
        body |= {"steps": job.steps, "guidance": job.guidance}
    for number, source in enumerate(job.sources, 1):
        body["input_image" if number == 1 else f"input_image_{number}"] = base64.b64encode(source).decode()
    return {name: value for name, value in body.items() if value is not None}


def _check(endpoint: BflEndpoint, job: ImageJob) -> None:
    """Raise InvalidInput for what the model can't do."""
    if len(job.sources) > endpoint.max_images:
        limit = f"takes at most {endpoint.max_images} images" if endpoint.max_images else "can't edit images"
        raise InvalidInput(f"{job.model.name} {limit}; choose another model.", param="sources")
    if job.mask is not None:
        raise InvalidInput(f"{job.model.name} takes no mask; choose another model.", param="mask")
    if job.negative:
        raise InvalidInput(f"{job.model.name} takes no negative prompt; leave it out.", param="negative")
    if not endpoint.has_sides and not 3 / 7 <= job.width / job.height <= 7 / 3:
        raise InvalidInput(f"{job.model.name} generates nothing longer than 7:3.", param="width")


def _model(id: str, endpoint: BflEndpoint, server: ImageServer, why: str | None) -> ImageModel:
    return ImageModel(
        id=id,
        name=endpoint.name,
        maker="Black Forest Labs",
        country="DE",
        generator=NAME,
        license="Black Forest Labs' terms for its API",
        license_url="https://bfl.ai/legal/developer-terms-of-service",
        least=endpoint.least,
        most=endpoint.most,
        multiple=endpoint.multiple,
        steps=endpoint.steps,
        guidance=endpoint.guidance,
        edits=endpoint.max_images > 0,
        jurisdiction=server.jurisdiction,
        state="ready" if why is None else "locked",
        why=why,
    )
