"""llama.cpp's matrix kernels alone: all products of a model with so many tokens, without anything else that an answer
takes.

They are those of a library that the embedded engine brings, or that was compiled for this processor, called through its
C functions.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Sequence
from pathlib import Path

from eclair.llm.local.profile import supports_kernels
from eclair.llm.local.subprocess import OPENMP_ENVIRONMENT
from eclair.models.gguf.ggml import GGML_TYPES, find_library
from eclair.models.gguf.tensors import Tensor

SPACE = 4 << 20
"""Bytes for the descriptions of tensors and of a graph."""

STRIPS = {"Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q6_K"}
"""Formats that an engine with kernels of our own lays out again."""

Handle = ctypes.c_void_p


_Log = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, Handle)


def _silence(level: int, text: bytes, data: int) -> None:
    """It says that it rearranges each tensor."""


class _Space(ctypes.Structure):
    _fields_ = (("size", ctypes.c_size_t), ("memory", Handle), ("no_alloc", ctypes.c_bool))


_SIGNATURES: dict[str, tuple[object, ...]] = {
    "ggml_log_set": (None, Handle, Handle),
    "ggml_init": (Handle, _Space),
    "ggml_free": (None, Handle),
    "ggml_new_tensor_2d": (Handle, Handle, ctypes.c_int, ctypes.c_int64, ctypes.c_int64),
    "ggml_mul_mat": (Handle, Handle, Handle, Handle),
    "ggml_new_graph": (Handle, Handle),
    "ggml_build_forward_expand": (None, Handle, Handle),
    "ggml_backend_alloc_ctx_tensors_from_buft": (Handle, Handle, Handle),
    "ggml_backend_buffer_free": (None, Handle),
    "ggml_backend_tensor_set": (None, Handle, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t),
    "ggml_backend_cpu_init": (Handle,),
    "ggml_backend_free": (None, Handle),
    "ggml_backend_cpu_set_n_threads": (None, Handle, ctypes.c_int),
    "ggml_backend_graph_compute": (ctypes.c_int, Handle, Handle),
    "ggml_backend_cpu_buffer_type": (Handle,),
    "_Z35ggml_backend_cpu_repack_buffer_typev": (Handle,),
}


class Kernels:
    """The functions of the installed library, or of one that was compiled: a folder to import it from."""

    def __init__(self, compiled: Path | None) -> None:
        os.environ.update(OPENMP_ENVIRONMENT)  # as the engine's process has it; OpenMP reads it when it is loaded
        path = find_library() if compiled is None else next((compiled / "xllamacpp").glob("xllamacpp*.so"))
        self._repacked = {"Q4_0"} if compiled is None or not supports_kernels() else STRIPS
        found = ctypes.CDLL(str(path))
        self._call = {name: getattr(found, name) for name in _SIGNATURES}
        for name, (result, *arguments) in _SIGNATURES.items():
            self._call[name].restype = result
            self._call[name].argtypes = arguments
        self._silence = _Log(_silence)
        self._call["ggml_log_set"](ctypes.cast(self._silence, Handle), None)

    def seconds(self, tensors: Sequence[Tensor], tokens: int, threads: int, patience: float) -> float:
        """The shortest time for the product of each tensor with so many tokens, of as many as `patience` holds."""
        call = self._call
        weights, work = (call["ggml_init"](_Space(SPACE, None, True)) for _ in range(2))
        plain, packed = call["ggml_backend_cpu_buffer_type"](), call["_Z35ggml_backend_cpu_repack_buffer_typev"]()
        backend = call["ggml_backend_cpu_init"]()
        call["ggml_backend_cpu_set_n_threads"](backend, threads)
        buffers: list[int] = []
        try:
            graph = call["ggml_new_graph"](work)
            inputs: dict[int, int] = {}
            pairs: list[tuple[int, Tensor]] = []
            for tensor in tensors:
                width, rows = tensor.shape
                if width not in inputs:
                    inputs[width] = call["ggml_new_tensor_2d"](work, 0, width, tokens)
                pairs.append((call["ggml_new_tensor_2d"](weights, tensor.type.number, width, rows), tensor))
            repacked = tensors[0].type.name in self._repacked
            buffers.append(call["ggml_backend_alloc_ctx_tensors_from_buft"](weights, packed if repacked else plain))
            for handle, tensor in pairs:
                call["ggml_backend_tensor_set"](handle, bytes(tensor.size), 0, tensor.size)
                product = call["ggml_mul_mat"](work, handle, inputs[tensor.shape[0]])
                call["ggml_build_forward_expand"](graph, product)
            buffers.append(call["ggml_backend_alloc_ctx_tensors_from_buft"](work, plain))
            best, ends = float("inf"), time.perf_counter() + patience
            while best == float("inf") or time.perf_counter() < ends:
                began = time.perf_counter()
                call["ggml_backend_graph_compute"](backend, graph)
                best = min(best, time.perf_counter() - began)
            return best
        finally:
            for buffer in buffers:
                call["ggml_backend_buffer_free"](buffer)
            call["ggml_backend_free"](backend)
            call["ggml_free"](work)
            call["ggml_free"](weights)


def products(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors that every token is multiplied with, the embeddings among them where they are the output too."""
    apart = any(tensor.name == "output.weight" for tensor in tensors)
    return [
        tensor
        for tensor in tensors
        if len(tensor.shape) == 2
        and tensor.type in GGML_TYPES.values()
        and not (apart and tensor.name == "token_embd.weight")
    ]


def of_one_kind(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    """Those of each format together, as a graph has its weights in one place."""
    return [[tensor for tensor in tensors if tensor.type == kind] for kind in {tensor.type for tensor in tensors}]
