"""Writes a network as ONNX: the part of the format that is needed here.

See onnx.proto, IR version 8, with operator set 17 and onnxruntime's own operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

IR_VERSION = 8
OPSET_VERSION = 17
ONNXRUNTIME_DOMAIN = "com.microsoft"
"""The domain of onnxruntime's own operators."""
ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int8": 3}
"""The format's codes of element types."""

Value = int | float | str | Sequence[int]
TensorShape = Sequence[int | str]
"""Lengths of the axes; a named axis may have any length."""


@dataclass(slots=True)
class OnnxGraph:
    """A graph of operators, in order; each returns the name of its output."""

    nodes: list[bytes] = field(default_factory=list[bytes])
    tensors: list[bytes] = field(default_factory=list[bytes])

    def add_tensor(self, name: str, values: NDArray[np.float32] | NDArray[np.uint8] | NDArray[np.int8]) -> str:
        shape = b"".join(_number(1, length) for length in values.shape)
        raw = values.astype(values.dtype.newbyteorder("<")).tobytes()
        kind = _number(2, ELEMENT_TYPES[values.dtype.name])
        self.tensors.append(shape + kind + _bytes(8, name.encode()) + _bytes(9, raw))
        return name

    def add(self, operator: str, inputs: Sequence[str], *, domain: str = "", **attributes: Value) -> str:
        """Add an operator and return its output's name. An empty input name omits that input."""
        name = f"{operator}_{len(self.nodes)}"
        node = b"".join(_bytes(1, each.encode()) for each in inputs) + _bytes(2, name.encode())
        node += _bytes(3, name.encode()) + _bytes(4, operator.encode())
        node += b"".join(_bytes(5, _attribute(*each)) for each in attributes.items())
        self.nodes.append(node + _bytes(7, domain.encode()))
        return name

    def serialize(self, input: tuple[str, TensorShape], output: tuple[str, TensorShape]) -> bytes:
        graph = b"".join(_bytes(1, node) for node in self.nodes) + _bytes(2, b"network")
        graph += b"".join(_bytes(5, tensor) for tensor in self.tensors)
        graph += _bytes(11, _value_info(*input)) + _bytes(12, _value_info(*output))
        sets = _bytes(8, _number(2, OPSET_VERSION)) + _bytes(8, _bytes(1, ONNXRUNTIME_DOMAIN.encode()) + _number(2, 1))
        return _number(1, IR_VERSION) + _bytes(2, b"eclair") + _bytes(7, graph) + sets


def _attribute(name: str, value: Value) -> bytes:
    head = _bytes(1, name.encode())
    match value:
        case int():
            return head + _number(3, value) + _number(20, 2)
        case float():
            return head + _key(2, 5) + np.float32(value).tobytes() + _number(20, 1)
        case str():
            return head + _bytes(4, value.encode()) + _number(20, 3)
        case _:
            return head + b"".join(_number(8, each) for each in value) + _number(20, 7)


def _value_info(name: str, shape: TensorShape) -> bytes:
    axes = b"".join(
        _bytes(1, _bytes(2, axis.encode()) if isinstance(axis, str) else _number(1, axis)) for axis in shape
    )
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _number(1, ELEMENT_TYPES["float32"]) + _bytes(2, axes)))


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _number(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _bytes(field: int, data: bytes) -> bytes:
    return _key(field, 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
