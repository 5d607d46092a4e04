"""The API of Black Forest Labs: a wish is handed in, asked after until it is ready, and what was drawn is fetched.

The shapes are those of docs.bfl.ai as of November 2026. Who is asked is an engine at one of its addresses, or of the
name `bfl`.
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
from eclair.images.backends.servers import PictureServer, PictureServers
from eclair.llm.servers.bfl import BFL_HOSTS, KEY_HEADER, api_root
from eclair.network.client import CallContext, HttpClient
from eclair.network.gate import CLOSED_GATE, OutboundGate
from eclair.schema.images import Drawn, Job, PictureModel, Progress
from eclair.schema.principal import Principal

NAME = "bfl"
PAUSES = (0.5, 0.5, 1.0, 1.0, 2.0)
"""Seconds between the first questions after a wish; between all others as many as between the last."""

WITHIN = 300.0
"""Seconds after which a wish is given up."""

TROUBLES = 5
"""Questions in a row that may fail before a wish is given up."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model as the API has it, under `/v1/`. `pictures` is how many it takes; `sides` says that it is told width and
    height, and else a ratio; `tuned` that it is told steps and guidance."""

    id: str
    name: str
    pictures: int = 0
    sides: bool = True
    most: int = 2048
    least: int = 64
    multiple: int = 16
    tuned: bool = False
    steps: int | None = None
    guidance: float | None = None


ENDPOINTS = (
    Endpoint("flux-2-pro", "FLUX.2 [pro]", 8),
    Endpoint("flux-2-max", "FLUX.2 [max]", 8),
    Endpoint("flux-2-flex", "FLUX.2 [flex]", 8, tuned=True, steps=50, guidance=5.0),
    Endpoint("flux-2-klein-9b", "FLUX.2 [klein] 9B", 4),
    Endpoint("flux-2-klein-4b", "FLUX.2 [klein] 4B", 4),
    Endpoint("flux-kontext-max", "FLUX.1 Kontext [max]", 1, sides=False),
    Endpoint("flux-kontext-pro", "FLUX.1 Kontext [pro]", 1, sides=False),
    Endpoint("flux-pro-1.1", "FLUX1.1 [pro]", least=256, most=1440, multiple=32),
)


class BlackForestLabs:
    """Implements `base.Generator`."""

    name = NAME

    def __init__(
        self,
        servers: PictureServers,
        taken: frozenset[str] = frozenset(),
        *,
        gate: OutboundGate = CLOSED_GATE,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._servers = servers
        self._taken = taken
        self._gate = gate
        self._sleep = sleep

    async def models(self) -> Sequence[PictureModel]:
        found = await self._found()
        return [model for model, _, _ in found.values()]

    async def draw(
        self, model: PictureModel, job: Job, principal: Principal, run: str | None
    ) -> AsyncGenerator[Progress | Drawn, None]:
        found = (await self._found()).get(model.id)
        if found is None:
            raise NotFound(f"There is no picture model {model.id!r} any more.", param="model")
        _, endpoint, server = found
        if server.problem is not None:
            raise server.problem
        _check(model, endpoint, job)
        context = CallContext(principal, "engine", run, server.country)
        keyed = HttpClient(api_root(server.url), server.key, gate=self._gate, country=server.country, header=KEY_HEADER)
        bare = HttpClient(api_root(server.url), gate=self._gate, country=server.country)
        drawn: Drawn | None = None
        try:
            url = await self._begun(keyed, server, endpoint, job, context)
            async with aclosing(self._asked(keyed, server, url, context)) as answers:
                async for said in answers:
                    if isinstance(said, Progress):
                        yield said
                        continue
                    reply, content = await http_backend.read(server.name, bare.get(said.url, context=context))
                    if reply.status != 200:
                        raise http_backend.refusal(server.name, None, reply, content)
                    drawn = Drawn(http_backend.picture(server.name, content), said.seed, said.prompt)
        finally:
            await keyed.close()
            await bare.close()
        assert drawn is not None
        yield drawn

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _found(self) -> dict[str, tuple[PictureModel, Endpoint, PictureServer]]:
        found: dict[str, tuple[PictureModel, Endpoint, PictureServer]] = {}
        for server in await self._servers.all():
            if not server.draws_only:
                continue
            for endpoint in ENDPOINTS:
                plain = endpoint.id not in self._taken and endpoint.id not in found
                id = endpoint.id if plain else f"{endpoint.id}@{server.name}"
                found[id] = (_model(id, endpoint, server, server.why_not(self._gate)), endpoint, server)
        return found

    async def _begun(
        self, http: HttpClient, server: PictureServer, endpoint: Endpoint, job: Job, context: CallContext
    ) -> str:
        """Hand the wish in; where to ask after it."""
        body = orjson.dumps(_body(endpoint, job))
        call = http.post(f"{api_root(server.url)}/v1/{endpoint.id}", body, context=context)
        reply, content = await http_backend.read(server.name, call)
        if reply.status != 200:
            raise http_backend.refusal(server.name, server.key, reply, content)
        return _kin(server, http_backend.parsed(server.name, content).get("polling_url"))

    async def _asked(
        self, http: HttpClient, server: PictureServer, url: str, context: CallContext
    ) -> AsyncGenerator[Progress | Ready, None]:
        """How far it is, and at last where the picture is."""
        waited, troubles, pauses = 0.0, 0, iter(PAUSES)
        while waited < WITHIN:
            pause = next(pauses, PAUSES[-1])
            await self._sleep(pause)
            waited += pause
            try:
                reply, content = await http_backend.read(server.name, http.get(url, context=context))
                if reply.status != 200 and reply.status != 404:
                    raise http_backend.refusal(server.name, server.key, reply, content)
            except (EngineUnavailable, EngineBroken, EngineBusy):
                troubles += 1
                if troubles == TROUBLES:
                    raise
                continue
            troubles = 0
            data = http_backend.parsed(server.name, content)
            done = _judged(server, data)
            if done is not None:
                yield done
                return
            part: Any = data.get("progress")
            yield Progress(round(min(1.0, max(0.0, part)) * 100) if isinstance(part, int | float) else 0, 100)
        raise EngineUnavailable(f"The engine {server.name} has drawn nothing within {WITHIN:g} seconds; try again.")


@dataclass(frozen=True, slots=True)
class Ready:
    """Where the picture can be fetched for some minutes."""

    url: str
    seed: int | None
    prompt: str | None


def _judged(server: PictureServer, data: dict[str, Any]) -> Ready | None:
    """What an answer says; None while nothing is ready. Raises UpstreamError."""
    result: Any = data.get("result")
    match data.get("status"):
        case "Ready" if isinstance(result, dict):
            seed: Any = result.get("seed")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            prompt: Any = result.get("prompt")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            return Ready(
                _kin(server, result.get("sample")),  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
                seed if isinstance(seed, int) else None,
                prompt if isinstance(prompt, str) else None,
            )
        case "Pending" | "Queued" | "Processing" | "Generating":
            return None
        case "Request Moderated":
            raise EngineRefused(
                f"The engine {server.name} does not draw that: its moderation refuses the words or the picture. "
                "Change them, or draw on this machine."
            )
        case "Content Moderated":
            raise EngineRefused(
                f"The engine {server.name} drew it and does not give it out: its moderation refuses what it shows. "
                "Change the words, or draw on this machine."
            )
        case "Task not found":
            raise EngineBroken(f"The engine {server.name} has lost the wish; try again.")
        case "Error" | "Failed":
            said = http_backend.told(server.key, orjson.dumps(data.get("details") or data.get("error") or ""))
            raise EngineBroken(f"The engine {server.name} failed{f': {said}' if said else ''}; try again.")
        case other:
            raise EngineBroken(f"The engine {server.name} says {str(other)[:60]!r}, which nobody understands.")


def _kin(server: PictureServer, url: Any) -> str:
    """`url` if it belongs to the same server, or both to Black Forest Labs: an answer leads nowhere else."""
    there = http_backend.host(url) if isinstance(url, str) else ""
    own = http_backend.host(server.url)
    if there and (there == own or (_is_theirs(own) and _is_theirs(there))):
        return str(url)
    raise EngineBroken(f"The engine {server.name} points elsewhere than to itself ({there or 'nowhere'}).")


def _is_theirs(host: str) -> bool:
    return any(host == each or host.endswith(f".{each}") for each in BFL_HOSTS)


def _body(endpoint: Endpoint, job: Job) -> dict[str, Any]:
    body: dict[str, Any] = {"prompt": job.prompt, "seed": job.seed, "output_format": "png"}
    if endpoint.sides:
        body |= {"width": job.width, "height": job.height}
    else:
        common = math.gcd(job.width, job.height)
        body["aspect_ratio"] = f"{job.width // common}:{job.height // common}"
    if endpoint.tuned:
        body |= {"steps": job.steps, "guidance": job.guidance}
    for number, source in enumerate(job.sources, 1):
        body["input_image" if number == 1 else f"input_image_{number}"] = base64.b64encode(source).decode()
    return {name: value for name, value in body.items() if value is not None}


def _check(model: PictureModel, endpoint: Endpoint, job: Job) -> None:
    """Raises InvalidInput for what the model does not do."""
    if len(job.sources) > endpoint.pictures:
        most = f"takes {endpoint.pictures} pictures at most" if endpoint.pictures else "edits no pictures"
        raise InvalidInput(f"{model.name} {most}; choose another model.", param="sources")
    if job.mask is not None:
        raise InvalidInput(f"{model.name} takes no mask; choose another model.", param="mask")
    if job.negative:
        raise InvalidInput(f"{model.name} heeds no negative prompt; leave it out.", param="negative")
    if not endpoint.sides and not 3 / 7 <= job.width / job.height <= 7 / 3:
        raise InvalidInput(f"{model.name} draws no picture longer than 7:3.", param="width")


def _model(id: str, endpoint: Endpoint, server: PictureServer, why: str | None) -> PictureModel:
    return PictureModel(
        id=id,
        name=endpoint.name,
        maker="Black Forest Labs",
        country="DE",
        generator=NAME,
        licence="Black Forest Labs' terms for its API",
        licence_url="https://bfl.ai/legal/developer-terms-of-service",
        least=endpoint.least,
        most=endpoint.most,
        multiple=endpoint.multiple,
        steps=endpoint.steps,
        guidance=endpoint.guidance,
        edits=endpoint.pictures > 0,
        jurisdiction=server.jurisdiction,
        state="ready" if why is None else "locked",
        why=why,
    )
