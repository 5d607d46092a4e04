"""Reranks with the embedded engine: llama.cpp's server with a reranking model, in a process that starts on demand.

The model is a file of the models folder that is named as such. The process ends when nothing was ranked for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from eclair.errors import EngineBroken, EngineMissing, EngineUnavailable, SetupError, UpstreamError
from eclair.llm.local.kernels import choose_kernels
from eclair.llm.local.llama_server import LlamaServerOptions, ServerFailed, Serving
from eclair.llm.local.subprocess import LlamaSubprocess, describe_missing_engine
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.models import memory
from eclair.models.gguf.header import read_header
from eclair.models.installed import find_reranker, id_for_file
from eclair.settings import Settings
from eclair.util.cpu import available_cores

NAME = "reranker"

CONTEXT_TOKENS = 2048
"""For a question and a text, which are read at once."""

MAX_TEXT_CHARS, MAX_QUERY_CHARS = 1400, 500
"""Longer ones are cut, so that both fit in any language."""

IDLE_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class _Running:
    client: OpenAIEngine
    stack: contextlib.AsyncExitStack


class LocalReranker:
    """Scores texts with the reranking model of the models folder."""

    def __init__(self, settings: Settings, idle: float = IDLE_TIMEOUT_S) -> None:
        self._settings = settings
        self._idle = idle
        self._starting: asyncio.Task[_Running] | None = None
        self._ending: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def is_installed(self) -> bool:
        """True if there is a reranking model."""
        return find_reranker(self._settings.data_dir) is not None

    @property
    def model(self) -> str | None:
        """The id of the reranking model, if there is one."""
        path = find_reranker(self._settings.data_dir)
        return id_for_file(path.name, {}) if path is not None else None

    @property
    def is_ready(self) -> bool:
        """True if the process has started."""
        return self._starting is not None and self._starting.done()

    def wake(self) -> None:
        """Start the process unless it runs or starts. It ends like one that was asked."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(), name="start the reranker")
            self._schedule_end()

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return how well each text answers the query.

        The first call starts the process, which goes on starting if the call is cancelled. Raises UpstreamError and
        SetupError.
        """
        self.wake()
        starting = self._starting
        assert starting is not None
        try:
            running = await asyncio.shield(starting)
            cut = [text[:MAX_TEXT_CHARS] for text in texts]
            return await running.client.rerank(NAME, query[:MAX_QUERY_CHARS], cut)
        except (UpstreamError, SetupError):
            self._end(starting)
            raise
        finally:
            self._schedule_end()

    async def close(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        if self._starting is not None:
            self._end(self._starting)
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _start(self) -> _Running:
        data = self._settings.data_dir
        path = await asyncio.to_thread(find_reranker, data)
        if path is None:
            raise EngineUnavailable("The reranking model was removed.")
        size = path.stat().st_size
        if memory.available() < 2 * size:
            raise EngineUnavailable(f"The reranker {path.stem} needs {size / 1e9:.1f} GB of free memory.")
        header = await asyncio.to_thread(read_header, path)
        context = min(CONTEXT_TOKENS, header.context or CONTEXT_TOKENS)
        options = LlamaServerOptions(
            model=str(path),
            name=NAME,
            key=secrets.token_urlsafe(24),
            context=context,
            shared_context=context,
            parallel=1,
            prompt_threads=self._settings.embedded_threads or available_cores(),
            cache_mib=0,
            scratch=f"{data / 'scratch'}{os.sep}",
            decode_threads=self._settings.embedded_threads or available_cores(),
            kv_type="f16",
            flash_attention="auto",
            reranks=True,
            kernels=choose_kernels("auto", path),
        )
        async with contextlib.AsyncExitStack() as stack:
            process = await stack.enter_async_context(LlamaSubprocess.started(options, data / "logs"))
            match await process.reply():
                case Serving(url):
                    client = OpenAIEngine(NAME, f"{url}/v1", process.key)
                    stack.push_async_callback(client.close)
                    return _Running(client, stack.pop_all())
                case ServerFailed("engine", detail):
                    raise EngineMissing(describe_missing_engine(detail))
                case ServerFailed(detail=detail):
                    raise EngineBroken(f"The reranker {path.stem} does not load ({detail}).")
                case None:
                    raise EngineUnavailable(f"The reranker ended ({process.last_words()}).")

    def _schedule_end(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        if (starting := self._starting) is not None:
            self._ending = asyncio.get_running_loop().call_later(self._idle, self._end, starting)

    def _end(self, starting: asyncio.Task[_Running]) -> None:
        """End the process that this task starts or has started."""
        if self._starting is starting:
            self._starting = None
        task = asyncio.create_task(_end(starting))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _end(starting: asyncio.Task[_Running]) -> None:
    if not starting.done():
        starting.cancel()
    with contextlib.suppress(asyncio.CancelledError, UpstreamError, SetupError):
        running = await starting
        await running.stack.aclose()
