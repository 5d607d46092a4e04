"""The image service: chooses the model, queues jobs and stores images.

A request is checked first, so that what can't be generated is refused before anything begins. Then its images are
generated one after the other, each in its turn; what a backend returns is marked, inspected in a sandbox, and stored.
"""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from eclair.accounts.budgets import Budgets
from eclair.accounts.key_rights import check_model
from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.errors import (
    EngineBroken,
    EngineUnavailable,
    Forbidden,
    ImageModelMissing,
    ModelMissing,
    NotFound,
    TooBusy,
    UnreadableFile,
)
from eclair.images.base import ImageBackend, PromptChecker
from eclair.images.gallery import Gallery
from eclair.images.inputs import NO_UPLOADS, ImageInputs, ImageUploads
from eclair.images.inspect import ImageInspector
from eclair.images.job import ImageJob
from eclair.images.request import build_job, check_request, resolve_size
from eclair.provenance import xmp
from eclair.provenance.provenance_report import DEFAULT_QUALITY, ImageForm, Origin
from eclair.provenance.service import Provenance
from eclair.schema.budgets import IMAGES, Demand, Measure, NeedRate
from eclair.schema.ids import Clock, new_id
from eclair.schema.images import (
    BackendProgress,
    GeneratedImage,
    ImageFinished,
    ImageModel,
    ImageProgressed,
    ImageQueued,
    ImageRequest,
    ImageUpdate,
    UnmarkedImage,
)
from eclair.schema.principal import Principal
from eclair.util.background import IdleScheduler
from eclair.util.fair_queue import FairQueue, QueueFull, QueuePlace

MAX_CONCURRENT_REMOTE_IMAGES = 4
"""Per backend whose models run elsewhere."""
MAX_WAITING_IMAGES = 100
"""Per backend."""
MAX_IMAGE_BYTES = 64 << 20
MAX_PREVIEW_BYTES = 4 << 20

_PREVIEW_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class ImagePreview:
    """Preview number `count` of an image in progress, counted from 1, with its media type."""

    principal: Principal
    media: str
    image: bytes
    count: int


