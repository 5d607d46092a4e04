"""Reads weights that PyTorch saved before 2020, without PyTorch.

Such files are pickles, then raw numbers.

A pickle can call anything that it names; here it may name ordered dictionaries and tensors, and nothing else.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGE_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
MAX_TENSOR_NUMBERS = 64 << 20

WeightArrays = dict[str, NDArray[np.float32]]


class UnreadableTorchWeights(Exception):
    """The file does not hold such weights."""


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_weights(file: BinaryIO) -> WeightArrays:
    """Return the floating-point tensors by name. Raises UnreadableTorchWeights."""
    try:
        if _Pickle(file).load() != MAGIC or _Pickle(file).load() != PROTOCOL:
            raise UnreadableTorchWeights("it was not saved by PyTorch")
        if not _Pickle(file).load()["little_endian"]:
            raise UnreadableTorchWeights("its numbers are the other way round")
        tensors: dict[str, _Tensor] = _Pickle(file).load()
        keys: list[str] = _Pickle(file).load()
        kinds = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        stored = {key: _numbers(file, kinds[key]) for key in keys}
        return {
            name: _view(stored[tensor.storage.key], tensor)
            for name, tensor in tensors.items()
            if tensor.storage.kind == "FloatStorage"
        }
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise UnreadableTorchWeights(str(error)) from error


class _Pickle(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        match module_name, global_name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _tensor
            case "torch", name if name in STORAGE_TYPES:
                return name
            case _:
                raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")

    def persistent_load(self, pid: Any) -> Any:
        _, kind, key, _, count, _ = pid
        if kind not in STORAGE_TYPES or not 0 <= count <= MAX_TENSOR_NUMBERS:
            raise pickle.UnpicklingError("it has a tensor of another kind")
        return _Storage(str(key), kind, count)


def _tensor(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


def _numbers(file: BinaryIO, storage: _Storage) -> NDArray[Any]:
    (count,) = struct.unpack("<q", file.read(8))
    kind = STORAGE_TYPES[storage.kind]
    data = file.read(count * kind.itemsize) if count == storage.count else b""
    return np.frombuffer(data, kind, count)


def _view(numbers: NDArray[Any], tensor: _Tensor) -> NDArray[np.float32]:
    last = tensor.offset + sum((length - 1) * step for length, step in zip(tensor.shape, tensor.strides, strict=True))
    if min((tensor.offset, *tensor.strides, *tensor.shape)) < 0 or last >= len(numbers):
        raise ValueError("a tensor reaches beyond its numbers")
    size = numbers.itemsize
    view = as_strided(numbers[tensor.offset :], tensor.shape, [step * size for step in tensor.strides], writeable=False)
    return np.ascontiguousarray(view, np.float32)
