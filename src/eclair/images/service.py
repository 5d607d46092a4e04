"""The studio: who can draw, who is next, and what becomes of what was drawn.

A wish is resolved first, so that what cannot be made is refused before anything begins. Then its pictures are made one
after the other, each in its turn; what comes of a generator is marked, looked at in a bounded process, and kept.
"""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from eclair.errors import EngineBroken, EngineUnavailable, Forbidden, ModelMissing, NotFound, UnreadableFile
from eclair.images import request
from eclair.images.base import Generator, PromptChecker
from eclair.images.gallery import Gallery
from eclair.images.inputs import NOTHING, Brought, Sources
from eclair.images.inspect import ImageInspector
from eclair.images.queue import Queue
from eclair.provenance import xmp as note
from eclair.provenance.report import DEFAULT_QUALITY, ImageForm, Origin
from eclair.provenance.service import Provenance
from eclair.schema.ids import Clock, new_id
from eclair.schema.images import Drawn, Finished, Job, Picture, PictureModel, Progress, Underway, Waiting
from eclair.schema.messages import Wish
from eclair.schema.principal import Principal
from eclair.util.background import Idle

AT_ONCE_ELSEWHERE = 4
"""Pictures that a generator makes together that has its models elsewhere."""
LARGEST = 64 << 20
"""Bytes of a picture that is taken from a generator."""
LARGEST_LOOK = 4 << 20
"""Bytes of a look at one in the making."""

_LOOKS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Commission:
    """A wish that can be fulfilled. `job` is its first picture; the others have the seeds that follow. What is part of
    an answer says of which `message` in which `conversation`, and calls to elsewhere are put down for its `run`.

    `form` is how the pictures are written and in what `quality` from 1 to 100, None as they come.
    """

    principal: Principal
    generator: Generator
    model: PictureModel
    prompt: str
    wish: Wish
    job: Job
    run: str | None = None
    conversation: str | None = None
    message: str | None = None
    form: ImageForm | None = None
    quality: int = DEFAULT_QUALITY

    def within(self, run: str, conversation: str, message: str) -> Commission:
        """The same as part of an answer."""
        return replace(self, run=run, conversation=conversation, message=message)


@dataclass(frozen=True, slots=True)
class Look:
    """A picture in the making, with its type (RFC 6838); it is look number `count`, counted from 1."""

    principal: Principal
    media: str
    image: bytes
    count: int


Making = Waiting | Underway | Finished


