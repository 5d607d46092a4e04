from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.errors import ModelMissing
from eclair.models.gguf.header import Header, read_header
from eclair.models.gguf.vocabulary import read_control_tokens, read_word_tokens
from tests.models.gguf_files import Value, gguf, header

KEYS = st.sampled_from(["general.name", "x.context_length", "x.block_count", "x.attention.head_count_kv", "other"])
VALUES = st.one_of(
    st.text(max_size=20),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.lists(st.text(max_size=5), max_size=5),
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5),
)
AGAIN = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def test_what_a_header_says(file: Path) -> None:
    file.write_bytes(gguf("Tiny\n Model\x1b[1m"))
    assert read_header(file) == Header("llama", "Tiny Model[1m", "apache-2.0", ("en", "fr"), 4096, 128)


def test_the_embedded_model(model_file: Path) -> None:
    found = read_header(model_file)
    assert (found.architecture, found.context, found.kv_bytes_per_token) == ("llama", 8192, 23_040)
    assert found.parameters == 0.135


@pytest.mark.parametrize(
    ("label", "parameters", "active"),
    [
        ("1.5B", 1.5, None),
        ("135M", 0.135, None),
        ("8x7B", 56.0, None),
        ("30B-A3B", 30.0, 3.0),
        ("big", None, None),
        ("1.5", None, None),
        ("", None, None),
    ],
)
def test_the_size_label(file: Path, label: str, parameters: float | None, active: float | None) -> None:
    file.write_bytes(header({"general.architecture": "x", "general.size_label": label}))
    found = read_header(file)
    assert (found.parameters, found.active) == (parameters, active)


def test_heads_that_differ_by_layer(file: Path) -> None:
    values: dict[str, Value] = {
        "general.architecture": "x",
        "x.block_count": 3,
        "x.embedding_length": 64,
        "x.attention.head_count": 4,
        "x.attention.head_count_kv": [0, 2, 4],
        "x.attention.key_length": 10,
    }
    file.write_bytes(header(values))
    assert read_header(file).kv_bytes_per_token == (0 + 2 + 4) * (10 + 16) * 2


@given(st.dictionaries(KEYS, VALUES))
@AGAIN
def test_whatever_the_keys_hold(file: Path, values: dict[str, Value]) -> None:
    file.write_bytes(header({**values, "general.architecture": "x"}))
    found = read_header(file)
    assert found.architecture == "x"
    assert found.context is None or found.context > 0
    assert found.kv_bytes_per_token is None  # embedding_length is never there


@given(st.data())
@AGAIN
def test_a_file_that_is_cut_or_changed_is_read_or_refused(file: Path, data: st.DataObject) -> None:
    content = bytearray(gguf())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, 400))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(ModelMissing):  # nothing else is raised
        assert read_header(file).architecture


@given(st.binary(max_size=200))
@AGAIN
def test_noise_behind_the_magic(file: Path, noise: bytes) -> None:
    file.write_bytes(b"GGUF" + noise)
    with pytest.raises(ModelMissing, match="not a GGUF file"):
        read_header(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "first bytes"),
        (b"<!doctype html>", "first bytes"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "too many"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**60), "too long"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 4, 2**50), "too long"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<I", 77), "type 77"),
        (header({"general.name": "x"}), "architecture"),
        (header({f"a.{number}": "x" * (1 << 20) for number in range(5)}), "header is too long"),
    ],
)
def test_why_a_file_is_none(file: Path, content: bytes, said: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ModelMissing, match=said):
        read_header(file)


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(ModelMissing, match="cannot be read: No such file"):
        read_header(file)


def test_control_tokens_are_read_from_the_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    tokens = ["a", "<|im_start|>", "<tool>", "  ", "]~b]", "<control>" * 20]
    values: dict[str, Value] = {
        "general.architecture": "llama",
        "llama.context_length": 9,
        "llama.scales": [1.0, 2.0],
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [0.0] * 6,
        "tokenizer.ggml.token_type": [1, 3, 4, 4, 3, 3],
    }
    path.write_bytes(header(values))
    assert read_control_tokens(path) == ("<|im_start|>", "<tool>", "]~b]")


@pytest.mark.parametrize("size", [0, 3, 20, 30, 60, 100])
def test_a_vocabulary_that_is_cut_off_is_no_model(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.gguf"
    whole = header({"tokenizer.ggml.tokens": ["abc"] * 9, "tokenizer.ggml.token_type": [3] * 9})
    path.write_bytes(whole[:size])
    with pytest.raises(ModelMissing):
        read_control_tokens(path)


def test_tokens_that_begin_words_are_read_from_the_vocabulary(model_file: Path, tmp_path: Path) -> None:
    found = read_word_tokens(model_file)
    words = [word for _, word in found]
    assert {"house", "House", "é"} <= set(words)
    assert words.count("house") == 1, "one that could stand within a word is none"
    assert words.count("House") == 2, "with a space before, and without"
    assert len({id for id, _ in found}) == len(found)
    assert not any("\u0120" in word for word in words)
    (tmp_path / "text").write_text("no model")
    with pytest.raises(ModelMissing):
        read_word_tokens(tmp_path / "text")
