"""Who answers in the place of a model that is down or slow, by the rules of the settings; never once words have come.

A rule names its models, wherever they are: nothing goes elsewhere that it does not name. What is laid out for each of
them is left to whoever asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from eclair.errors import EngineBroken, EngineBusy, EngineUnavailable, NotFound, UpstreamError
from eclair.llm.base import Engine, Piece, Request
from eclair.llm.registry import Registry
from eclair.schema.models import Model
from eclair.settings import Settings

MOVES_ON = (EngineUnavailable, EngineBusy, EngineBroken)
"""What has another model asked. A refusal does not: another would refuse the question too."""

PLACES = {"machine": "on this machine", "network": "in this network", "unknown": "it is unknown where"}


class Fallback:
    """The models that may still answer in another's place, for one answer. `failed` are those that did not, and why."""

    def __init__(self, registry: Registry, names: Sequence[str] = (), slow_after: float = 0) -> None:
        self._registry = registry
        self._names = list(names)
        self._slow_after = slow_after
        self.failed: list[tuple[str, str]] = []

    def copy(self) -> Fallback:
        """For another answer to the same question."""
        copy = Fallback(self._registry, self._names, self._slow_after)
        copy.failed += self.failed
        return copy

    @property
    def patience(self) -> float | None:
        """Seconds that a first word is waited for; None is without an end."""
        return self._slow_after if self._slow_after and self._names else None

    def slow(self, model: Model) -> EngineUnavailable:
        """What is said of one that says nothing for that long."""
        return EngineUnavailable(f"{model.name} said nothing for {self._slow_after:g} seconds.")

    async def next(self, failed: str, why: str) -> tuple[Engine, Model] | None:
        """The next one that is there, after `failed` did not answer; None when there is none."""
        self.failed.append((failed, why))
        while self._names:
            name = self._names.pop(0)
            try:
                return await self._registry.resolve(name)
            except (NotFound, EngineUnavailable) as error:
                self.failed.append((name, error.message))
        return None

    def in_place(self, model: Model) -> bool:
        """Whether it answers in the place of another, rather than late."""
        return bool(self.failed) and self.failed[0][0] != model.id

    def remark(self, model: Model) -> str:
        """That it answers in the place of those that did not, why, and where it is."""
        where = PLACES.get(model.location, f"in {model.location}")
        reasons = " ".join(f"{name} did not answer: {why}" for name, why in self.failed)
        return f"{reasons} {model.name} answered in its place, by the engine {model.engine} ({where})."

    def fault(self, error: UpstreamError) -> UpstreamError:
        """`error` of the one that was asked last, in the words of all that were asked."""
        if len(self.failed) < 2:
            return error
        return type(error)(" ".join(f"{name} did not answer: {why}" for name, why in self.failed))


class Choice(Protocol):
    """Who is asked first, and who after that."""

    @property
    def engine(self) -> Engine: ...

    @property
    def model(self) -> Model: ...

    @property
    def fallback(self) -> Fallback: ...


async def resolve(settings: Settings, registry: Registry, name: str | None) -> tuple[Engine, Model, Fallback]:
    """The model of that name, or the default one; where it is not there, the first of its rule that is. And who
    answers in its place.

    Raises NotFound and EngineUnavailable as the registry does.
    """
    try:
        engine, model = await registry.resolve(name)
    except (EngineUnavailable, NotFound) as error:
        asked = name or registry.default or ""
        fallback = Fallback(registry, settings.fallbacks.get(asked, ()), settings.slow_after)
        other = await fallback.next(asked, error.message)
        if other is None:
            raise
        return *other, fallback
    return engine, model, Fallback(registry, settings.fallbacks.get(model.id, ()), settings.slow_after)


Ask = Callable[[Engine, Model, Request], AsyncGenerator[Piece, None]]
"""What an engine says to a request."""


def stream(engine: Engine, model: Model, request: Request) -> AsyncGenerator[Piece, None]:
    """As the engine says it."""
    return engine.stream(request)


class Asking:
    """One question to the engines, for whoever passes their pieces on: `make` makes a model's request of it, `ask`
    asks.

    `request` is that of the model that answers, once the first piece is there.
    """

    def __init__(self, chosen: Choice, make: Callable[[Model], Request], ask: Ask) -> None:
        self.request = make(chosen.model)
        self._model: Model = chosen.model
        self._engine: Engine = chosen.engine
        self._fallback = chosen.fallback.copy()
        self._make = make
        self._ask = ask

    async def stream(self) -> AsyncGenerator[Piece, None]:
        """As `Engine.stream`; the next model is asked where one fails or is slow before its first piece."""
        while True:
            other: tuple[Engine, Model] | None = None
            begun = False
            try:
                async with aclosing(self._ask(self._engine, self._model, self.request)) as pieces:
                    first = asyncio.ensure_future(anext(pieces, None))
                    try:
                        await asyncio.wait([first], timeout=self._fallback.patience)
                        if not first.done():
                            other = await self._next(self._fallback.slow(self._model))
                        piece = None if other else await first
                    finally:
                        await stopped(first)
                    if piece is not None:
                        begun = True
                        yield piece
                        async for piece in pieces:
                            yield piece
                        return
                if other is None:
                    raise EngineBroken("The engine broke off before the end of its answer; try again.")
            except MOVES_ON as error:
                if begun:
                    raise
                other = await self._next(error)
                if other is None:
                    raise self._fallback.fault(error) from error
            self._engine, self._model = other
            self.request = self._make(self._model)

    async def _next(self, error: UpstreamError) -> tuple[Engine, Model] | None:
        return await self._fallback.next(self._model.id, error.message)


async def stopped(task: asyncio.Future[Any]) -> None:
    """Have it end, if it has not."""
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
