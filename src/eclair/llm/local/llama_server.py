"""The embedded engine's process: llama.cpp's server on a loopback port, for as long as standard input is open.

It takes one `Order`, replies with `Serving` or `Refused`, and dies with its parent. Nothing of the order is on the
command line or in the environment, where other users could read the key.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from dataclasses import dataclass
from typing import Any, Literal

from eclair.util.frames import Codec
from eclair.util.parent_connection import ParentConnection


@dataclass(frozen=True, slots=True)
class LlamaServerOptions:
    """What to run. `context` bounds each request, `shared` is the window that all of them share, in tokens.

    `threads` read prompts and `writing` threads write. `kv` is the format of keys and values. `lookup` and `draft` are
    those of `drafting`, in tokens; without a `draft` nothing is guessed. `eyes` is the file with which the model sees.
    `compiled` is a folder with an engine to run in place of the installed one.
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


@dataclass(frozen=True, slots=True)
class Serving:
    url: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot serve: the engine or the model does not load."""

    fault: Literal["engine", "model"]
    detail: str


ORDERS = Codec(LlamaServerOptions)
REPLIES = Codec[Serving | Refused](Serving, Refused)


def main() -> None:
    parent = ParentConnection(ORDERS, REPLIES)
    order = parent.read()
    if order is None:
        return
    if order.nice:
        os.nice(order.nice)
    parent.die_with_parent()
    parent.send(_serve(order))
    threading.Event().wait()


_servers: list[Any] = []
"""Keeps the server alive: it stops when it is collected."""


def _serve(order: LlamaServerOptions) -> Serving | Refused:
    if order.compiled_folder:
        sys.path.insert(0, order.compiled_folder)
    try:
        xllamacpp: Any = importlib.import_module("xllamacpp")
    except ImportError as error:
        return Refused("engine", _valid(error))
    try:
        server = xllamacpp.Server(_parameters(xllamacpp, order))
    except Exception as error:  # its binding raises bare exceptions for whatever does not load
        return Refused("model", _valid(error))
    _servers.append(server)
    return Serving(server.listening_address)


def _parameters(xllamacpp: Any, order: LlamaServerOptions) -> Any:
    wanted = xllamacpp.CommonParams()
    wanted.model.path = order.model
    wanted.model_alias = {order.name}
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = 0
    wanted.api_keys = [order.key]
    wanted.ui = False
    wanted.endpoint_metrics = True
    # The system prompt is read at once anyway; and to look how much of a model fits on a GPU takes a quarter of a
    # start, as long where there is none.
    wanted.warmup = False
    devices = xllamacpp.get_device_info()
    wanted.fit_params = any(
        device["type"] != xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU for device in devices
    )
    wanted.slot_save_path = order.scratch
    wanted.verbosity = 1
    wanted.cpuparams.n_threads = order.decode_threads
    wanted.cpuparams_batch.n_threads = order.prompt_threads
    wanted.cache_type_k = wanted.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{order.kv_type.upper()}")
    flash = {"auto": "AUTO", "on": "ENABLED", "off": "DISABLED"}[order.flash_attention]
    wanted.flash_attn_type = getattr(xllamacpp.llama_flash_attn_type, f"LLAMA_FLASH_ATTN_TYPE_{flash}")
    wanted.n_parallel = order.parallel
    wanted.kv_unified = True
    # While one prompt is read, every other answer waits for the piece that is being read: 0.6 s for 128 tokens of the
    # embedded model where llama.cpp's own 2,048 take 6 s, at 2 % of the speed.
    wanted.n_batch = wanted.n_ubatch = 128
    wanted.n_ctx = order.shared_context
    wanted.kv_unified_per_slot = order.context
    wanted.cache_ram_mib = order.cache_mib
    # The share of a prompt that the slot used last must have read to go on with it. At the default of 0.1 a new
    # question takes over any chat's slot, since all share the system message, and that chat's next turn is read anew
    # (272 tokens: 1.1 s instead of 0.1 s); at 0.5 a turn that brings more passages than were read before loses all.
    wanted.slot_prompt_similarity = 0.25
    if order.projector:
        wanted.mmproj.path = order.projector
        wanted.n_batch = wanted.n_ubatch = 512  # some models must read all of a picture's 256 tokens at once
    if order.draft_tokens and not order.projector:  # llama.cpp guesses nothing where pictures may come
        wanted.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
        wanted.speculative.ngram_simple.size_n = order.lookup_tokens
        wanted.speculative.ngram_simple.size_m = order.draft_tokens
    return wanted


def _valid(error: Exception) -> str:
    """Return what an exception says, without half characters."""
    return str(error).encode(errors="replace").decode()


if __name__ == "__main__":
    main()
