"""Which number format each tensor of a model has: the layouts that are worth trying on a processor.

llama.cpp rearranges Q4_0 and IQ4_NL as it loads them, so that a processor reads several rows at once; it does not do
so with Q4_1, Q5 or floats. Embeddings and output are never touched: a file that has them in four bits answers worse.
"""

from __future__ import annotations

from dataclasses import dataclass

from eclair.engines.ggml import NAMED, READABLE, Kind
from eclair.engines.tensors import Contents, Tensor, layer_of

SENSITIVE = ("attn_v", "ffn_down")
"""Tensors whose error hurts most, as llama.cpp's own mixtures have it (src/llama-quant.cpp)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout: what most tensors become, and whether the sensitive ones and the outer layers stay in eight bits.

    `file_type` is the number by which a file names its format.
    """

    name: str
    most: Kind
    careful: bool
    file_type: int


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("Q4_0", NAMED["Q4_0"], False, 2),
        Layout("Q4_0+Q8_0", NAMED["Q4_0"], True, 2),
        Layout("IQ4_NL", NAMED["IQ4_NL"], False, 25),
        Layout("IQ4_NL+Q8_0", NAMED["IQ4_NL"], True, 25),
        Layout("Q8_0", NAMED["Q8_0"], False, 7),
    )
}

AS_IT_CAME = "as it came"


def laid_out(contents: Contents, layout: Layout) -> list[Tensor]:
    """The tensors as they are to be; their offsets are still those that they have."""
    return [
        Tensor(tensor.name, tensor.shape, _kind(tensor, contents.layers, layout), tensor.offset)
        for tensor in contents.tensors
    ]


def worth_trying(contents: Contents) -> list[Layout]:
    """Layouts that may be faster than the one that the file has; none where nothing is to be gained."""
    return [layout for layout in LAYOUTS.values() if _changes(contents, layout)]


def _changes(contents: Contents, layout: Layout) -> bool:
    return any(new.kind != old.kind for new, old in zip(laid_out(contents, layout), contents.tensors, strict=True))


def _kind(tensor: Tensor, layers: int, layout: Layout) -> Kind:
    layer = layer_of(tensor.name)
    if (
        layer is None
        or len(tensor.shape) < 2
        or not tensor.name.endswith(".weight")
        or tensor.kind.name not in READABLE - {"Q4_0", "IQ4_NL"}
        or "gate_inp" in tensor.name  # chooses a mixture's experts
        or "ssm" in tensor.name
    ):
        return tensor.kind
    outer = layer in (0, layers - 1) or tensor.name.split(".")[2] in SENSITIVE
    kind = NAMED["Q8_0"] if layout.careful and outer else layout.most
    return kind if tensor.shape[0] % kind.block == 0 else tensor.kind