class ImageService:
    """Generates images with `backends`; of two that have a model of one id, the first has it.

    `model` is the default model, if it is set; an image may take `timeout_s`. A backend on this machine generates
    `max_concurrent` images at a time. `check_prompt` raises for a prompt that is refused.
    """

    def __init__(
        self,
        backends: Sequence[ImageBackend],
        gallery: Gallery,
        inputs: ImageInputs,
        inspector: ImageInspector,
        provenance: Provenance,
        idle: IdleScheduler,
        *,
        model: str | None = None,
        budgets: Budgets | None = None,
        timeout_s: float,
        max_concurrent: int = 1,
        check_prompt: Callable[[str], None] | None = None,
        rights: RightRules = OPEN_RULES,
        clock: Clock = time.time,
        ids: Callable[[str], str] = new_id,
    ) -> None:
        self.backends = tuple(backends)
        self.timeout_s = timeout_s
        self._rights = rights
        self._gallery = gallery
        self._inputs = inputs
        self._inspector = inspector
        self._provenance = provenance
        self._idle = idle
        self._model = model
        self._budgets = budgets
        self._max_concurrent = max_concurrent
        self._check_prompt = check_prompt
        self._clock = clock
        self._ids = ids
        self._queues: dict[tuple[str, bool], FairQueue] = {}
        self._previews: dict[str, ImagePreview] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def models(self) -> list[ImageModel]:
        """Return every known model, ready or not."""
        return [model for _, model in await self._models_by_backend()]

    async def default_model(self) -> ImageModel | None:
        """Return the model that is used where none is named; None where none is ready."""
        return self.default_among(await self.models())

    def default_among(self, models: Sequence[ImageModel], *, edits: bool = False) -> ImageModel | None:
        """Choose a model where none is named: the configured one, or the first that is ready and trained.

        With `edits`, the first that can edit where that one can't.
        """
        if self._model is not None:
            return next((model for model in models if model.id == self._model), None)
        ready = [model for model in models if model.state == "ready"]
        trained = next((model for model in ready if not model.drawn), next(iter(ready), None))
        if edits and (trained is None or not trained.edits):
            return next((model for model in ready if model.edits), trained)
        return trained

    async def resolve_model(self, name: str | None, *, edits: bool = False) -> tuple[ImageBackend, ImageModel]:
        """Find the model of that id, or the default one, and its backend.

        Raises NotFound, ModelMissing where it isn't downloaded, and Forbidden where it may not be used.
        """
        pairs = await self._models_by_backend()
        models = [model for _, model in pairs]
        by_name = next((model for model in models if model.id == name), None)
        found = self.default_among(models, edits=edits) if name is None else by_name
        if found is None:
            raise self._unknown_model(name or self._model, models)
        if found.state == "absent":
            raise ImageModelMissing(found.why or f"{found.name} isn't downloaded; run `eclair pull {found.id}`.")
        if found.state == "locked":
            raise Forbidden(found.why or f"{found.name} may not be used here; see docs/images.md.", param="model")
        return next(pair for pair in pairs if pair[1] is found)

    async def can_edit(self) -> bool:
        """Tell if a model is ready that edits images."""
        return any(model.edits and model.state == "ready" for model in await self.models())

    async def read_source(self, principal: Principal, id: str) -> tuple[str, bytes]:
        """Read one of a person's images or files: its name for people, and its bytes. Raises NotFound."""
        return await self._inputs.read(principal, id)

    def is_open_to(self, principal: Principal) -> bool:
        """Tell if somebody may have images made."""
        return self._rights.may(principal, "images")

    async def prepare(
        self,
        principal: Principal,
        prompt: str,
        request: ImageRequest,
        model: str | None = None,
        *,
        uploads: ImageUploads = NO_UPLOADS,
        form: ImageForm | None = None,
        quality: int = DEFAULT_QUALITY,
    ) -> ImageJob:
        """Check a request and make it a job. `form` and `quality` are those of the files, None for the backend's own.

        Raises InvalidInput and TooLarge for what the model can't do, NotFound and UnreadableFile for images to edit,
        BudgetExceeded, RightMissing, and what `resolve_model` raises.
        """
        if self._check_prompt is not None:
            self._check_prompt(prompt)
        self._rights.require(principal, "images", "Your account may not make images; ask an administrator.")
        source_count = len(request.sources) + len(uploads.images)
        backend, chosen = await self.resolve_model(model, edits=source_count > 0)
        has_mask = request.mask is not None or uploads.mask is not None
        check_model(principal, chosen.id)
        check_request(chosen, prompt, request, source_count, has_mask=has_mask)
        if self._budgets is not None:
            await self._budgets.check(principal, images=request.count)
        resolve_size(chosen, request, None)
        inputs = await self._inputs.prepare(principal, request, uploads, chosen)
        size = resolve_size(chosen, request, inputs.size)
        job = build_job(chosen, principal, prompt, request, size, inputs.images, inputs.mask)
        if isinstance(backend, PromptChecker):
            await backend.check(job)
        return replace(job, form=form, quality=quality)

    async def generate(self, job: ImageJob) -> AsyncGenerator[ImageUpdate, None]:
        """Generate the images of a job. Closing the stream leaves the queue, or stops the work within a step.

        Finished images stay. Raises TooBusy where too many wait, UpstreamError where a backend fails, and
        SettingsError where there is no key to sign with: an image that can't be marked isn't stored.
        """
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with self._idle.answering():
                for index in range(job.request.count):
                    async with aclosing(self._generate_within_budget(job.with_image(index), index)) as updates:
                        async for update in updates:
                            yield update
        finally:
            self._tasks.discard(task)

    @property
    def is_busy(self) -> bool:
        """True while somebody waits for images."""
        return bool(self._tasks)

    @property
    def running(self) -> int:
        """Images that are being generated."""
        return sum(queue.running for queue in self._queues.values())

    @property
    def waiting(self) -> int:
        """Images that wait for their turn."""
        return sum(queue.waiting for queue in self._queues.values())

    def preview(self, principal: Principal, id: str) -> ImagePreview:
        """Return the latest preview of an image in progress. Raises NotFound where there is none."""
        found = self._previews.get(id)
        if found is None or found.principal != principal:
            raise NotFound(f"The image {id!r} isn't being generated, or has no preview.")
        return found

    def stop(self) -> None:
        """Cancel the tasks that wait for images, so that their connections close."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Close the backends."""
        for backend in self.backends:
            await backend.close()

    async def _models_by_backend(self) -> list[tuple[ImageBackend, ImageModel]]:
        listed = await asyncio.gather(*(backend.models() for backend in self.backends))
        found: dict[str, tuple[ImageBackend, ImageModel]] = {}
        for backend, models in zip(self.backends, listed, strict=True):
            for model in models:
                found.setdefault(model.id, (backend, model))
        return list(found.values())

    def _unknown_model(self, name: str | None, models: Sequence[ImageModel]) -> NotFound | ModelMissing:
        if name is None:
            return ImageModelMissing("No image model is ready; `eclair pull flux-1-schnell` fetches one.")
        near = difflib.get_close_matches(name, [model.id for model in models], n=3, cutoff=0.0)
        available = f" Available: {', '.join(near)}." if near else ""
        return NotFound(f"There is no image model {name!r}.{available}", param="model")

    def _backend(self, job: ImageJob) -> ImageBackend:
        return next(backend for backend in self.backends if backend.name == job.model.generator)

    def _enter_queue(self, job: ImageJob) -> QueuePlace:
        """Take a place before a job's backend. Raises TooBusy where too many wait."""
        try:
            return self._queue(job.model).enter(job.principal)
        except QueueFull:
            raise TooBusy(f"{MAX_WAITING_IMAGES} images are waiting already; try again when some are done.") from None

    def _queue(self, model: ImageModel) -> FairQueue:
        is_remote = model.jurisdiction is not None
        max_concurrent = MAX_CONCURRENT_REMOTE_IMAGES if is_remote else self._max_concurrent
        return self._queues.setdefault((model.generator, is_remote), FairQueue(max_concurrent, MAX_WAITING_IMAGES))

    async def _generate_within_budget(self, job: ImageJob, index: int) -> AsyncGenerator[ImageUpdate, None]:
        """Reserve an image of the budgets, and generate it; one that isn't stored costs nothing."""
        if self._budgets is None:
            async with aclosing(self._generate_one(job, index)) as updates:
                async for update in updates:
                    yield update
            return
        spent: dict[Measure, int] = {}
        async with (
            self._budgets.spending(job.principal, Demand({IMAGES: NeedRate(1)}), spent),
            aclosing(self._generate_one(job, index)) as updates,
        ):
            async for update in updates:
                if isinstance(update, ImageFinished):
                    spent[IMAGES] = 1
                yield update

    async def _generate_one(self, job: ImageJob, index: int) -> AsyncGenerator[ImageUpdate, None]:
        """Generate, mark and store image number `index`."""
        id, unmarked = self._ids("pic"), None
        place = self._enter_queue(job)
        try:
            while ahead := place.ahead:
                yield ImageQueued(ahead)
                await place.wait_until_moved(ahead)
            began = time.perf_counter()
            step_count = job.steps or 1
            yield ImageProgressed(index, id, 0, step_count)
            async with aclosing(self._run_backend(job)) as updates:
                async for update in updates:
                    if isinstance(update, UnmarkedImage):
                        unmarked = update
                        continue
                    step_count = update.of
                    preview = self._add_preview(job.principal, id, update.preview)
                    yield ImageProgressed(index, id, update.done, step_count, preview)
            if unmarked is None:
                raise EngineBroken(f"{job.model.name} ended without an image; try again.")
            place.leave()
            yield ImageFinished(index, await self._store(job, unmarked, id, began))
        finally:
            place.leave()
            self._previews.pop(id, None)

    async def _run_backend(self, job: ImageJob) -> AsyncGenerator[BackendProgress | UnmarkedImage, None]:
        """Pass on what the backend yields, for as long as an image may take."""
        until = time.monotonic() + self.timeout_s
        async with aclosing(self._backend(job).generate(job)) as updates:
            while True:
                limit = asyncio.timeout(until - time.monotonic())
                try:
                    async with limit:
                        update = await anext(updates)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    if not limit.expired():
                        raise
                    raise EngineUnavailable(
                        f"{job.model.name} took longer than {self.timeout_s:,.0f} s for an image "
                        "(ECLAIR_PICTURE_SECONDS); ask for a smaller one or fewer steps."
                    ) from None
                yield update

    def _add_preview(self, principal: Principal, id: str, preview: bytes | None) -> int | None:
        """Keep a preview, and return how many there have been."""
        media = next((kind for head, kind in _PREVIEW_TYPES.items() if preview and preview.startswith(head)), None)
        before = self._previews.get(id)
        count = before.count if before is not None else 0
        if preview is None or media is None or len(preview) > MAX_PREVIEW_BYTES:
            return count or None
        self._previews[id] = ImagePreview(principal, media, preview, count + 1)
        return count + 1

    async def _store(self, job: ImageJob, unmarked: UnmarkedImage, id: str, began: float) -> GeneratedImage:
        """Mark and store an image. Raises EngineBroken for bytes that are not an image."""
        model = job.model
        origin = Origin("drawn" if model.drawn else "edited" if job.sources else "created", model.id)
        data = unmarked.image
        try:
            if len(data) > MAX_IMAGE_BYTES:
                raise UnreadableFile(f"The image has more than {MAX_IMAGE_BYTES >> 20} MiB.")
            data = await self._provenance.mark(data, origin, job.form, job.quality)
            inspected = await self._inspector.thumbnail(data, xmp.write_packet(origin), "The image")
        except UnreadableFile as error:
            raise EngineBroken(f"{model.name} returned what can't be stored: {error.message}") from error
        image = GeneratedImage(
            id=id,
            owner=job.principal.id,
            conversation=job.conversation,
            created=int(self._clock() * 1000),
            prompt=job.asked_prompt,
            model=model.id,
            media=inspected.media,
            width=inspected.width,
            height=inspected.height,
            size=len(data),
            blob="",
            thumbnail="",
            seed=unmarked.seed,
            steps=job.steps,
            guidance=job.guidance,
            style=job.request.style,
            negative=job.negative,
            source=next(iter(job.request.sources), None),
            milliseconds=round((time.perf_counter() - began) * 1000, 1),
            revised_prompt=unmarked.revised_prompt,
        )
        return await self._gallery.add(job.principal, image, data, inspected.made, job.message)
