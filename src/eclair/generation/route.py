"""A route: the answering model, its engine, fallbacks and reasoning effort."""

from __future__ import annotations

from dataclasses import dataclass, replace

from eclair.errors import EngineUnavailable, NotFound
from eclair.generation.fallback import Fallback
from eclair.llm.base import JSON, Engine, Request
from eclair.llm.registry import Registry
from eclair.schema.events import Notice
from eclair.schema.models import Model
from eclair.settings import Settings


@dataclass(frozen=True, slots=True)
class Route:
    """A resolved model.

    `effort` is the `reasoning_effort` to ask for, None to leave it to the model. `notice` tells why this model was
    chosen, if nobody named one.
    """

    engine: Engine
    model: Model
    fallback: Fallback
    effort: str | None = None
    notice: Notice | None = None

    def with_effort(self, request: Request) -> Request:
        """Add the route's effort to a request that states none."""
        effort: JSON = {} if self.effort is None else {"reasoning_effort": self.effort}
        return replace(request, extra=effort | request.extra)


async def resolve_route(settings: Settings, registry: Registry, name: str | None) -> Route:
    """Route to the named model, else the default; if it is missing, to its first fallback.

    Raises NotFound and EngineUnavailable as `Registry.resolve` does.
    """
    try:
        engine, model = await registry.resolve(name)
    except (EngineUnavailable, NotFound) as error:
        asked = name or registry.default or ""
        fallback = Fallback(registry, settings.fallbacks.get(asked, ()), settings.slow_after)
        other = await fallback.next(asked, error.message)
        if other is None:
            raise
        return Route(*other, fallback)
    return Route(engine, model, Fallback(registry, settings.fallbacks.get(model.id, ()), settings.slow_after))
