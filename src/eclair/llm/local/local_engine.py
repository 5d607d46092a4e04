"""The embedded engine: serves every model on this machine, loading as many as fit.

`model_process` runs one model. The default model is loaded at the start, others on demand; the least recently used
are unloaded to make room.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from eclair.errors import Conflict, EngineBusy, EngineRefused, EngineUnavailable, ModelMissing, ModelTooLarge, NotFound
from eclair.llm.base import Delta, Embeddings, Health, Request, estimate_tokens
from eclair.llm.local import profile
from eclair.llm.local.endpoint_file import EMBEDDED_ENGINE
from eclair.llm.local.model_process import READY_TIMEOUT_S, ModelProcess
from eclair.llm.local.reading_rate import reading_rate
from eclair.models import catalog, installed, memory
from eclair.models.catalog import CatalogEntry
from eclair.models.default_model import choose_default
from eclair.models.gguf.vocabulary import read_control_tokens
from eclair.models.installed import InstalledModel
from eclair.schema.models import Model
from eclair.settings import Settings
from eclair.util.humanize import format_size

log = logging.getLogger(__name__)


class LocalEngine:
    """The embedded engine of a data folder. `start` needs a running event loop."""

    def __init__(self, settings: Settings, default: CatalogEntry) -> None:
        self.name = EMBEDDED_ENGINE
        self.parallel: int | None = settings.embedded_parallel
        self.max_waiting: int | None = None
        self._settings = settings
        self._default = default
        self._report_loaded: Callable[[str], None] | None = None
        self._processes = {default.id: ModelProcess(settings, default, self._note_loaded)}
        """Loaded models, most recently used last."""
        self._needed = {default.id: 0}
        """Bytes that each of them needs."""
        self._busy = Counter[str]()
        """Answers that each of them is making."""
        self.answered = set[str]()
        """Models that have answered since the start."""
        self._closing = set[asyncio.Task[None]]()
        """Models being unloaded."""
        self._files: dict[str, Path] = {}
        """Files of the installed models, as they were listed last."""
        self._load_lock = asyncio.Lock()
        self._freed = asyncio.Condition()

    @classmethod
    def start(cls, settings: Settings) -> LocalEngine:
        """Start the engine: load the best installed model, or share the one of another Éclair.

        Raises SettingsError if the owner's catalog is invalid.
        """
        known = catalog.load_entries(settings.catalog)
        on_disk = installed.installed_models(known, settings.data_dir)
        return cls(settings, choose_default(on_disk, settings))

    def watch_loading(self, report: Callable[[str], None]) -> None:
        """Report the id of each model that is loaded, and of each that will be."""
        self._report_loaded = report
        for id, process in self._processes.items():
            if process.is_loaded:
                report(id)

    @property
    def default(self) -> CatalogEntry:
        """The model that answers unless one is named."""
        return self._default

    async def update_default(self) -> CatalogEntry | None:
        """Load the best installed model and make it the default; return it if it wasn't.

        The former default answers until it is ready. Raises what keeps it from starting.
        """
        entry = choose_default(await self._installed(), self._settings)
        if entry.id == self._default.id:
            return None
        async with self._load_lock:
            if entry.id not in self._processes:
                await self._load(entry.id)
            process = self._processes[entry.id]
        await process.warm()  # it isn't busy meanwhile, so that it can be removed
        self._default = entry
        return entry

    @property
    def pid(self) -> int | None:
        """The process of the default model, if it is ours and running."""
        process = self._processes.get(self._default.id)
        return process.pid if process is not None else None

    @property
    def loaded(self) -> list[str]:
        """The models that are loaded or loading, least recently used first."""
        return list(self._processes)

    async def models(self) -> list[Model]:
        """List the default model, even if it isn't installed, then the installed ones."""
        on_disk = await self._installed()
        found = on_disk.pop(self._default.id, None)
        context = self._settings.embedded_context
        size, seeing = (found.size, found.projector is not None) if found is not None else (None, False)
        default = self._default.to_model(self.name, context, size, seeing=seeing)
        others = (
            replace(
                model.entry.to_model(self.name, context, model.size, seeing=model.projector is not None),
                created=model.created,
            )
            for model in on_disk.values()
        )
        models = (replace(default, created=found.created) if found is not None else default, *others)
        return [self._with_reading_rate(model) for model in models]

    def _with_reading_rate(self, model: Model) -> Model:
        process = self._processes.get(model.id)
        reading = process.reading if process is not None else reading_rate(self._settings, model)
        return replace(model, reading_rate=reading.tokens_per_second)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Ask; see `Engine.stream`.

        Raises EngineUnavailable if the engine dies, and what keeps it from starting. No model is loaded for a title
        or follow-up questions, since that might unload the one in use: that raises EngineUnavailable too.
        """
        use = self._if_loaded if request.purpose in ("title", "follow_ups", "probe") else self._loading
        async with (
            use(request.model) as process,
            contextlib.aclosing(process.stream(request)) as deltas,
        ):
            async for delta in deltas:
                yield delta
        if request.purpose == "answer":
            self.answered.add(request.model)

    async def count(self, model: str, text: str) -> int:
        """Count tokens; an estimate if the model isn't loaded, since counting shouldn't wait."""
        if model not in self._processes:
            return estimate_tokens(text)
        async with self._if_loaded(model) as process:
            return await process.count(text)

    async def detokenize(self, model: str, tokens: Sequence[int]) -> str:
        """See `TokenEngine`."""
        async with self._loading(model) as process:
            return await process.detokenize(tokens)

    async def count_prompt(self, request: Request) -> int | None:
        """See `PromptCountingEngine`; None if the model isn't loaded, since counting shouldn't wait."""
        if request.model not in self._processes:
            return None
        async with self._if_loaded(request.model) as process:
            return await process.count_prompt(request)

    async def control_tokens(self, model: str) -> tuple[str, ...]:
        """See `VocabularyEngine`."""
        if model not in self._files:
            await self._installed()
        path = self._files.get(model)
        try:
            return await asyncio.to_thread(read_control_tokens, path) if path is not None else ()
        except ModelMissing:
            return ()

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        """Refuse: llama.cpp makes embeddings only if it was started for nothing else."""
        raise EngineRefused(
            f"{model} writes and gives no embeddings; name the model of a server that does, such as "
            "`llama-server --embeddings`, and add that server under `engines` in the settings."
        )

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> list[float]:
        """Refuse: llama.cpp reranks only if it was started for nothing else."""
        raise EngineRefused(
            f"{model} writes and reranks nothing; name the model of a server that does, such as "
            "`llama-server --reranking`, and add that server under `engines` in the settings."
        )

    async def health(self, model: str | None = None) -> Health:
        process = self._processes.get(model or self._default.id)
        if process is not None:
            return await process.health()
        if model is not None:
            return Health("loading", "It is waiting for memory.")
        if installed.model_path(self._default, self._settings.data_dir) is None:
            remedy = f"`eclair pull {self._default.id}` fetches it"
            return Health("down", f"{self._default.name} is not on this machine any more; {remedy}.")
        return Health("ready", f"{self._default.name} made room for another model; it is loaded when it is asked.")

    async def prefill(self, request: Request) -> None:
        """Prefill the cache, loading the model first if necessary."""
        async with self._loading(request.model) as process:
            await process.prefill(request)

    async def release(self, model: str) -> None:
        """Unload a model, so that it can be removed. Raises Conflict while it answers."""
        async with self._load_lock:
            if self._busy[model]:
                raise Conflict(f"{model} is answering; stop that first.")
            if model in self._processes:
                await self._unload(model)

    async def close(self) -> None:
        """End our own engines; leave shared ones running."""
        await asyncio.gather(*(process.close() for process in self._processes.values()), *self._closing)

    @contextlib.asynccontextmanager
    async def _loading(self, model: str) -> AsyncGenerator[ModelProcess]:
        """Load the model if necessary; it stays loaded within the block."""
        async with contextlib.AsyncExitStack() as stack:
            async with self._load_lock:
                if model not in self._processes:
                    await self._load(model)
                self._processes[model] = self._processes.pop(model)
                process = await stack.enter_async_context(self._if_loaded(model))
            yield process

    @contextlib.asynccontextmanager
    async def _if_loaded(self, model: str) -> AsyncGenerator[ModelProcess]:
        """Keep a loaded model within the block. Raises EngineUnavailable if it isn't loaded."""
        process = self._processes.get(model)
        if process is None:
            raise EngineUnavailable(f"{model} is not loaded.")
        self._busy[model] += 1
        try:
            yield process
        finally:
            self._busy[model] -= 1
            async with self._freed:
                self._freed.notify_all()

    def _note_loaded(self, model: str) -> None:
        if self._report_loaded is not None:
            self._report_loaded(model)

    async def _load(self, model: str) -> None:
        """Load a model.

        Raises NotFound, EngineRefused if it is too large, and EngineBusy if no memory comes free.
        """
        on_disk = await self._installed()
        if model == self._default.id and model not in on_disk:
            entry, needed = self._default, 0  # the process waits for its file, and says so
        elif model not in on_disk:
            raise NotFound(f"The model {model} is not on this machine (any more).", param="model")
        else:
            entry = on_disk[model].entry
            needed = await asyncio.to_thread(profile.needed_memory, on_disk[model], self._settings)
            if not memory.fits(needed):
                raise ModelTooLarge(
                    f"{entry.name} needs about {format_size(needed)} of memory and this machine has "
                    f"{format_size(memory.physical())}; `eclair models --all` shows what fits."
                )
        await self._measure(on_disk)
        await self._make_room(entry, needed)
        self._needed[model] = needed
        self._processes[model] = ModelProcess(self._settings, entry, self._note_loaded)

    async def _measure(self, on_disk: dict[str, InstalledModel]) -> None:
        """Update the default model's size: it may have been installed after the start."""
        if self._default.id in self._processes and self._default.id in on_disk:
            needed = await asyncio.to_thread(profile.needed_memory, on_disk[self._default.id], self._settings)
            if self._default.id in self._processes:
                self._needed[self._default.id] = needed

    async def _make_room(self, entry: CatalogEntry, needed: int) -> None:
        """Unload idle models, least recently used first, until `needed` bytes are free.

        The caller holds the lock: other requests wait too, so that a busy model can't starve others. A single model
        may exceed the budget.
        """
        budget = memory.budget(self._settings)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                if self._closing:
                    await asyncio.wait(self._closing)
                while self._processes and sum(self._needed.values()) + needed > budget:
                    idle = next((model for model in self._processes if not self._busy[model]), None)
                    if idle is not None:
                        await self._unload(idle)
                        continue
                    async with self._freed:
                        await self._freed.wait_for(lambda: any(not self._busy[model] for model in self._processes))
        except TimeoutError:
            raise EngineBusy(
                f"There is no memory for {entry.name} while the other models answer; ask again later, or raise "
                "`embedded_memory`.",
                retry_after=10,
            ) from None

    async def _unload(self, model: str) -> None:
        """Unload a model, to the end even if cancelled; `_make_room` and `close` wait for it."""
        process = self._processes.pop(model)
        self._needed.pop(model)
        log.info("%s is unloaded", process.entry.name)
        closing = asyncio.create_task(process.close(), name="unload a model")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        await asyncio.shield(closing)

    async def _installed(self) -> dict[str, InstalledModel]:
        known = catalog.load_entries(self._settings.catalog)
        found = await asyncio.to_thread(installed.installed_models, known, self._settings.data_dir)
        self._files = {id: model.path for id, model in found.items()}
        return found
