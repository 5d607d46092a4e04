"""Makes weights of noise that stable-diffusion.cpp draws with: a FLUX of one block of each kind as GGUF, and a decoder
and a reader of prompts in the sizes that it takes for granted, which 400 MB of the same noise over and over fill."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

Shapes = dict[str, tuple[int, ...]]

HIDDEN = 256
HEAD = 128


def make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flux.gguf").write_bytes(b"".join(_gguf(_flux())))
    for name, shapes, strength in (("ae", _decoder(), 0.02), ("clip_l", _reader(), 0.02)):
        with (folder / f"{name}.safetensors").open("wb") as file:
            for piece in _safetensors(shapes, strength):
                file.write(piece)


def _safetensors(shapes: Shapes, strength: float) -> Iterator[bytes]:
    at, head = 0, dict[str, object]()
    for name, shape in shapes.items():
        size = int(np.prod(shape)) * 2
        head[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    yield struct.pack("<Q", len(text)) + text
    for name, shape in shapes.items():
        yield _noise(name, shape, strength)


def _gguf(shapes: Shapes) -> Iterator[bytes]:
    """Version 3: one fact, the tensors' names, and their numbers, each aligned to 32 bytes."""
    infos, at = b"", 0
    for name, shape in shapes.items():
        infos += _text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *reversed(shape))
        infos += struct.pack("<IQ", 1, at)
        at += -(-int(np.prod(shape)) * 2 // 32) * 32
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), 1)
    head += _text("general.architecture") + struct.pack("<I", 8) + _text("flux") + infos
    yield head + bytes(-len(head) % 32)
    for name, shape in shapes.items():
        data = _noise(name, shape, 0.05)
        yield data + bytes(-len(data) % 32)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _noise(name: str, shape: tuple[int, ...], strength: float) -> bytes:
    if len(shape) == 1 and not name.endswith("bias"):
        return np.ones(shape, np.float16).tobytes()
    some = (np.random.default_rng(len(name)).standard_normal(1 << 16) * strength).astype(np.float16)
    return np.resize(some, int(np.prod(shape))).tobytes()


def _linear(shapes: Shapes, name: str, out: int, given: int) -> None:
    shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (out, given), (out,)


def _flux() -> Shapes:
    found, hidden = Shapes(), HIDDEN
    for name, out, given in (
        ("img_in", hidden, 64),
        ("txt_in", hidden, 4096),
        ("time_in.in_layer", hidden, 256),
        ("time_in.out_layer", hidden, hidden),
        ("vector_in.in_layer", hidden, 768),
        ("vector_in.out_layer", hidden, hidden),
        ("final_layer.linear", 64, hidden),
        ("final_layer.adaLN_modulation.1", 2 * hidden, hidden),
        ("single_blocks.0.linear1", 7 * hidden, hidden),
        ("single_blocks.0.linear2", hidden, 5 * hidden),
        ("single_blocks.0.modulation.lin", 3 * hidden, hidden),
    ):
        _linear(found, name, out, given)
    for stream in ("img", "txt"):
        block = f"double_blocks.0.{stream}"
        _linear(found, f"{block}_mod.lin", 6 * hidden, hidden)
        _linear(found, f"{block}_attn.qkv", 3 * hidden, hidden)
        _linear(found, f"{block}_attn.proj", hidden, hidden)
        _linear(found, f"{block}_mlp.0", 4 * hidden, hidden)
        _linear(found, f"{block}_mlp.2", hidden, 4 * hidden)
        for norm in ("query_norm", "key_norm"):
            found[f"{block}_attn.norm.{norm}.scale"] = (HEAD,)
            found[f"single_blocks.0.norm.{norm}.scale"] = (HEAD,)
    return found


def _conv(shapes: Shapes, name: str, out: int, given: int, side: int = 3) -> None:
    shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (out, given, side, side), (out,)


def _norm(shapes: Shapes, name: str, width: int) -> None:
    shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (width,), (width,)


def _block(shapes: Shapes, name: str, given: int, out: int) -> None:
    _norm(shapes, f"{name}.norm1", given)
    _conv(shapes, f"{name}.conv1", out, given)
    _norm(shapes, f"{name}.norm2", out)
    _conv(shapes, f"{name}.conv2", out, out)
    if given != out:
        _conv(shapes, f"{name}.nin_shortcut", out, given, 1)


def _middle(shapes: Shapes, name: str, width: int) -> None:
    _block(shapes, f"{name}.mid.block_1", width, width)
    _norm(shapes, f"{name}.mid.attn_1.norm", width)
    for part in ("q", "k", "v", "proj_out"):
        _conv(shapes, f"{name}.mid.attn_1.{part}", width, width, 1)
    _block(shapes, f"{name}.mid.block_2", width, width)


def _decoder() -> Shapes:
    found, widths = Shapes(), (128, 256, 512, 512)
    _conv(found, "encoder.conv_in", widths[0], 3)
    width = widths[0]
    for level, out in enumerate(widths):
        for number in range(2):
            _block(found, f"encoder.down.{level}.block.{number}", width, out)
            width = out
        if level < 3:
            _conv(found, f"encoder.down.{level}.downsample.conv", width, width)
    _middle(found, "encoder", width)
    _norm(found, "encoder.norm_out", width)
    _conv(found, "encoder.conv_out", 32, width)
    _conv(found, "decoder.conv_in", width, 16)
    _middle(found, "decoder", width)
    for level in (3, 2, 1, 0):
        for number in range(3):
            _block(found, f"decoder.up.{level}.block.{number}", width, widths[level])
            width = widths[level]
        if level:
            _conv(found, f"decoder.up.{level}.upsample.conv", width, width)
    _norm(found, "decoder.norm_out", width)
    _conv(found, "decoder.conv_out", 3, width)
    return found


def _reader() -> Shapes:
    width, found = 768, Shapes()
    found["text_model.embeddings.token_embedding.weight"] = (49408, width)
    found["text_model.embeddings.position_embedding.weight"] = (77, width)
    for number in range(12):
        layer = f"text_model.encoder.layers.{number}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            _linear(found, f"{layer}.self_attn.{part}", width, width)
        for norm in ("layer_norm1", "layer_norm2"):
            _norm(found, f"{layer}.{norm}", width)
        _linear(found, f"{layer}.mlp.fc1", 4 * width, width)
        _linear(found, f"{layer}.mlp.fc2", width, 4 * width)
    _norm(found, "text_model.final_layer_norm", width)
    return found
