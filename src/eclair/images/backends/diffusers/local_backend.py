"""Backends for models on this machine.

A process of its own loads a model at its first use, and ends when it hasn't been used for a while. A loaded model makes
room for the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import orjson

from eclair.errors import EngineMissing, InvalidInput, ModelMissing
from eclair.images import catalog, installed_image_models
from eclair.images.backends.diffusers.environment import EnvironmentFinder, RequiredPackages
from eclair.images.backends.diffusers.pipeline_client import PIPELINE_PROCESS_MODULE, PipelineClient
from eclair.images.backends.diffusers.pipeline_protocol import (
    GenerateRequest,
    ImageReport,
    LoadPipelineRequest,
    StepReport,
)
from eclair.images.catalog import ImageModelEntry, LocalBackendName
from eclair.images.job import ImageJob
from eclair.models import memory
from eclair.schema.images import BackendProgress, ImageModel, UnmarkedImage
from eclair.settings import Settings


class LocalImageBackend:
    """Implements `ImageBackend` for the catalog's models that name it.

    `process_module` is what its process runs, `packages` what that imports.
    """

    def __init__(
        self, settings: Settings, name: LocalBackendName, process_module: str, packages: RequiredPackages
    ) -> None:
        self.name: str = name
        self._catalog_name: LocalBackendName = name
        self._process_module = process_module
        self._settings = settings
        self._environment = EnvironmentFinder(settings, packages)
        self._pipelines: dict[str, PipelineClient] = {}
        self._turn = asyncio.Lock()
        self._idle_task: asyncio.Task[None] | None = None

    async def models(self) -> Sequence[ImageModel]:
        entries = catalog.entries_of(self._catalog_name, self._settings.catalog)
        here = await asyncio.to_thread(
            lambda: {id for id in entries if installed_image_models.is_installed(entries[id], self._settings)}
        )
        lacking = (await self._environment.find()).problem
        found: list[ImageModel] = []
        for id, entry in entries.items():
            why = [] if id in here else [installed_image_models.missing_reason(entry)]
            why += [lacking] if lacking else []
            installable = id not in here and lacking is None and memory.fits(entry.memory or 0)
            found.append(entry.to_model(" ".join(why) or None, installable=installable))
        return found

    async def generate(self, job: ImageJob) -> AsyncGenerator[BackendProgress | UnmarkedImage, None]:
        entry = catalog.entries_of(self._catalog_name, self._settings.catalog)[job.model.id]
        _check(entry, job)
        request = GenerateRequest(
            job=0,
            prompt=job.prompt,
            width=job.width,
            height=job.height,
            seed=job.seed,
            steps=job.steps or entry.steps or 28,
            guidance=entry.guidance or 0.0 if job.guidance is None else job.guidance,
            negative=job.negative,
            strength=job.strength,
            has_mask=job.mask is not None,
            blobs=(*job.sources, *([job.mask] if job.mask is not None else [])),
        )
        image: UnmarkedImage | None = None
        async with self._turn:
            self._cancel_idle()
            try:
                pipeline = await self._loaded(entry)
                async with aclosing(pipeline.generate(request)) as steps:
                    async for step in steps:
                        match step:
                            case StepReport():
                                yield BackendProgress(step.done, step.of, step.blobs[0] if step.blobs else None)
                            case ImageReport():
                                image = UnmarkedImage(step.blobs[0], job.seed)
            finally:
                self._idle_task = asyncio.create_task(self._close_when_idle(), name="closes idle image models")
        assert image is not None
        yield image

    async def close(self) -> None:
        self._cancel_idle()
        for id in list(self._pipelines):
            await self._pipelines.pop(id).close()

    @property
    def processes(self) -> dict[str, int]:
        """The process id of each loaded model."""
        return {id: pipeline.pid for id, pipeline in self._pipelines.items() if pipeline.pid is not None}

    async def _loaded(self, entry: ImageModelEntry) -> PipelineClient:
        """Return the running pipeline, or start it in place of others. Raises EngineMissing and ModelMissing."""
        here = await asyncio.to_thread(installed_image_models.is_installed, entry, self._settings)
        pipeline = self._pipelines.get(entry.id)
        if here and pipeline is not None and pipeline.pid is not None:
            return pipeline
        await self.close()
        found = await self._environment.find()
        if found.problem is not None:
            raise EngineMissing(found.problem)
        if not here:
            raise ModelMissing(installed_image_models.missing_reason(entry))
        settings = self._settings
        request = LoadPipelineRequest(
            str(installed_image_models.models_folder(settings.data_dir) / entry.id),
            entry.name,
            settings.picture_device,
            settings.picture_memory * 1_000_000,
            orjson.dumps({part.role: part.name for part in entry.parts}).decode() if entry.parts else "",
        )
        log = settings.data_dir / "logs" / f"{entry.id}.log"
        pipeline = await PipelineClient.start(found.python, request, log, self._process_module)
        self._pipelines[entry.id] = pipeline
        return pipeline

    async def _close_when_idle(self) -> None:
        await asyncio.sleep(self._settings.picture_minutes * 60)
        for id in list(self._pipelines):
            await self._pipelines.pop(id).close()

    def _cancel_idle(self) -> None:
        idle, self._idle_task = self._idle_task, None
        if idle is not None:
            idle.cancel()


class DiffusersBackend(LocalImageBackend):
    """FLUX models by diffusers."""

    def __init__(self, settings: Settings) -> None:
        packages = ("torch", "diffusers", "transformers", "accelerate")
        super().__init__(
            settings,
            "diffusers",
            PIPELINE_PROCESS_MODULE,
            RequiredPackages(packages, "PyTorch and diffusers", "diffusers"),
        )


def _check(entry: ImageModelEntry, job: ImageJob) -> None:
    """Raise InvalidInput for what the model can't do."""
    if job.sources and not entry.edits:
        raise InvalidInput(f"{entry.name} can't edit images; choose another model.", param="sources")
    if job.mask is not None and not (entry.masks and job.sources):
        what = "needs an image for the mask" if entry.masks else "takes no mask; choose another model"
        raise InvalidInput(f"{entry.name} {what}.", param="mask")
    if job.negative and not entry.negative:
        raise InvalidInput(f"{entry.name} takes no negative prompt; leave it out.", param="negative")
    for name, side in (("width", job.width), ("height", job.height)):
        if not entry.least <= side <= entry.most or side % entry.multiple:
            raise InvalidInput(
                f"{entry.name} generates sides that are multiples of {entry.multiple} from {entry.least} to "
                f"{entry.most} pixels, not {side}.",
                param=name,
            )
