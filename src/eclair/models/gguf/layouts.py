"""Tensor layouts that may run faster on a CPU, by number format.

llama.cpp repacks Q4_0 while loading, so that a CPU reads several rows at once; it doesn't do so with Q4_1, Q5 or
floats. Embeddings and output are left alone: in four bits they make the answers worse.
"""

from __future__ import annotations

from dataclasses import dataclass

from eclair.models.gguf.ggml import TYPES_BY_NAME, UNPACKABLE_TYPES, GgmlType
from eclair.models.gguf.tensors import GgufContents, Tensor, layer_of

ROBUST_TENSORS = ("ffn_gate", "ffn_up")
"""The larger half of a model, which loses little in four bits.

Of what SmolLM2 loses in Q4_0, `ffn_down` alone loses half (bench/LOG.md)."""

OUTER_LAYERS = 2
"""Layers at either end of a deep model whose error hurts more than that of the others."""


@dataclass(frozen=True, slots=True)
class TensorLayout:
    """A layout: the format of the tensors, and its `file_type` number in the header.

    If it `is_mixed`, only robust tensors of the inner layers get `type`; the others get Q8_0.
    """

    name: str
    type: GgmlType
    is_mixed: bool
    file_type: int


LAYOUTS = {
    layout.name: layout
    for layout in (
        TensorLayout("Q4_0", TYPES_BY_NAME["Q4_0"], False, 2),
        TensorLayout("Q4_0+Q8_0", TYPES_BY_NAME["Q4_0"], True, 2),
        TensorLayout("Q8_0", TYPES_BY_NAME["Q8_0"], False, 7),
    )
}

ORIGINAL_LAYOUT = "as it came"


def apply_layout(contents: GgufContents, layout: TensorLayout) -> list[Tensor]:
    """Return the tensors in their new formats, with the offsets of the old file."""
    return [
        Tensor(tensor.name, tensor.shape, _kind(tensor, contents.layers, layout), tensor.offset)
        for tensor in contents.tensors
    ]


def candidate_layouts(contents: GgufContents) -> list[TensorLayout]:
    """Return the layouts that may be faster than the file's own."""
    return [layout for layout in LAYOUTS.values() if _changes(contents, layout)]


def _changes(contents: GgufContents, layout: TensorLayout) -> bool:
    return any(new.type != old.type for new, old in zip(apply_layout(contents, layout), contents.tensors, strict=True))


def _kind(tensor: Tensor, layers: int, layout: TensorLayout) -> GgmlType:
    layer = layer_of(tensor.name)
    if (
        layer is None
        or len(tensor.shape) < 2
        or not tensor.name.endswith(".weight")
        or tensor.type.name not in UNPACKABLE_TYPES - {"Q4_0", "IQ4_NL"}
        or "gate_inp" in tensor.name  # chooses a mixture's experts
        or "ssm" in tensor.name
    ):
        return tensor.type
    ends = min(OUTER_LAYERS, max(1, layers // 8))
    sturdy = ends <= layer < layers - ends and tensor.name.split(".")[2].startswith(ROBUST_TENSORS)
    kind = TYPES_BY_NAME["Q8_0"] if layout.is_mixed and not sturdy else layout.type
    return kind if tensor.shape[0] % kind.block == 0 else tensor.type
