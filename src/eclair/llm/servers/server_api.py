"""The API that a server speaks, by its address, and the engine for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Unpack
from urllib.parse import urlsplit

from eclair.errors import EclairError, EngineUnavailable
from eclair.llm.anthropic.anthropic_engine import AnthropicEngine
from eclair.llm.gemini.gemini_engine import GeminiEngine
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.llm.servers import discovery
from eclair.llm.servers.endpoint_pool import EndpointPool
from eclair.llm.servers.jurisdiction import farthest, locate
from eclair.settings import EndpointSettings, EngineApi, EngineSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eclair.llm.base import JSON
    from eclair.llm.remote.server_engine import ServerEngine, ServerOptions
    from eclair.llm.servers.jurisdiction import ServerLocation
    from eclair.network.gate import OutboundGate

ENGINES: Mapping[EngineApi, type[OpenAIEngine | AnthropicEngine | GeminiEngine]] = {
    "openai": OpenAIEngine,
    "anthropic": AnthropicEngine,
    "gemini": GeminiEngine,
}


def api_at(url: str) -> EngineApi | None:
    """Return the API of the provider at `url`; None if that is none we know."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if host == "anthropic.com" or host.endswith(".anthropic.com"):
        return "anthropic"
    if host == "generativelanguage.googleapis.com":
        return "openai" if "/openai" in parts.path else "gemini"
    return None


def open_server(
    api: EngineApi | None,
    name: str,
    url: str,
    key: str | None,
    models: Sequence[str] = (),
    context: int | None = None,
    **options: Unpack[ServerOptions],
) -> ServerEngine:
    """Build the engine for a server. Without an `api` its address tells it; OpenAI's is the usual one."""
    return ENGINES[api or api_at(url) or "openai"](name, url, key, models, context, **options)


async def find_api(url: str, key: str | None, *, gate: OutboundGate, location: ServerLocation) -> EngineApi:
    """Ask for the models with the headers of each API: the list tells which it is, OpenAI's if none comes."""
    for api in ENGINES:
        engine = open_server(api, "probe", url, key, gate=gate, location=location)
        try:
            found = _api_of_list(await engine.fetch(f"{engine.url}/models", idle=discovery.LIST_TIMEOUT_S))
            if found is not None:
                return found
        except EngineUnavailable:
            break
        except EclairError:
            continue
        finally:
            await engine.close()
    return "openai"


def _api_of_list(data: JSON) -> EngineApi | None:
    match data:
        case {"data": [{"type": "model", "display_name": _}, *_]}:
            return "anthropic"
        case {"data": [*_]}:
            return "openai"
        case {"models": [{"name": _, "supportedGenerationMethods": _}, *_]}:
            return "gemini"
        case _:
            return None


def configured_engine(
    name: str, settings: EngineSettings, **options: Unpack[ServerOptions]
) -> ServerEngine | EndpointPool:
    """Build the engine that the settings describe under `name`: a pool if it has several endpoints."""
    options = {
        **options,
        "parallel": settings.parallel,
        "max_waiting": settings.max_waiting,
        "sessions": settings.sessions,
        "cache_salt": settings.cache_salt,
    }
    return open_servers(
        settings.api,
        name,
        (EndpointSettings(settings.url, settings.weight), *settings.endpoints),
        settings.key,
        settings.models,
        settings.context,
        hedge_after_s=settings.hedge_after,
        **options,
    )


def open_servers(
    api: EngineApi | None,
    name: str,
    endpoints: Sequence[EndpointSettings],
    key: str | None,
    models: Sequence[str],
    context: int | None,
    *,
    country: str | None = None,
    hedge_after_s: float | None = None,
    **options: Unpack[ServerOptions],
) -> ServerEngine | EndpointPool:
    """Build the engine for all addresses of a server: a pool if there are several. `country` is of them all."""
    locations = [locate(each.url, country) for each in endpoints]
    engines: list[ServerEngine] = []
    for each, options["location"] in zip(endpoints, locations, strict=True):
        engines.append(open_server(api, name, each.url, key, models, context, **options))
    if len(engines) == 1:
        return engines[0]
    weights = [each.weight for each in endpoints]
    pooled = list(zip(engines, weights, strict=True))
    return EndpointPool(name, pooled, farthest(locations), hedge_after_s=hedge_after_s)
