"""The embedded engine's process: llama.cpp's server on a loopback port.

It reads `LlamaServerOptions` from standard input, replies with `Serving` or `ServerFailed`, and dies with its parent.
Nothing is passed on the command line or in the environment, where other users could read the key.
"""

from __future__ import annotations

import glob
import importlib
import os
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from eclair.llm.local.kernels import Kernels, load_native_kernels
from eclair.sandbox import walls
from eclair.util.frames import Codec
from eclair.util.parent_connection import ParentConnection

PROMPT_BATCH_TOKENS = 128
"""Tokens of prompts that are read at a time, for which every other answer waits.

0.6 s with the embedded model, where llama.cpp's own 2,048 take 6 s, at 2 % of the speed."""

_PART = re.compile(r"-\d{5}-of-\d{5}\.gguf\Z")
"""The end of the name of a model in parts."""


@dataclass(frozen=True, slots=True)
class LlamaServerOptions:
    """Options of the server.

    `context` limits each request, `shared_context` is the window shared by all of them, in tokens. `kv_type` is the
    number format of keys and values. `lookup_tokens` and `draft_tokens` configure drafting (see `speculative`); with
    `draft_tokens` 0 it is off. `projector` gives the model vision. `compiled_folder` contains an engine to run in
    place of the installed one, with kernels of its own. With `reranks` it scores texts and writes none.
    """

    model: str
    name: str
    key: str
    context: int
    shared_context: int
    parallel: int
    prompt_threads: int
    cache_mib: int
    scratch: str
    decode_threads: int
    kv_type: Literal["f16", "q8_0"]
    flash_attention: Literal["auto", "on", "off"]
    nice: int = 0
    lookup_tokens: int = 0
    draft_tokens: int = 0
    projector: str = ""
    compiled_folder: str = ""
    kernels: Kernels = "generic"
    reranks: bool = False


@dataclass(frozen=True, slots=True)
class Serving:
    """The server listens at `url`. `kernels` names those for this CPU, unless it runs on its own."""

    url: str
    kernels: str = ""


@dataclass(frozen=True, slots=True)
class ServerFailed:
    """The server can't start: the engine or the model doesn't load."""

    fault: Literal["engine", "model"]
    detail: str


OPTIONS_CODEC = Codec(LlamaServerOptions)
REPLY_CODEC = Codec[Serving | ServerFailed](Serving, ServerFailed)


def main() -> None:
    parent = ParentConnection(OPTIONS_CODEC, REPLY_CODEC)
    options = parent.read()
    if options is None:
        return
    if options.nice:
        os.nice(options.nice)
    walls.enclose_engine(_readable_files(options), [Path(options.scratch)], listens=True)
    parent.die_with_parent()
    parent.send(_serve(options))
    threading.Event().wait()


def _readable_files(options: LlamaServerOptions) -> list[Path]:
    """List the files that the server opens."""
    paths = [Path(path) for path in (options.projector, options.compiled_folder) if path]
    return [path.resolve() for path in (*model_files(Path(options.model)), *paths)]


def model_files(model: Path) -> list[Path]:
    """List a model's file, and the other parts of a model in parts."""
    part = _PART.search(model.name)
    if part is None:
        return [model]
    return [model, *model.parent.glob(f"{glob.escape(model.name[: -len(part[0])])}-*-of-*.gguf")]


_servers: list[Any] = []
"""Keeps the server alive: it stops when it is garbage-collected."""


def _serve(options: LlamaServerOptions) -> Serving | ServerFailed:
    if options.compiled_folder:
        sys.path.insert(0, options.compiled_folder)
    try:
        xllamacpp: Any = importlib.import_module("xllamacpp")
    except ImportError as error:
        return ServerFailed("engine", _valid(error))
    native = options.kernels == "native" and not options.compiled_folder
    kernels = load_native_kernels(xllamacpp) if native else ""
    try:
        server = xllamacpp.Server(_parameters(xllamacpp, options))
    except Exception as error:  # its binding raises bare exceptions for whatever does not load
        return ServerFailed("model", _valid(error))
    _servers.append(server)
    return Serving(server.listening_address, kernels)


def _parameters(xllamacpp: Any, options: LlamaServerOptions) -> Any:
    wanted = xllamacpp.CommonParams()
    wanted.model.path = options.model
    wanted.model_alias = {options.name}
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = 0
    wanted.api_keys = [options.key]
    wanted.ui = False
    wanted.endpoint_metrics = True
    # The system prompt is read at once anyway; and to look how much of a model fits on a GPU takes a quarter of a
    # start, as long where there is none.
    wanted.warmup = False
    devices = xllamacpp.get_device_info()
    wanted.fit_params = any(
        device["type"] != xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU for device in devices
    )
    wanted.slot_save_path = options.scratch
    wanted.verbosity = 1
    wanted.cpuparams.n_threads = options.decode_threads
    wanted.cpuparams_batch.n_threads = options.prompt_threads
    # Threads sleep between batches. Kernels without OpenMP would otherwise spin for 0.1 s after each.
    wanted.cpuparams.poll = wanted.cpuparams_batch.poll = 0
    wanted.cache_type_k = wanted.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{options.kv_type.upper()}")
    flash = {"auto": "AUTO", "on": "ENABLED", "off": "DISABLED"}[options.flash_attention]
    wanted.flash_attn_type = getattr(xllamacpp.llama_flash_attn_type, f"LLAMA_FLASH_ATTN_TYPE_{flash}")
    wanted.n_parallel = options.parallel
    wanted.kv_unified = True
    wanted.n_batch = wanted.n_ubatch = PROMPT_BATCH_TOKENS
    wanted.n_ctx = options.shared_context
    wanted.kv_unified_per_slot = options.context
    wanted.cache_ram_mib = options.cache_mib
    # The share of a prompt that the slot used last must have read to go on with it. At the default of 0.1 a new
    # question takes over any chat's slot, since all share the system message, and that chat's next turn is read again
    # (272 tokens: 1.1 s instead of 0.1 s); at 0.5 a turn that brings more passages than were read before loses all.
    wanted.slot_prompt_similarity = 0.25
    if options.reranks:
        wanted.embedding = True
        wanted.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
        wanted.n_batch = wanted.n_ubatch = options.context  # each text is read at once
    if options.projector:
        wanted.mmproj.path = options.projector
        wanted.n_batch = wanted.n_ubatch = 512  # some models must read all of a picture's 256 tokens at once
    if options.draft_tokens and not options.projector:  # llama.cpp drafts nothing where pictures may come
        wanted.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
        wanted.speculative.ngram_simple.size_n = options.lookup_tokens
        wanted.speculative.ngram_simple.size_m = options.draft_tokens
    return wanted


def _valid(error: Exception) -> str:
    """Return an exception's message without lone surrogates."""
    return str(error).encode(errors="replace").decode()


if __name__ == "__main__":
    main()
