"""A reranking model (BERT of one layer, random weights) as the embedded engine loads it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.models.gguf_files import Value, header_values, text

WIDTH, INNER, CONTEXT = 32, 64, 2048
RANK_POOLING = 4
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *(f"\u2581{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
TOKENS = [*MARKS, *LETTERS]


def write_tiny_reranker(path: Path) -> None:
    values: dict[str, Value] = {
        "general.architecture": "bert",
        "general.name": "Tiny reranker",
        "bert.block_count": 1,
        "bert.context_length": CONTEXT,
        "bert.embedding_length": WIDTH,
        "bert.feed_forward_length": INNER,
        "bert.attention.head_count": 2,
        "bert.attention.layer_norm_epsilon": 1e-5,
        "bert.attention.causal": False,
        "bert.pooling_type": RANK_POOLING,
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": [3] * len(MARKS) + [1] * len(LETTERS),
        "tokenizer.ggml.token_type_count": 2,
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.unknown_token_id": 1,
        "tokenizer.ggml.bos_token_id": 2,
        "tokenizer.ggml.cls_token_id": 2,
        "tokenizer.ggml.eos_token_id": 3,
        "tokenizer.ggml.seperator_token_id": 3,
    }
    tensors = _tensors()
    infos, data = b"", b""
    for name, tensor in tensors.items():
        shape = b"".join(struct.pack("<Q", length) for length in reversed(tensor.shape))
        infos += text(name) + struct.pack("<I", tensor.ndim) + shape + struct.pack("<IQ", 0, len(data))
        data += _padded(tensor.tobytes())
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values)) + header_values(values) + infos
    path.write_bytes(_padded(head) + data)


def _tensors() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(1)

    def drawn(*shape: int) -> NDArray[np.float32]:
        return rng.normal(scale=0.3, size=shape).astype(np.float32)

    found = {
        "token_embd.weight": drawn(len(TOKENS), WIDTH),
        "token_types.weight": drawn(2, WIDTH),
        "position_embd.weight": drawn(CONTEXT, WIDTH),
        "cls.weight": drawn(WIDTH, WIDTH),
        "cls.bias": drawn(WIDTH),
        "cls.output.weight": drawn(1, WIDTH),
        "cls.output.bias": drawn(1),
    }
    for name, rows, columns in (
        *((f"attn_{part}", WIDTH, WIDTH) for part in ("q", "k", "v", "output")),
        ("ffn_up", INNER, WIDTH),
        ("ffn_down", WIDTH, INNER),
    ):
        found |= {f"blk.0.{name}.weight": drawn(rows, columns), f"blk.0.{name}.bias": drawn(rows)}
    for name in ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"):
        found |= {f"{name}.weight": np.ones(WIDTH, np.float32), f"{name}.bias": drawn(WIDTH)}
    return found


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 32)
