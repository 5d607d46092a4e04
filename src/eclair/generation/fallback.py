"""Chooses another model when one is down or slow, by the rules of the settings.

A rule names its models, wherever they are: no question goes elsewhere. Once the first word has arrived, no other
model takes over. Building the prompt again is left to the pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence

from eclair.errors import EngineBroken, EngineBusy, EngineUnavailable, NotFound, UpstreamError
from eclair.llm.base import Engine
from eclair.llm.registry import Registry
from eclair.schema.events import Notice
from eclair.schema.models import Model

FALLBACK_ERRORS = (EngineUnavailable, EngineBusy, EngineBroken)
"""Errors after which another model is asked. Not a refusal: another model would refuse too."""

LOCATION_PHRASES = {"machine": "on this machine", "network": "in this network", "unknown": "it is unknown where"}


class Fallback:
    """The models that may still answer one question.

    `failed` lists the models that failed, each with the reason.
    """

    def __init__(self, registry: Registry, names: Sequence[str] = (), slow_after: float = 0) -> None:
        self._registry = registry
        self._names = list(names)
        self._slow_after = slow_after
        self.failed: list[tuple[str, str]] = []

    def copy(self) -> Fallback:
        """Start over, for another answer to the same question."""
        copy = Fallback(self._registry, self._names, self._slow_after)
        copy.failed += self.failed
        return copy

    @property
    def timeout_s(self) -> float | None:
        """Seconds to wait for the first word; None if no other model is left."""
        return self._slow_after if self._slow_after and self._names else None

    def timed_out(self, model: Model) -> EngineUnavailable:
        """Return the error of a model that didn't answer within `timeout_s`."""
        return EngineUnavailable(f"{model.name} said nothing for {self._slow_after:g} seconds.")

    async def next(self, failed: str, why: str) -> tuple[Engine, Model] | None:
        """Return the next available model after `failed` didn't answer; None if none is left."""
        self.failed.append((failed, why))
        while self._names:
            name = self._names.pop(0)
            try:
                return await self._registry.resolve(name)
            except (NotFound, EngineUnavailable) as error:
                self.failed.append((name, error.message))
        return None

    def notice(self, model: Model) -> Notice | None:
        """Tell that `model` answers for another, why, and where it runs; None if it was just late."""
        if not self.failed or self.failed[0][0] == model.id:
            return None
        where = LOCATION_PHRASES.get(model.location, f"in {model.location}")
        reasons = " ".join(f"{name} did not answer: {why}" for name, why in self.failed)
        message = f"{reasons} {model.name} answered in its place, by the engine {model.engine} ({where})."
        return Notice("answered_by", message)

    def explain(self, error: UpstreamError) -> UpstreamError:
        """Return the last model's `error` with the reasons of all that were asked."""
        if len(self.failed) < 2:
            return error
        return type(error)(" ".join(f"{name} did not answer: {why}" for name, why in self.failed))