class Studio:
    """`generators` come first to last: of two that have a model of one id the first has it. `model` is the one that
    draws when none is named; a picture may take `seconds`. `at_once` are made together by one generator here."""

    def __init__(
        self,
        generators: Sequence[Generator],
        gallery: Gallery,
        sources: Sources,
        inspector: ImageInspector,
        marks: Provenance,
        idle: Idle,
        *,
        model: str | None = None,
        seconds: float,
        at_once: int = 1,
        clock: Clock = time.time,
        ids: Callable[[str], str] = new_id,
    ) -> None:
        self.generators = tuple(generators)
        self._gallery = gallery
        self._sources = sources
        self._inspector = inspector
        self._marks = marks
        self._idle = idle
        self._model = model
        self.seconds = seconds
        self._at_once = at_once
        self._clock = clock
        self._ids = ids
        self._queues: dict[tuple[str, bool], Queue] = {}
        self._looks: dict[str, Look] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def models(self) -> list[PictureModel]:
        """Those that can draw and those that could."""
        return [model for _, model in await self._all()]

    async def default(self) -> PictureModel | None:
        """The one that draws when none is named; None where none can."""
        return self.default_of(await self.models())

    def default_of(self, models: Sequence[PictureModel], *, edits: bool = False) -> PictureModel | None:
        """The one of these that draws when none is named; where pictures are edited, the first that does."""
        if self._model is not None:
            return next((model for model in models if model.id == self._model), None)
        ready = [model for model in models if model.state == "ready"]
        taught = next((model for model in ready if not model.drawn), next(iter(ready), None))
        if edits and (taught is None or not taught.edits):
            return next((model for model in ready if model.edits), taught)
        return taught

    async def chosen(self, name: str | None, *, edits: bool = False) -> tuple[Generator, PictureModel]:
        """The model of that id, or the one that draws when none is named, and who has it. Raises NotFound, ModelMissing
        where it is not here, and Forbidden where it may not draw."""
        every = await self._all()
        models = [model for _, model in every]
        by_name = next((model for model in models if model.id == name), None)
        found = self.default_of(models, edits=edits) if name is None else by_name
        if found is None:
            raise self._unknown(name or self._model, models)
        if found.state == "absent":
            raise ModelMissing(found.why or f"{found.name} is not here; `eclair pull {found.id}` brings it.")
        if found.state == "locked":
            raise Forbidden(found.why or f"{found.name} may not draw here; see docs/pictures.md.", param="model")
        return next(each for each in every if each[1] is found)

    async def wish(
        self,
        principal: Principal,
        prompt: str,
        wish: Wish,
        model: str | None = None,
        *,
        brought: Brought = NOTHING,
        form: ImageForm | None = None,
        quality: int = DEFAULT_QUALITY,
    ) -> Commission:
        """What is to be made, with nothing left open. Raises InvalidInput and TooLarge for what the model does not
        make, NotFound and UnreadableFile for what is to be edited, and what `chosen` raises."""
        sources = len(wish.sources) + len(brought.pictures)
        generator, who = await self.chosen(model, edits=sources > 0)
        request.check(who, prompt, wish, sources, masked=wish.mask is not None or brought.mask is not None)
        request.size(who, wish, None)
        prepared = await self._sources.prepared(principal, wish, brought, who)
        of = request.size(who, wish, prepared.size)
        job = request.job(who, prompt, wish, of, prepared.pictures, prepared.mask)
        if isinstance(generator, PromptChecker):
            await generator.check(job, principal)
        return Commission(principal, generator, who, prompt.strip(), wish, job, form=form, quality=quality)

    async def draw(self, commission: Commission) -> AsyncGenerator[Making, None]:
        """Make the pictures. Closing what comes back leaves the queue, or stops the work within a step; pictures that
        are made stay. Raises TooBusy where too many wait, UpstreamError where a generator fails, and SettingsError
        where there is nothing to sign with: what cannot be marked is not kept."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with self._idle.busy():
                for index in range(commission.wish.count):
                    async with aclosing(self._one(commission, index)) as making:
                        async for each in making:
                            yield each
        finally:
            self._tasks.discard(task)

    @property
    def working(self) -> int:
        """Pictures that are being made now."""
        return sum(queue.working for queue in self._queues.values())

    @property
    def waiting(self) -> int:
        """Pictures that wait for their turn."""
        return sum(queue.waiting for queue in self._queues.values())

    def look(self, principal: Principal, id: str) -> Look:
        """The latest look at a picture in the making. Raises NotFound where there is none."""
        found = self._looks.get(id)
        if found is None or found.principal != principal:
            raise NotFound(f"The picture {id!r} is not being made, or cannot be looked at meanwhile.")
        return found

    def stop(self) -> None:
        """Cancel whoever has something drawn, so that their connections close by themselves."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """End the generators."""
        for generator in self.generators:
            await generator.close()

    async def _all(self) -> list[tuple[Generator, PictureModel]]:
        listed = await asyncio.gather(*(generator.models() for generator in self.generators))
        found: dict[str, tuple[Generator, PictureModel]] = {}
        for generator, models in zip(self.generators, listed, strict=True):
            for model in models:
                found.setdefault(model.id, (generator, model))
        return list(found.values())

    def _unknown(self, name: str | None, models: Sequence[PictureModel]) -> NotFound | ModelMissing:
        if name is None:
            return ModelMissing("No model that makes pictures is ready; `eclair pull flux-1-schnell` brings one.")
        near = difflib.get_close_matches(name, [model.id for model in models], n=3, cutoff=0.0)
        there = f"there is {', '.join(near)}" if near else "there is none at all"
        return NotFound(f"There is no model {name!r} that makes pictures; {there}.", param="model")

    def _queue(self, model: PictureModel) -> Queue:
        elsewhere = model.jurisdiction is not None
        at_once = AT_ONCE_ELSEWHERE if elsewhere else self._at_once
        return self._queues.setdefault((model.generator, elsewhere), Queue(at_once))

    async def _one(self, commission: Commission, index: int) -> AsyncGenerator[Making, None]:
        """Make, mark and keep picture number `index`."""
        id, drawn, began = self._ids("pic"), None, 0.0
        job = replace(commission.job, seed=(commission.job.seed + index) % request.SEEDS)
        place = self._queue(commission.model).enter(commission.principal)
        try:
            while before := place.before:
                yield Waiting(before)
                await place.moved(before)
            began = time.perf_counter()
            of = job.steps or 1
            yield Underway(index, id, 0, of)
            async with aclosing(self._made(commission, job)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Drawn):
                        drawn = piece
                    else:
                        of = piece.of
                        yield Underway(index, id, piece.done, of, self._looked(commission.principal, id, piece.preview))
            if drawn is None:
                raise EngineBroken(f"{commission.model.name} ended without a picture; try again.")
            place.leave()
            picture = await self._kept(commission, job, drawn, id, began)
            yield Finished(index, picture)
        finally:
            place.leave()
            self._looks.pop(id, None)

    async def _made(self, commission: Commission, job: Job) -> AsyncGenerator[Progress | Drawn, None]:
        """What the generator says, for as long as a picture may take."""
        model = commission.model
        until = time.monotonic() + self.seconds
        async with aclosing(commission.generator.draw(model, job, commission.principal, commission.run)) as pieces:
            while True:
                limit = asyncio.timeout(until - time.monotonic())
                try:
                    async with limit:
                        piece = await anext(pieces)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    if not limit.expired():
                        raise
                    raise EngineUnavailable(
                        f"{model.name} took longer than {self.seconds:,.0f} s for a picture (ECLAIR_PICTURE_SECONDS); "
                        "ask for a smaller one or fewer steps."
                    ) from None
                yield piece

    def _looked(self, principal: Principal, id: str, look: bytes | None) -> int | None:
        """Take a look in, and say how many there have been."""
        media = next((media for head, media in _LOOKS.items() if look is not None and look.startswith(head)), None)
        before = self._looks.get(id)
        count = before.count if before is not None else 0
        if look is None or media is None or len(look) > LARGEST_LOOK:
            return count or None
        self._looks[id] = Look(principal, media, look, count + 1)
        return count + 1

    async def _kept(self, commission: Commission, job: Job, drawn: Drawn, id: str, began: float) -> Picture:
        """The picture, marked and kept. Raises EngineBroken for what is no picture."""
        model = commission.model
        made = Origin("drawn" if model.drawn else "edited" if job.sources else "created", model.id)
        image = drawn.image
        try:
            if len(image) > LARGEST:
                raise UnreadableFile(f"The picture has more than {LARGEST >> 20} MiB.")
            image = await self._marks.mark(image, made, commission.form, commission.quality)
            inspected = await self._inspector.thumbnail(image, note.write_packet(made), "The picture")
        except UnreadableFile as error:
            raise EngineBroken(f"{model.name} gave what cannot be kept: {error.message}") from error
        picture = Picture(
            id=id,
            owner=commission.principal.id,
            conversation=commission.conversation,
            created=int(self._clock() * 1000),
            prompt=commission.prompt,
            model=model.id,
            media=inspected.media,
            width=inspected.width,
            height=inspected.height,
            size=len(image),
            blob="",
            thumbnail="",
            seed=drawn.seed,
            steps=job.steps,
            guidance=job.guidance,
            style=commission.wish.style,
            negative=job.negative,
            source=next(iter(commission.wish.sources), None),
            milliseconds=round((time.perf_counter() - began) * 1000, 1),
            revised_prompt=drawn.revised_prompt,
        )
        return await self._gallery.add(commission.principal, picture, image, inspected.made, commission.message)
