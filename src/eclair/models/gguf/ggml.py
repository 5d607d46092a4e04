"""Converts llama.cpp's number formats with the embedded engine's library.

It calls only plain C functions whose signatures have been stable for years (ggml/include/ggml.h,
ggml/src/ggml-quants.h). Whoever opens the library loads it, so that should be a process that may crash.
"""

from __future__ import annotations

import ctypes
import importlib.util
from array import array
from dataclasses import dataclass
from pathlib import Path

from eclair.errors import EngineMissing


@dataclass(frozen=True, slots=True)
class GgmlType:
    """A number format: its name, its number in files, and the bytes of a block of `block`."""

    name: str
    number: int
    block: int
    bytes: int

    def byte_size(self, count: int) -> int:
        """Return the bytes of `count` numbers, which must be whole blocks."""
        return count // self.block * self.bytes


GGML_TYPES = {
    kind.number: kind
    for kind in (
        GgmlType("F32", 0, 1, 4),
        GgmlType("F16", 1, 1, 2),
        GgmlType("Q4_0", 2, 32, 18),
        GgmlType("Q4_1", 3, 32, 20),
        GgmlType("Q5_0", 6, 32, 22),
        GgmlType("Q5_1", 7, 32, 24),
        GgmlType("Q8_0", 8, 32, 34),
        GgmlType("Q2_K", 10, 256, 84),
        GgmlType("Q3_K", 11, 256, 110),
        GgmlType("Q4_K", 12, 256, 144),
        GgmlType("Q5_K", 13, 256, 176),
        GgmlType("Q6_K", 14, 256, 210),
        GgmlType("IQ4_NL", 20, 32, 18),
        GgmlType("BF16", 30, 1, 2),
    )
}
TYPES_BY_NAME = {kind.name: kind for kind in GGML_TYPES.values()}

_UNPACK = {
    "F16": "ggml_fp16_to_fp32_row",
    "BF16": "ggml_bf16_to_fp32_row",
    "Q4_0": "dequantize_row_q4_0",
    "Q4_1": "dequantize_row_q4_1",
    "Q5_0": "dequantize_row_q5_0",
    "Q5_1": "dequantize_row_q5_1",
    "Q8_0": "dequantize_row_q8_0",
    "IQ4_NL": "dequantize_row_iq4_nl",
}

UNPACKABLE_TYPES = frozenset({"F32", *_UNPACK})
"""Formats that `unpack` reads."""

_Floats = ctypes.POINTER(ctypes.c_float)


class Ggml:
    """The library's functions. Calls release the GIL."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._unpack = {name: getattr(library, function) for name, function in _UNPACK.items()}
        for unpack in self._unpack.values():
            unpack.argtypes = (ctypes.c_char_p, _Floats, ctypes.c_int64)
            unpack.restype = None
        self._pack = library.ggml_quantize_chunk
        self._pack.argtypes = (
            ctypes.c_int,
            _Floats,
            ctypes.c_void_p,
            ctypes.c_int64,
            ctypes.c_int64,
            ctypes.c_int64,
            _Floats,
        )
        self._pack.restype = ctypes.c_size_t

    @classmethod
    def open(cls) -> Ggml:
        """Load the library. Raises EngineMissing if it, or one of these functions, is missing."""
        try:
            return cls(ctypes.CDLL(str(find_library())))
        except (OSError, AttributeError) as error:
            raise EngineMissing(
                f"The embedded engine's library does not offer its number formats ({error}); models run as they came."
            ) from error

    def unpack(self, kind: GgmlType, data: bytes) -> array[float]:
        """Return the numbers in `data`, which must be whole blocks of an unpackable format."""
        count = len(data) // kind.bytes * kind.block
        if kind.name == "F32":
            return array("f", data)
        numbers = array("f", bytes(count * 4))
        self._unpack[kind.name](data, _pointer(numbers), count)
        return numbers

    def pack(self, kind: GgmlType, numbers: array[float], width: int) -> bytes:
        """Pack `numbers`, rows of `width`, as whole blocks of Q4_0, Q8_0 or IQ4_NL.

        Equal weights make llama.cpp search for the scale with the least error; without weights it doesn't.
        """
        rows = len(numbers) // width
        packed = ctypes.create_string_buffer(kind.byte_size(len(numbers)))
        weights = _pointer(array("f", [1.0]) * width)
        written = self._pack(kind.number, _pointer(numbers), packed, 0, rows, width, weights)
        assert written == len(packed.raw), (written, len(packed.raw))
        return packed.raw


def find_library() -> Path:
    """Return the path of the embedded engine's library. Raises EngineMissing."""
    spec = importlib.util.find_spec("xllamacpp")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for path in sorted(Path(folder).glob("xllamacpp*.so")):
            return path
    raise EngineMissing("The embedded engine's package, xllamacpp, is not installed; install Éclair again.")


def _pointer(numbers: array[float]) -> ctypes.Array[ctypes.c_float]:
    return (ctypes.c_float * len(numbers)).from_buffer(numbers)
