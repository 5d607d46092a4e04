"""The embedded engine: every model that is on this machine, as many loaded as memory allows.

`resident` loads and runs one. The default model is loaded from the start; another is loaded when it is asked, and
those that were not asked for the longest time make room for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Sequence

from eclair.errors import Conflict, EngineBusy, EngineRefused, EngineUnavailable, NotFound
from eclair.llm.base import Delta, Embeddings, Health, Request, estimate_tokens
from eclair.llm.local import profile
from eclair.llm.local.endpoint_file import EMBEDDED_ENGINE
from eclair.llm.local.model_process import READY_TIMEOUT_S, ModelProcess
from eclair.models import catalog, installed, memory
from eclair.models.catalog import CatalogEntry
from eclair.models.installed import InstalledModel
from eclair.schema.models import Model
from eclair.settings import Settings
from eclair.util.humanize import format_size

log = logging.getLogger(__name__)


class LocalEngine:
    """The embedded engine for the settings' data folder. `start` needs a running loop."""

    def __init__(self, settings: Settings, default: CatalogEntry) -> None:
        self.name = EMBEDDED_ENGINE
        self._settings = settings
        self._default = default
        self._residents = {default.id: ModelProcess(settings, default)}
        """Those that are loaded; the one that was asked last comes last."""
        self._needed = {default.id: 0}
        """Bytes that each of them takes."""
        self._busy = Counter[str]()
        """How many answers each of them is giving."""
        self.answered = set[str]()
        """The models that have given an answer since the start."""
        self._closing = set[asyncio.Task[None]]()
        """Those that are being unloaded."""
        self._room = asyncio.Lock()
        self._freed = asyncio.Condition()

    @classmethod
    def start(cls, settings: Settings) -> LocalEngine:
        """An engine that loads the default model, or joins the one that another Éclair has on this data folder.

        Raises SettingsError where the owner's catalogue is at fault.
        """
        known = catalog.load_entries(settings.catalog)
        here = installed.installed_models(known, settings.data_dir)
        named = settings.model or ""
        return cls(settings, here[named].entry if named in here else known[catalog.EMBEDDED_MODEL])

    @property
    def pid(self) -> int | None:
        """The default model's process, if it is ours and runs."""
        resident = self._residents.get(self._default.id)
        return resident.pid if resident is not None else None

    @property
    def loaded(self) -> list[str]:
        """The models that are loaded or loading, the one that was asked last at the end."""
        return list(self._residents)

    async def models(self) -> list[Model]:
        """The default one, whether it is here or not, then the others that are."""
        here = await self._installed()
        found = here.pop(self._default.id, None)
        context = self._settings.embedded_context
        size, seeing = (found.size, found.projector is not None) if found is not None else (None, False)
        default = self._default.to_model(self.name, context, size, seeing=seeing)
        others = (
            model.entry.to_model(self.name, context, model.size, seeing=model.projector is not None)
            for model in here.values()
        )
        return [default, *others]

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Ask; see `Engine.stream`. Raises EngineUnavailable when the engine dies, and what keeps it from starting.

        For a title no model is loaded, as that may unload the one that is being talked to: EngineUnavailable too.
        """
        held = self._held if request.purpose == "title" else self._asked
        async with (
            held(request.model) as resident,
            contextlib.aclosing(resident.stream(request)) as deltas,
        ):
            async for delta in deltas:
                yield delta
        if request.purpose == "answer":
            self.answered.add(request.model)

    async def count(self, model: str, text: str) -> int:
        """Nobody waits for a model to be loaded to count: it is estimated then."""
        if model not in self._residents:
            return estimate_tokens(text)
        async with self._held(model) as resident:
            return await resident.count(text)

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        """Refuses: llama.cpp gives vectors only where it was started to do nothing else."""
        raise EngineRefused(
            f"{model} writes and gives no embeddings; name the model of a server that does, such as "
            "`llama-server --embeddings`, and add that server under `engines` in the settings."
        )

    async def health(self, model: str | None = None) -> Health:
        resident = self._residents.get(model or self._default.id)
        if resident is not None:
            return await resident.health()
        if model is not None:
            return Health("loading", "It is waiting for memory.")
        if installed.model_path(self._default, self._settings.data_dir) is None:
            remedy = f"`eclair pull {self._default.id}` fetches it"
            return Health("down", f"{self._default.name} is not on this machine any more; {remedy}.")
        return Health("ready", f"{self._default.name} made room for another model; it is loaded when it is asked.")

    async def prefill(self, request: Request) -> None:
        """Loads the model too, if it is not loaded."""
        async with self._asked(request.model) as resident:
            await resident.prefill(request)

    async def release(self, model: str) -> None:
        """Unload a model, so that it can be removed. Raises Conflict while it answers."""
        async with self._room:
            if self._busy[model]:
                raise Conflict(f"{model} is answering; stop that first.")
            if model in self._residents:
                await self._unload(model)

    async def close(self) -> None:
        """End the engines that are ours; leave those that are another's."""
        await asyncio.gather(*(resident.close() for resident in self._residents.values()), *self._closing)

    @contextlib.asynccontextmanager
    async def _asked(self, model: str) -> AsyncGenerator[ModelProcess]:
        """The model, loaded or loading; it stays at least until the block ends."""
        async with contextlib.AsyncExitStack() as stack:
            async with self._room:
                if model not in self._residents:
                    await self._load(model)
                self._residents[model] = self._residents.pop(model)
                resident = await stack.enter_async_context(self._held(model))
            yield resident

    @contextlib.asynccontextmanager
    async def _held(self, model: str) -> AsyncGenerator[ModelProcess]:
        """As `_asked`, but raises EngineUnavailable where the model is neither loaded nor loading."""
        resident = self._residents.get(model)
        if resident is None:
            raise EngineUnavailable(f"{model} is not loaded.")
        self._busy[model] += 1
        try:
            yield resident
        finally:
            self._busy[model] -= 1
            async with self._freed:
                self._freed.notify_all()

    async def _load(self, model: str) -> None:
        """Raises NotFound, EngineRefused for a model that is too large, and EngineBusy where no room comes free."""
        here = await self._installed()
        if model == self._default.id and model not in here:
            entry, needed = self._default, 0  # the resident waits for its file, and says so
        elif model not in here:
            raise NotFound(f"The model {model} is not on this machine (any more).", param="model")
        else:
            entry = here[model].entry
            needed = await asyncio.to_thread(profile.needed_memory, here[model], self._settings)
            if not memory.fits(needed):
                raise EngineRefused(
                    f"{entry.name} needs about {format_size(needed)} of memory and this machine has "
                    f"{format_size(memory.physical())}; `eclair models --all` shows what fits."
                )
        await self._measure(here)
        await self._make_room(entry, needed)
        self._needed[model] = needed
        self._residents[model] = ModelProcess(self._settings, entry)

    async def _measure(self, here: dict[str, InstalledModel]) -> None:
        """The default model may have come after it was started."""
        if self._default.id in self._residents and self._default.id in here:
            needed = await asyncio.to_thread(profile.needed_memory, here[self._default.id], self._settings)
            if self._default.id in self._residents:
                self._needed[self._default.id] = needed

    async def _make_room(self, entry: CatalogEntry, needed: int) -> None:
        """Unload what was not asked for the longest time, but nothing that answers, until `needed` bytes are free.

        Whoever asks meanwhile waits too, so that a model that is always asked does not keep others out. One model may
        take more than all may together, if it is alone.
        """
        budget = memory.budget(self._settings)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                if self._closing:
                    await asyncio.wait(self._closing)
                while self._residents and sum(self._needed.values()) + needed > budget:
                    idle = next((model for model in self._residents if not self._busy[model]), None)
                    if idle is not None:
                        await self._unload(idle)
                        continue
                    async with self._freed:
                        await self._freed.wait_for(lambda: any(not self._busy[model] for model in self._residents))
        except TimeoutError:
            raise EngineBusy(
                f"There is no memory for {entry.name} while the other models answer; ask again later, or raise "
                "`embedded_memory`.",
                retry_after=10,
            ) from None

    async def _unload(self, model: str) -> None:
        """Whoever asked for it may leave: it goes on, and `_make_room` and `close` wait for its end."""
        resident = self._residents.pop(model)
        self._needed.pop(model)
        log.info("%s is unloaded", resident.entry.name)
        closing = asyncio.create_task(resident.close(), name="unload a model")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        await asyncio.shield(closing)

    async def _installed(self) -> dict[str, InstalledModel]:
        return await asyncio.to_thread(
            installed.installed_models, catalog.load_entries(self._settings.catalog), self._settings.data_dir
        )
