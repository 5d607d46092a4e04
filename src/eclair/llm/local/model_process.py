"""One embedded model: starts, watches and ends its llama.cpp process.

`subprocess` is that process; `LlamaEngine` talks to it. A running Éclair shares its engine with others on the same
data folder through `endpoint_file`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from eclair.errors import (
    EclairError,
    EngineBroken,
    EngineMissing,
    EngineUnavailable,
    SetupError,
    UpstreamError,
)
from eclair.llm.base import JSON, Delta, Health, Request, TokenUsage, estimate_tokens
from eclair.llm.local import endpoint_file, profile
from eclair.llm.local.endpoint_file import EngineEndpoint
from eclair.llm.local.energy import EnergyMeter, EnergyReader
from eclair.llm.local.kernels import choose_kernels
from eclair.llm.local.llama_engine import LlamaEngine
from eclair.llm.local.llama_server import LlamaServerOptions, ServerFailed, Serving
from eclair.llm.local.loading import loaded_share
from eclair.llm.local.profile import TuningChoice
from eclair.llm.local.reading_rate import reading_rate
from eclair.llm.local.speculative import DRAFT_SETTINGS, DraftGate
from eclair.llm.local.subprocess import LlamaSubprocess, describe_missing_engine
from eclair.llm.local.told_calls import tell_calls
from eclair.llm.local.watchdog import Watchdog, is_answering
from eclair.llm.local.watermarking import GreenList, may_watermark, stream_watermarked
from eclair.models import installed
from eclair.models.catalog import CatalogEntry
from eclair.models.gguf.layouts import ORIGINAL_LAYOUT
from eclair.models.installed import model_path, verify
from eclair.models.memory import SHARED_WINDOWS
from eclair.provenance.watermark_keys import WatermarkKeys
from eclair.schema.messages import Sampling
from eclair.settings import Settings
from eclair.util.cpu import available_cores

READY_TIMEOUT_S = 300.0
"""The time that a request waits for the engine to be ready."""

RESTART_PAUSES_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Pauses before restarts of an engine that keeps dying."""

HEALTHY_AFTER_S = 60.0
"""An engine that lived longer starts again at the first pause."""

ENGINE_NICENESS = 3
"""Speech comes first: an answer's first words are spoken while the rest is still being written."""
CACHE_MIB = 256
"""Memory for chats that have left their slot, about 11,000 tokens."""

log = logging.getLogger(__name__)


