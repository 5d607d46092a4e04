"""The network that names things: its weights read without PyTorch, rewritten, and run."""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as _untyped  # pyright: ignore[reportMissingTypeStubs]
import pytest
from numpy.typing import NDArray
from PIL import Image

from eclair.documents.photos import labels
from eclair.documents.photos.classifier.efficientnet import BLOCK_GROUPS, INPUT_SIDE_PX, build_network
from eclair.documents.photos.classifier.torch_weights import UnreadableTorchWeights, read_weights

onnxruntime: Any = _untyped
Numbers = NDArray[np.float32]
CHANNELS = (16, 24, 48, 88, 120, 208, 352)


def weights(seed: int = 3) -> dict[str, Numbers]:
    """Weights of the right shapes that mean nothing."""
    draw = np.random.default_rng(seed)
    found: dict[str, Numbers] = {}

    def kernel(name: str, norm: str, *shape: int) -> None:
        found[f"{name}.weight"] = draw.normal(0, 0.1, shape).astype(np.float32)
        for part, around in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            found[f"{norm}.{part}"] = (around + draw.uniform(0, 0.1, shape[0])).astype(np.float32)

    kernel("_conv_stem", "_bn0", 32, 3, 3, 3)
    came, number = 32, 0
    for (times, _), goes in zip(BLOCK_GROUPS, CHANNELS, strict=True):
        for _ in range(times):
            name, inner = f"_blocks.{number}", came
            if number:
                inner = came * 6
                kernel(f"{name}._expand_conv", f"{name}._bn0", inner, came, 1, 1)
            kernel(f"{name}._depthwise_conv", f"{name}._bn1", inner, 1, 3, 3)
            kernel(f"{name}._project_conv", f"{name}._bn2", goes, inner, 1, 1)
            came, number = goes, number + 1
    kernel("_conv_head", "_bn1", 1280, came, 1, 1)
    found["_fc.weight"] = draw.normal(0, 0.05, (1000, 1280)).astype(np.float32)
    found["_fc.bias"] = np.zeros(1000, np.float32)
    return found


def test_the_network_runs(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(build_network(weights()))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    picture = np.zeros((1, 3, INPUT_SIDE_PX, INPUT_SIDE_PX), np.float32)
    (shares,) = session.run(None, {"picture": picture})
    assert shares.shape == (1, 1000)
    assert shares.sum() == pytest.approx(1, abs=1e-4)
    photo = Image.effect_noise((400, 300), 90).convert("RGB")
    assert labels.label_photo(photo, path) is None  # it is sure of nothing


def test_a_scene_of_several_things_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network stands in that takes red for a cat and green for a cup, and sees the larger one in a whole."""

    def classify(pixels: NDArray[np.uint8], network: Path) -> dict[str, float]:
        red = float((pixels[:, :, 0] > pixels[:, :, 1]).mean())
        return {"cat": red, "cup": 1 - red, "": 0.0}

    monkeypatch.setattr(labels, "_classify", classify)
    noise = np.random.default_rng(1).integers(0, 100, (400, 600, 3), np.uint8)
    one, two = noise.copy(), noise.copy()
    one[:, :, 0] += 120
    two[:, :400, 0] += 120
    two[:, 400:, 1] += 120
    assert labels.label_photo(Image.fromarray(one), tmp_path) == "cat"
    assert labels.label_photo(Image.fromarray(two), tmp_path) is None


def test_weights_of_another_network() -> None:
    one_more = weights() | {"_blocks.21._project_conv.weight": np.zeros((1, 1, 1, 1), np.float32)}
    for wrong in ({}, one_more):
        with pytest.raises(UnreadableTorchWeights, match="weights of another network"):
            build_network(wrong)


def test_a_pickle_calls_nothing() -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return print, ("harm",)

    out = io.BytesIO()
    parts: list[Any] = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, OrderedDict(a=Harm()), ["1"]]
    for part in parts:
        pickle.dump(part, out, 2)
    with pytest.raises(UnreadableTorchWeights, match=r"it names \w+\.print"):
        read_weights(io.BytesIO(out.getvalue()))


@pytest.mark.parametrize("data", [b"", b"\x80\x02.", b"PK\3\4" * 20, pickle.dumps(7, 2), struct.pack("<q", 5)])
def test_what_holds_no_weights(data: bytes) -> None:
    with pytest.raises(UnreadableTorchWeights):
        read_weights(io.BytesIO(data))


def test_every_thing_has_a_line() -> None:
    names = labels._names()  # pyright: ignore[reportPrivateUsage]
    assert len(names) == 1000
    assert not {"bridegroom", "scuba diver", "baseball player"} & set(names)
