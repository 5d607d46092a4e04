"""Models that draw on this machine: which of them can, and drawing with them.

A model is loaded by a process of its own when it is first drawn with, and ends when nobody has drawn with it for a
while. One that is loaded makes room for the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import orjson

from eclair.errors import EngineMissing, InvalidInput, ModelMissing
from eclair.images import catalog, installed
from eclair.images.backends.diffusers.environment import Environment, Needs
from eclair.images.backends.diffusers.wire import Draw, Load, Made, Step
from eclair.images.backends.diffusers.worker import PROCESS, Worker
from eclair.images.catalog import Maker, PictureEntry
from eclair.schema.images import Drawn, Job, PictureModel, Progress
from eclair.schema.principal import Principal
from eclair.settings import Settings


class LocalGenerator:
    """Implements `base.Generator` for the models of the catalogue that name it; `process` is the module of the process
    that draws with them, `needs` what that imports."""

    def __init__(self, settings: Settings, name: Maker, process: str, needs: Needs) -> None:
        self.name: str = name
        self._maker: Maker = name
        self._process = process
        self._settings = settings
        self._environment = Environment(settings, needs)
        self._workers: dict[str, Worker] = {}
        self._turn = asyncio.Lock()
        self._idle: asyncio.Task[None] | None = None

    async def models(self) -> Sequence[PictureModel]:
        entries = catalog.of(self._maker, self._settings.catalog)
        here = await asyncio.to_thread(lambda: {id for id in entries if installed.is_here(entries[id], self._settings)})
        lacking = (await self._environment.find()).why
        found: list[PictureModel] = []
        for id, entry in entries.items():
            why = [] if id in here else [installed.absent(entry)]
            why += [lacking] if lacking else []
            found.append(entry.model(" ".join(why) or None))
        return found

    async def draw(
        self, model: PictureModel, job: Job, principal: Principal, run: str | None
    ) -> AsyncGenerator[Progress | Drawn, None]:
        entry = catalog.of(self._maker, self._settings.catalog)[model.id]
        _check(entry, job)
        order = Draw(
            job=0,
            prompt=job.prompt,
            width=job.width,
            height=job.height,
            seed=job.seed,
            steps=job.steps or entry.steps or 28,
            guidance=entry.guidance or 0.0 if job.guidance is None else job.guidance,
            negative=job.negative,
            strength=job.strength,
            masked=job.mask is not None,
            blobs=(*job.sources, *([job.mask] if job.mask is not None else [])),
        )
        drawn: Drawn | None = None
        async with self._turn:
            self._stop_waiting()
            try:
                worker = await self._worker(entry)
                async with aclosing(worker.draw(order)) as steps:
                    async for step in steps:
                        match step:
                            case Step():
                                yield Progress(step.done, step.of, step.blobs[0] if step.blobs else None)
                            case Made():
                                drawn = Drawn(step.blobs[0], job.seed)
            finally:
                self._idle = asyncio.create_task(self._end_when_idle(), name="ends picture models that are idle")
        assert drawn is not None
        yield drawn

    async def close(self) -> None:
        self._stop_waiting()
        for id in list(self._workers):
            await self._workers.pop(id).close()

    @property
    def processes(self) -> dict[str, int]:
        """The process of each model that is loaded."""
        return {id: worker.pid for id, worker in self._workers.items() if worker.pid is not None}

    async def _worker(self, entry: PictureEntry) -> Worker:
        here = await asyncio.to_thread(installed.is_here, entry, self._settings)
        worker = self._workers.get(entry.id)
        if here and worker is not None and worker.pid is not None:
            return worker
        await self.close()
        found = await self._environment.find()
        if found.why is not None:
            raise EngineMissing(found.why)
        if not here:
            raise ModelMissing(installed.absent(entry))
        settings = self._settings
        order = Load(
            str(installed.folder(settings.data_dir) / entry.id),
            entry.name,
            settings.picture_device,
            settings.picture_memory * 1_000_000,
            orjson.dumps({part.role: part.name for part in entry.parts}).decode() if entry.parts else "",
        )
        log = settings.data_dir / "logs" / f"{entry.id}.log"
        worker = await Worker.started(found.python, order, log, self._process)
        self._workers[entry.id] = worker
        return worker

    async def _end_when_idle(self) -> None:
        await asyncio.sleep(self._settings.picture_minutes * 60)
        for id in list(self._workers):
            await self._workers.pop(id).close()

    def _stop_waiting(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None:
            idle.cancel()


class Diffusers(LocalGenerator):
    """FLUX by diffusers."""

    def __init__(self, settings: Settings) -> None:
        packages = ("torch", "diffusers", "transformers", "accelerate")
        super().__init__(settings, "diffusers", PROCESS, Needs(packages, "PyTorch and diffusers", "diffusers"))


def _check(entry: PictureEntry, job: Job) -> None:
    """Raises InvalidInput for what the model does not do."""
    if job.sources and not entry.edits:
        raise InvalidInput(f"{entry.name} edits no pictures; choose another model.", param="sources")
    if job.mask is not None and not (entry.masks and job.sources):
        what = "needs a picture for the mask" if entry.masks else "takes no mask; choose another model"
        raise InvalidInput(f"{entry.name} {what}.", param="mask")
    if job.negative and not entry.negative:
        raise InvalidInput(f"{entry.name} heeds no negative prompt; leave it out.", param="negative")
    for name, side in (("width", job.width), ("height", job.height)):
        if not entry.least <= side <= entry.most or side % entry.multiple:
            raise InvalidInput(
                f"{entry.name} draws sides of {entry.least} to {entry.most} pixels in steps of {entry.multiple}, and "
                f"{side} is none.",
                param=name,
            )