class ModelProcess:
    """A loaded model. It starts loading at once, and requests wait. Needs an event loop.

    `note_loaded` is called with its id whenever it has loaded.
    """

    def __init__(
        self, settings: Settings, entry: CatalogEntry, note_loaded: Callable[[str], None] = lambda _: None
    ) -> None:
        self.entry = entry
        self._note_loaded = note_loaded
        self._settings = settings
        self._share = endpoint_file.endpoint_path(settings.data_dir, entry.id)
        self._scratch = settings.data_dir / "scratch"
        drafts = settings.data_dir / "drafting" / f"{entry.id}.json"
        wanted = settings.speculation == "auto" and entry.speculation != "none"
        self._drafting = DraftGate(drafts, wanted=wanted)
        self.reading = reading_rate(settings, entry)
        self._green: GreenList | None = None
        self._marking = asyncio.Lock()
        self._without_drafts = asyncio.Event()
        self._requests = 0
        self._restart_pending = False
        self._client: LlamaEngine | None = None
        self._child: LlamaSubprocess | None = None
        self._shared_process: int | None = None
        self._path: Path | None = None
        self._kernels = ""
        self._kernels_failed = False
        self._watchdog: Watchdog | None = None
        self._meter = EnergyMeter(EnergyReader(), lambda: self.process, settings.core_watts)
        self._prefilling: asyncio.Task[None] | None = None
        self._fault: EclairError | None = None
        self._changed = asyncio.Condition()
        self._hopeless = False
        self._deaths = 0
        self._seen = self._stamp()
        self._task = asyncio.create_task(self._watch(), name="embedded engine")

    @property
    def pid(self) -> int | None:
        """The engine's process, if it is ours and running."""
        return self._child.pid if self._child is not None else None

    @property
    def is_loaded(self) -> bool:
        return self._client is not None

    @property
    def process(self) -> int | None:
        """The engine's process, ours or another Éclair's, while it runs and is known."""
        return self.pid if self.pid is not None else self._shared_process

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Ask; see `Engine.stream`.

        Raises EngineUnavailable if the engine dies, and what keeps it from starting.
        """
        client = await self._ready()
        request = self._prepare(request)
        self._requests += 1
        try:
            with self._meter.measure(request.energy):
                async with contextlib.aclosing(await self._answer(client, request)) as deltas:
                    async for delta in deltas:
                        if isinstance(delta, TokenUsage):
                            self.reading.record(delta)
                            if self._drafting.record(delta):
                                self._without_drafts.set()
                        yield delta
        except (EngineBroken, EngineUnavailable) as error:
            if await self._is_gone(client):
                raise EngineUnavailable(
                    f"The embedded engine died while it was answering ({self._last_words()}); it is being restarted."
                ) from error
            raise
        finally:
            self._requests -= 1

    async def _answer(self, client: LlamaEngine, request: Request) -> AsyncGenerator[Delta, None]:
        """Choose how a request is answered: with the watermark of texts where that is on and fits."""
        green = await self._green_list() if may_watermark(request) else None
        return client.stream(request) if green is None else stream_watermarked(client, request, green)

    async def _green_list(self) -> GreenList | None:
        """Return the words that the watermark makes likelier; None if it is off."""
        bias = self.entry.watermark_bias
        if bias is None or self._settings.text_watermark == "off":
            return None
        path = model_path(self.entry, self._settings.data_dir)
        async with self._marking:
            if self._green is None and path is not None:
                try:
                    self._green = await asyncio.to_thread(_read_green_list, path, self._settings, bias)
                except SetupError as error:
                    log.warning("texts get no watermark: %s", error.message)
        return self._green

    async def count(self, text: str) -> int:
        """Count tokens with the model's tokenizer; an estimate while it isn't loaded."""
        return await self._client.count(self.entry.id, text) if self._client is not None else estimate_tokens(text)

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens."""
        return await (await self._ready()).detokenize(self.entry.id, tokens)

    async def count_prompt(self, request: Request) -> int | None:
        """See `PromptCountingEngine`; None while the model isn't loaded."""
        return await self._client.count_prompt(self._prepare(request)) if self._client is not None else None

    def _prepare(self, request: Request) -> Request:
        return replace(
            request if "tools" in self.entry.can else tell_calls(request),
            sampling=_recommended(request.sampling, self.entry),
            reasoning=self.entry.reasoning_support,
            extra={"return_progress": True, **request.extra} if request.purpose == "answer" else request.extra,
        )

    async def health(self) -> Health:
        if self._client is not None:
            kernels = f", kernels for {self._kernels}" if self._kernels else ""
            whose = f"process {self.pid}{kernels}" if self.pid is not None else "shared with another Éclair"
            if self._watchdog is not None and (silence := self._watchdog.silence_s):
                return Health("down", f"llama.cpp ({whose}) has not responded for {silence:.0f} seconds.")
            return Health("ready", f"llama.cpp runs {self.entry.name} ({whose}).")
        if self._fault is not None:
            return Health("down" if self._hopeless else "loading", self._fault.message)
        share = loaded_share(self.pid, self._path) if self.pid is not None and self._path is not None else None
        return Health("loading", f"{self.entry.name} is loading.", share)

    async def prefill(self, request: Request) -> None:
        """Read the messages into the cache, after the system prompt was read."""
        client = await self._ready()
        if self._prefilling is not None:
            await asyncio.wait([self._prefilling])
        request = replace(request, sampling=Sampling(max_tokens=1))
        async with contextlib.aclosing(client.stream(request)) as deltas:
            async for delta in deltas:
                if isinstance(delta, TokenUsage):
                    self.reading.record(delta)

    async def warm(self) -> None:
        """Wait until the model is loaded and has read the system prompt. Raises what keeps it from starting."""
        await self._ready()
        if self._prefilling is not None:
            await asyncio.wait([self._prefilling])

    async def close(self) -> None:
        """End the engine if it is ours."""
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._set(None, EngineUnavailable(f"{self.entry.name} was unloaded."), hopeless=True)

    async def _ready(self) -> LlamaEngine:
        """Return the engine once it answers. Raises what keeps it from starting."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S), self._changed:
                await self._changed.wait_for(
                    lambda: self._hopeless or (self._client is not None and not self._restart_pending)
                )
        except TimeoutError:
            raise EngineUnavailable(f"The embedded engine is not ready after {READY_TIMEOUT_S:.0f} seconds.") from None
        if self._client is not None:
            return self._client
        assert self._fault is not None
        raise type(self._fault)(self._fault.message)

    async def _set(
        self, client: LlamaEngine | None, fault: EclairError | None = None, *, hopeless: bool = False
    ) -> None:
        """Set the client, or the fault. Requests wait out a fault unless it is `hopeless`."""
        old, self._client, self._fault, self._hopeless = self._client, client, fault, hopeless
        async with self._changed:
            self._changed.notify_all()
        if client is not None:
            self._note_loaded(self.entry.id)
        if old is not None:
            await old.close()

    async def _watch(self) -> None:
        """Share or run an engine, again and again."""
        while True:
            try:
                other = await endpoint_file.find_shared(self._share)
                if other is not None and other.context == _context(self.entry, self._settings):
                    await self._join(other)
                else:
                    await self._run(publish=other is None)
            except SetupError as fault:
                log.error("%s", fault.message)
                await self._set(None, fault, hopeless=True)
                await self._until_changed()
                await self._set(None)
            except UpstreamError as fault:
                await self._restart(fault)
            except Exception:  # a bug of ours: log it, and let no request wait in vain
                log.exception("the embedded engine cannot be watched")
                await self._restart(EngineUnavailable("The embedded engine failed to start: internal error."))

    async def _restart(self, fault: EclairError) -> None:
        """Pause before the next attempt. Requests wait through two, then get the fault."""
        pause = RESTART_PAUSES_S[min(self._deaths, len(RESTART_PAUSES_S) - 1)]
        self._deaths += 1
        log.warning("%s Restarting it in %.0f s.", fault.message, pause)
        await self._set(None, fault, hopeless=self._deaths > 2)
        await asyncio.sleep(pause)

    async def _join(self, other: EngineEndpoint) -> None:
        """Use another Éclair's engine as long as it answers."""
        self._child, self._prefilling, self._deaths = None, None, 0
        client = other.open_engine(self._settings.first_word_seconds)
        self._shared_process = other.process
        await self._set(client)
        while (await client.health()).state == "ready":  # noqa: ASYNC110
            await asyncio.sleep(1.0)  # nothing tells us when another's process ends
        self._shared_process = None
        await self._set(None)

    async def _run(self, *, publish: bool) -> None:
        """Run our own engine until it dies. Raises SetupError and UpstreamError, at its death too."""
        self._seen = self._stamp()
        self._path = path = await asyncio.to_thread(verify, self.entry, self._settings.data_dir)
        choice = await asyncio.to_thread(self._choice, path)
        self._drafting.cost = choice.draft_cost
        began = time.monotonic()
        async with (
            self._slot_file() as slot_file,
            LlamaSubprocess.started(self._options(path, choice), self._settings.data_dir / "logs") as child,
        ):
            self._child = child
            endpoint = await self._wait_until_serving(child, choice)
            client = endpoint.open_engine(self._settings.first_word_seconds)
            self._prefilling = asyncio.create_task(
                self._prefill_system_prompt(client, slot_file, has_vision=installed.projector_of(path) is not None),
                name="reading the system prompt",
            )
            try:
                if publish:
                    endpoint_file.write_endpoint(self._share, endpoint)
                await self._set(client)
                log.info("%s is ready after %.1f s", self.entry.name, time.monotonic() - began)
                self._watchdog = Watchdog(endpoint.url, child.kill, self._settings.first_word_seconds)
                async with self._watchdog.watching():
                    if await self._wait_for_end(child, client):
                        return
            finally:
                self._watchdog = None
                self._prefilling.cancel()
                await asyncio.wait([self._prefilling])
                endpoint_file.remove_endpoint(self._share, endpoint)
        if time.monotonic() - began > HEALTHY_AFTER_S:
            self._deaths = 0
        elif choice.is_compiled:
            await self._delete_compiled()
        else:
            self._kernels_failed = bool(self._kernels)
        raise EngineUnavailable(f"The embedded engine died ({self._last_words()}).")

    def _choice(self, path: Path) -> TuningChoice:
        """Return how `eclair tune` found the model to run best; else the defaults. Kernels that failed are out."""
        found = profile.find_tuning(self._settings.data_dir, self.entry.id, path)
        choice = found.choice if found is not None else TuningChoice()
        return replace(choice, kernels="generic") if self._kernels_failed else choice

    async def _wait_for_end(self, child: LlamaSubprocess, client: LlamaEngine) -> bool:
        """Wait for the engine's end.

        Returns True if it has to restart without drafting; then no answer is being made.
        """
        self._without_drafts.clear()
        died, drafting_failed = asyncio.create_task(child.wait()), asyncio.create_task(self._without_drafts.wait())
        try:
            await asyncio.wait((died, drafting_failed), return_when=asyncio.FIRST_COMPLETED)
            while not died.done():
                self._restart_pending = True  # new requests wait
                if self._requests == 0 and not await is_answering(client):
                    log.info("%s restarts without drafting, which did not pay", self.entry.name)
                    await self._set(None)
                    return True
                await self._admit_requests()
                await asyncio.wait((died,), timeout=1.0)
        finally:
            self._restart_pending = False
            died.cancel()
            drafting_failed.cancel()
            await asyncio.wait((died, drafting_failed))
        return False

    async def _admit_requests(self) -> None:
        """Admit the requests that waited while a restart was pending."""
        self._restart_pending = False
        async with self._changed:
            self._changed.notify_all()

    async def _wait_until_serving(self, child: LlamaSubprocess, choice: TuningChoice) -> EngineEndpoint:
        """Return where the process listens. Raises SetupError and EngineUnavailable."""
        match await child.reply():
            case Serving(url, kernels):
                self._kernels = kernels
                context = _context(self.entry, self._settings)
                return EngineEndpoint(url, child.key, self.entry.id, context, os.getpid(), child.pid)
            case _ if choice.is_compiled:
                await self._delete_compiled()
                raise EngineUnavailable(
                    f"The engine compiled for this processor cannot load {self.entry.name} ({child.last_words()}); "
                    "it runs as it came."
                )
            case ServerFailed("engine", detail):
                raise EngineMissing(describe_missing_engine(detail))
            case ServerFailed() if choice.layout != ORIGINAL_LAYOUT:
                self._layout_path(choice).unlink(missing_ok=True)  # the file as it came is tried next
                raise EngineUnavailable(f"{self.entry.name} cannot be loaded as {choice.layout}; it runs as it came.")
            case ServerFailed():
                # Its size is right, or it would not have come this far.
                await asyncio.to_thread(verify, self.entry, self._settings.data_dir, thorough=True)
                raise EngineUnavailable(f"The embedded engine cannot load its model ({child.last_words()}).")
            case None:
                await child.wait()
                self._kernels_failed = True
                raise EngineUnavailable(f"The embedded engine died while loading ({child.last_words()}).")

    async def _delete_compiled(self) -> None:
        """Delete the compiled engine, which fails; the installed one is next."""
        await asyncio.to_thread(shutil.rmtree, profile.compiled_folder(self._settings.data_dir), ignore_errors=True)

    @contextlib.asynccontextmanager
    async def _slot_file(self) -> AsyncGenerator[Path]:
        """A file for the state of a slot, deleted at the end: a killed engine may leave it."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        slot_file = self._scratch / f"{secrets.token_hex(8)}.bin"
        try:
            yield slot_file
        finally:
            slot_file.unlink(missing_ok=True)

    async def _prefill_system_prompt(self, client: LlamaEngine, slot_file: Path, *, has_vision: bool) -> None:
        try:
            await self._fill_slots(client, slot_file, self._settings.system_prompt, has_vision=has_vision)
        except UpstreamError as error:
            log.warning("the system prompt could not be read ahead: %s", error.message)

    async def _fill_slots(self, client: LlamaEngine, slot_file: Path, system: str, *, has_vision: bool) -> None:
        """Read the system prompt once and give each slot a copy, through the file `slot_file`.

        llama.cpp hands a cached prompt to one request and forgets it, and keeps no two equal ones. So each slot also
        reads a short question of its own: then questions that come together each find a prefix. With `has_vision` only
        one slot is filled, since llama.cpp can't copy the slots of a vision model.
        """
        if not system:
            return
        root = client.url.removesuffix("/v1")
        try:
            for slot in range(self._settings.embedded_parallel):
                if slot > 0:
                    await client.fetch(f"{root}/slots/{slot}?action=restore", {"filename": slot_file.name})
                await client.fetch(f"{client.url}/chat/completions", _slot_prompt(self.entry.id, system, slot))
                if has_vision:
                    return
                if slot == 0:
                    await client.fetch(f"{root}/slots/0?action=save", {"filename": slot_file.name})
        finally:
            await asyncio.to_thread(slot_file.unlink, missing_ok=True)

    def _layout_path(self, choice: TuningChoice) -> Path:
        return profile.layout_path(self._settings.data_dir, self.entry.id, choice.layout)

    def _options(self, path: Path, choice: TuningChoice) -> LlamaServerOptions:
        settings = self._settings
        drafting = DRAFT_SETTINGS[choice.drafting if self._drafting.is_open else "none"]
        return LlamaServerOptions(
            model=str(path if choice.layout == ORIGINAL_LAYOUT else self._layout_path(choice)),
            name=self.entry.id,
            key=secrets.token_urlsafe(24),
            context=_context(self.entry, settings),
            shared_context=_context(self.entry, settings) * SHARED_WINDOWS,
            parallel=settings.embedded_parallel,
            prompt_threads=settings.embedded_threads or choice.prompt_threads or available_cores(),
            cache_mib=CACHE_MIB,
            scratch=f"{self._scratch}{os.sep}",
            decode_threads=choice.decode_threads,
            kv_type=choice.kv_type,
            flash_attention=choice.flash_attention,
            nice=ENGINE_NICENESS,
            lookup_tokens=drafting.lookup_tokens,
            draft_tokens=drafting.draft_tokens,
            projector=str(installed.projector_of(path) or ""),
            compiled_folder=str(profile.compiled_folder(settings.data_dir)) if choice.is_compiled else "",
            kernels=choose_kernels(choice.kernels, path),
        )

    async def _is_gone(self, client: LlamaEngine) -> bool:
        """Return whether `client`'s engine is gone, after a moment for that to show."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.5), self._changed:
                await self._changed.wait_for(lambda: self._client is not client)
        return self._client is not client

    def _last_words(self) -> str:
        return self._child.last_words() if self._child is not None else "its owner ended it"

    def _stamp(self) -> tuple[int, int, int] | None:
        """Return what changes with the model's file; None if there is none."""
        path = model_path(self.entry, self._settings.data_dir)
        return _stamp(path) if path is not None else None

    async def _until_changed(self) -> None:
        """Wait until the model's file has changed."""
        while self._stamp() == self._seen:  # noqa: ASYNC110
            await asyncio.sleep(0.5)  # `eclair pull` may run in any process


def _slot_prompt(model: str, system: str, slot: int) -> JSON:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": f"Hi {slot}"}]
    return {"model": model, "messages": messages, "max_tokens": 1, "id_slot": slot}


def _recommended(sampling: Sampling, entry: CatalogEntry) -> Sampling:
    """Fill in the sampling that the catalog recommends."""
    return replace(
        sampling,
        repeat_penalty=entry.repeat_penalty if sampling.temperature is None else sampling.repeat_penalty,
        temperature=entry.temperature if sampling.temperature is None else sampling.temperature,
        top_p=entry.top_p if sampling.top_p is None else sampling.top_p,
    )


def _read_green_list(model: Path, settings: Settings, bias: float) -> GreenList | None:
    return GreenList.read(model, WatermarkKeys.configured(settings).current(), bias)


def _context(entry: CatalogEntry, settings: Settings) -> int:
    return min(settings.embedded_context, entry.context or settings.embedded_context)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what changes with a file; None if there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
