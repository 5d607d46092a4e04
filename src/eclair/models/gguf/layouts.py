"""Which number format each tensor of a model has: the layouts that are worth trying on a processor.

llama.cpp rearranges Q4_0 as it loads it, so that a processor reads several rows at once; it does not do
so with Q4_1, Q5 or floats. Embeddings and output are never touched: a file that has them in four bits answers worse.
"""

from __future__ import annotations

from dataclasses import dataclass

from eclair.models.gguf.ggml import TYPES_BY_NAME, UNPACKABLE_TYPES, GgmlType
from eclair.models.gguf.tensors import GgufContents, Tensor, layer_of

ROBUST_TENSORS = ("ffn_gate", "ffn_up")
"""The larger half of a model, which loses little in four bits; of what SmolLM2 loses in Q4_0 `ffn_down` alone loses
half (bench/LOG.md)."""

OUTER_LAYERS = 2
"""Layers at either end of a deep model whose error hurts more than the others'."""


@dataclass(frozen=True, slots=True)
class TensorLayout:
    """A layout: what tensors become, or with `careful` the sturdy ones of the inner layers, the others then being Q8_0.

    `file_type` is the number by which a file names its format.
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
    """The tensors as they are to be; their offsets are still those that they have."""
    return [
        Tensor(tensor.name, tensor.shape, _kind(tensor, contents.layers, layout), tensor.offset)
        for tensor in contents.tensors
    ]


def candidate_layouts(contents: GgufContents) -> list[TensorLayout]:
    """Layouts that may be faster than the one that the file has; none where nothing is to be gained."""
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
