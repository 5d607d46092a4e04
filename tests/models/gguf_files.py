"""Tiny GGUF files: a header that says what a test wants, and a little noise for weights."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Mapping
from dataclasses import dataclass

Value = str | int | float | bool | list[str] | list[int] | list[float]


def header(values: Mapping[str, Value], version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(values)) + header_values(values)


def header_values(values: Mapping[str, Value]) -> bytes:
    return b"".join(map(_pair, values.items()))


def gguf(name: str = "Tiny", *, architecture: str = "llama", context: int = 4096, weights: bytes = b"") -> bytes:
    """A file whose tokens take 2 layers x 2 heads x (8 + 8) x 2 bytes = 128 bytes of keys and values each."""
    values: dict[str, Value] = {
        "general.architecture": architecture,
        "general.name": name,
        "general.license": "apache-2.0",
        "general.languages": ["en", "fr"],
        f"{architecture}.context_length": context,
        f"{architecture}.block_count": 2,
        f"{architecture}.embedding_length": 32,
        f"{architecture}.attention.head_count": 4,
        f"{architecture}.attention.head_count_kv": 2,
        "tokenizer.ggml.tokens": ["a"] * 5000,
    }
    return header(values) + weights


def _pair(pair: tuple[str, Value]) -> bytes:
    return text(pair[0]) + _typed(pair[1])


def _typed(value: Value) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + text(value)
        case [float(), *_]:
            return struct.pack(f"<IIQ{len(value)}f", 9, 6, len(value), *value)
        case list():
            kind = 8 if value and isinstance(value[0], str) else 5
            items = [text(item) if isinstance(item, str) else struct.pack("<I", item) for item in value]
            return struct.pack("<IIQ", 9, kind, len(value)) + b"".join(items)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


@dataclass(frozen=True, slots=True)
class Weights:
    """A tensor for a file: its format's number, its shape (the width of a row first) and its bytes."""

    kind: int
    shape: tuple[int, ...]
    data: bytes


def whole(values: Mapping[str, Value], tensors: Mapping[str, Weights]) -> bytes:
    """A file with weights."""
    table, data = b"", b""
    for name, tensor in tensors.items():
        table += text(name) + struct.pack("<I", len(tensor.shape))
        table += struct.pack(f"<{len(tensor.shape)}QIQ", *tensor.shape, tensor.kind, len(data))
        data += tensor.data + bytes(-len(tensor.data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values)) + b"".join(map(_pair, values.items())) + table
    return head + bytes(-len(head) % 32) + data


def talking(seed: int = 0, *, layers: int = 3, width: int = 64) -> bytes:
    """A model that llama.cpp runs and that babbles: random weights in Q4_1, a token for each byte."""
    draw = random.Random(seed)

    def floats(count: int, around: float) -> bytes:
        return struct.pack(f"<{count}f", *(around + draw.gauss(0, 0.02) for _ in range(count)))

    def matrix(rows: int, columns: int) -> Weights:
        block = (struct.pack("<ee", 0.02, -0.15) + draw.randbytes(16) for _ in range(rows * columns // 32))
        return Weights(3, (columns, rows), b"".join(block))

    tensors = {
        "token_embd.weight": Weights(0, (width, 258), floats(258 * width, 0)),
        "output_norm.weight": Weights(0, (width,), floats(width, 1)),
    }
    for layer in range(layers):
        for name in ("attn_norm", "ffn_norm"):
            tensors[f"blk.{layer}.{name}.weight"] = Weights(0, (width,), floats(width, 1))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors[f"blk.{layer}.{name}.weight"] = matrix(width, width)
        for name in ("ffn_gate", "ffn_up"):
            tensors[f"blk.{layer}.{name}.weight"] = matrix(2 * width, width)
        tensors[f"blk.{layer}.ffn_down.weight"] = matrix(width, 2 * width)
    values: dict[str, Value] = {
        "general.architecture": "llama",
        "general.name": "Babbler",
        "general.file_type": 3,
        "llama.context_length": 2048,
        "llama.embedding_length": width,
        "llama.block_count": layers,
        "llama.feed_forward_length": 2 * width,
        "llama.attention.head_count": 2,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": width // 2,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [*_letters(), "<s>", "</s>"],
        "tokenizer.ggml.token_type": [1] * 256 + [3, 3],
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.bos_token_id": 256,
        "tokenizer.ggml.eos_token_id": 257,
        "tokenizer.ggml.add_bos_token": False,
    }
    return whole(values, tensors)


def seeing(seed: int = 1, *, layers: int = 2, width: int = 32, side: int = 56, gives: int = 64) -> bytes:
    """What `talking` sees with (mmproj): a vision transformer of random weights over squares of 14 pixels, and a
    projector as LLaVA has it."""
    draw, patch = random.Random(seed), 14

    def floats(*shape: int, around: float = 0.0) -> Weights:
        count = math.prod(shape)
        return Weights(0, shape, struct.pack(f"<{count}f", *(around + draw.gauss(0, 0.05) for _ in range(count))))

    def norm(name: str) -> dict[str, Weights]:
        return {f"{name}.weight": floats(width, around=1.0), f"{name}.bias": floats(width)}

    def matrix(name: str, rows: int, columns: int) -> dict[str, Weights]:
        return {f"{name}.weight": floats(columns, rows), f"{name}.bias": floats(rows)}

    tensors = {
        "v.patch_embd.weight": floats(patch, patch, 3, width),
        "v.class_embd": floats(width),
        "v.position_embd.weight": floats(width, (side // patch) ** 2 + 1),
        **norm("v.pre_ln"),
        **norm("v.post_ln"),
        **matrix("mm.0", gives, width),
        **matrix("mm.2", gives, gives),
    }
    for layer in range(layers):
        block = f"v.blk.{layer}"
        tensors |= norm(f"{block}.ln1") | norm(f"{block}.ln2")
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            tensors |= matrix(f"{block}.{name}", width, width)
        tensors |= matrix(f"{block}.ffn_up", 2 * width, width) | matrix(f"{block}.ffn_down", width, 2 * width)
    values: dict[str, Value] = {
        "general.architecture": "clip",
        "general.name": "Eyes",
        "general.file_type": 0,
        "clip.has_vision_encoder": True,
        "clip.projector_type": "mlp",
        "clip.use_gelu": True,
        "clip.vision.image_size": side,
        "clip.vision.patch_size": patch,
        "clip.vision.embedding_length": width,
        "clip.vision.feed_forward_length": 2 * width,
        "clip.vision.projection_dim": gives,
        "clip.vision.block_count": layers,
        "clip.vision.attention.head_count": 2,
        "clip.vision.attention.layer_norm_epsilon": 1e-5,
        "clip.vision.image_mean": [0.5, 0.5, 0.5],
        "clip.vision.image_std": [0.5, 0.5, 0.5],
    }
    return whole(values, tensors)


def _letters() -> list[str]:
    """The letter by which GPT-2's vocabulary writes each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    written = {byte: chr(byte) for byte in plain} | {byte: chr(256 + at) for at, byte in enumerate(others)}
    return [written[byte] for byte in range(256)]
