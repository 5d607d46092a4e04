"""A model's file in another layout: what packing loses, what stays as it was, and what is left when it breaks off."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import struct
import subprocess
import sys
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import ModelMissing
from eclair.models.gguf import ggml, header, quantize, tensors
from eclair.models.gguf.ggml import TYPES_BY_NAME, Ggml
from eclair.models.gguf.layouts import LAYOUTS, apply_layout, candidate_layouts
from tests.models.gguf_files import Weights, talking, whole
from tests.models.gguf_files import gguf as tiny

LIBRARY = Ggml.open()
BLOCK = 32


def half(data: bytes, at: int = 0) -> float:
    return struct.unpack_from("<e", data, at)[0]


def q4_0(block: bytes) -> list[float]:
    """https://github.com/ggml-org/ggml, block_q4_0: a scale, then 32 numbers of four bits from -8."""
    low, high = [byte & 15 for byte in block[2:]], [byte >> 4 for byte in block[2:]]
    return [half(block) * (number - 8) for number in low + high]


def q4_1(block: bytes) -> list[float]:
    """block_q4_1: a scale and the least number, then 32 numbers of four bits."""
    low, high = [byte & 15 for byte in block[4:]], [byte >> 4 for byte in block[4:]]
    return [half(block) * number + half(block, 2) for number in low + high]


def q8_0(block: bytes) -> list[float]:
    """block_q8_0: a scale, then 32 numbers of eight bits."""
    return [half(block) * number for number in struct.unpack("<32b", block[2:])]


def scale() -> st.SearchStrategy[bytes]:
    return st.floats(-4, 4, width=16, allow_subnormal=False).map(lambda number: struct.pack("<e", number))


@given(st.lists(st.tuples(scale(), scale(), st.binary(min_size=32, max_size=32)), min_size=1, max_size=4))
def test_what_is_unpacked_is_what_the_format_says(blocks: list[tuple[bytes, bytes, bytes]]) -> None:
    for name, read, made in (
        ("Q4_0", q4_0, [first + data[:16] for first, _, data in blocks]),
        ("Q4_1", q4_1, [first + second + data[:16] for first, second, data in blocks]),
        ("Q8_0", q8_0, [first + data for first, _, data in blocks]),
    ):
        expected = [number for block in made for number in read(block)]
        assert LIBRARY.unpack(TYPES_BY_NAME[name], b"".join(made)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(st.lists(st.floats(-100, 100, width=32), min_size=2 * BLOCK, max_size=2 * BLOCK))
def test_packing_loses_little(numbers: list[float]) -> None:
    for name, steps in (("Q8_0", 127), ("Q4_0", 8)):
        packed = LIBRARY.pack(TYPES_BY_NAME[name], array("f", numbers), BLOCK)
        assert len(packed) == 2 * TYPES_BY_NAME[name].bytes
        back = LIBRARY.unpack(TYPES_BY_NAME[name], packed)
        for at in range(0, len(numbers), BLOCK):
            block, again = numbers[at : at + BLOCK], back[at : at + BLOCK]
            most = max(map(abs, block))
            errors = [abs(one - other) for one, other in zip(block, again, strict=True)]
            assert sum(error**2 for error in errors) <= BLOCK * (most / steps) ** 2 + 1e-9


@given(st.lists(st.floats(-100, 100, width=16), min_size=BLOCK, max_size=BLOCK))
def test_floats_come_back_as_they_are(numbers: list[float]) -> None:
    assert list(LIBRARY.unpack(TYPES_BY_NAME["F16"], struct.pack(f"<{BLOCK}e", *numbers))) == numbers
    assert list(LIBRARY.unpack(TYPES_BY_NAME["F32"], struct.pack(f"<{BLOCK}f", *numbers))) == numbers


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "babbler-Q4_1.gguf"
    path.write_bytes(talking())
    return path


async def made(model: Path, layout: str) -> Path:
    target = model.parent / "other" / f"{layout}.gguf"
    seen: list[tuple[int, int]] = []
    await quantize.requantize(model, target, layout, lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    return target


@pytest.mark.parametrize("layout", list(LAYOUTS))
async def test_only_the_blocks_weights_change(model: Path, layout: str) -> None:
    before = model.read_bytes()  # noqa: ASYNC240
    target = await made(model, layout)
    assert model.read_bytes() == before  # noqa: ASYNC240
    old, new = tensors.read_tensors(model), tensors.read_tensors(target)
    assert header.read_header(target) == header.read_header(model)
    assert [(tensor.name, tensor.shape) for tensor in new.tensors] == [(row.name, row.shape) for row in old.tensors]
    after = target.read_bytes()
    for one, other, planned in zip(old.tensors, new.tensors, apply_layout(old, LAYOUTS[layout]), strict=True):
        assert other.type == planned.type
        data, again = before[one.offset :][: one.size], after[other.offset :][: other.size]
        assert other.offset % 32 == 0
        if one.type == other.type:
            assert again == data
        else:
            width = one.shape[0]
            assert again == LIBRARY.pack(other.type, LIBRARY.unpack(one.type, data), width)
    assert len(after) == max(-(-(tensor.offset + tensor.size) // 32) * 32 for tensor in new.tensors)
    kinds = {tensor.name: tensor.type.name for tensor in new.tensors}
    assert (kinds["token_embd.weight"], kinds["blk.1.attn_norm.weight"]) == ("F32", "F32")
    assert kinds["blk.1.ffn_up.weight"] == layout.split("+")[0]
    careful = "Q8_0" if "+" in layout else layout
    assert (kinds["blk.1.ffn_down.weight"], kinds["blk.0.attn_q.weight"]) == (careful, careful)


def test_where_nothing_is_to_be_gained(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    for kind, size in ((2, 18), (12, 144), (20, 18)):
        width = 256 if kind == 12 else 32
        weights = {"blk.0.attn_q.weight": Weights(kind, (width, 1), bytes(size))}
        path.write_bytes(whole({"general.architecture": "llama"}, weights))
        assert candidate_layouts(tensors.read_tensors(path)) == []


async def test_killed_in_the_middle_it_leaves_nothing_that_counts(model: Path, tmp_path: Path) -> None:
    model.write_bytes(talking(layers=12, width=512))  # noqa: ASYNC240
    target = tmp_path / "other" / "Q4_0.gguf"
    target.parent.mkdir()
    order = quantize.JOB_CODEC.encode(quantize.QuantizeJob(str(model), str(target), "Q8_0"))
    with subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-P", "-m", quantize.__name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(order)
        process.stdin.flush()
        assert process.stdout.read(1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert [path.name for path in target.parent.iterdir()] == ["Q4_0.gguf.part"]
    await quantize.requantize(model, target, "Q4_0", lambda done, total: None)
    assert [path.name for path in target.parent.iterdir()] == ["Q4_0.gguf"]
    tensors.read_tensors(target)


async def test_cancelled_it_leaves_nothing(model: Path, tmp_path: Path) -> None:
    model.write_bytes(talking(layers=12, width=512))  # noqa: ASYNC240
    target = tmp_path / "other" / "Q8_0.gguf"
    begun = asyncio.Event()
    task = asyncio.create_task(quantize.requantize(model, target, "Q8_0", lambda done, total: begun.set()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(target.parent.iterdir()) == []


async def test_a_disk_that_fills_up_is_said(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = model.parent / "Q4_0.gguf"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # what the process writes fails beyond that
    try:
        with pytest.raises(ModelMissing, match=r"Q4_0\.gguf cannot be written: .*; the model runs as it came\.$"):
            await quantize.requantize(model, target, "Q4_0", lambda done, total: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    monkeypatch.setattr("shutil.disk_usage", _full)
    with pytest.raises(ModelMissing, match=r"has 1\.0 MB free and babbler-Q4_1\.gguf needs .* make room"):
        await quantize.requantize(model, target, "Q4_0", lambda done, total: None)
    assert [path.name for path in model.parent.iterdir()] == [model.name]


class _Usage:
    free = 1_000_000


def _full(path: Path) -> type[_Usage]:
    return _Usage


async def test_a_file_that_ends_too_soon_is_said(model: Path) -> None:
    model.write_bytes(model.read_bytes()[:-5000])  # noqa: ASYNC240
    with pytest.raises(ModelMissing, match=r"it ends before .* does"):
        await quantize.requantize(model, model.parent / "x.gguf", "Q4_0", lambda done, total: None)


SMALL = whole({"general.architecture": "llama"}, {"blk.0.attn_q.weight": Weights(3, (32, 2), bytes(40))})


@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), max_size=4), st.integers(0, len(SMALL)))
def test_a_file_that_lies_about_itself_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], kept: int
) -> None:
    content = bytearray(SMALL)
    for at, byte in changes:
        content[at] = byte
    path = tmp_path_factory.getbasetemp() / "lies.gguf"
    path.write_bytes(content[: max(kept, 4)])
    with contextlib.suppress(ModelMissing):
        contents = tensors.read_tensors(path)
        assert all(tensor.offset + tensor.size <= len(content) for tensor in contents.tensors)
        candidate_layouts(contents)


def test_without_weights_there_is_nothing_to_try(tmp_path: Path) -> None:
    path = tmp_path / "header.gguf"
    path.write_bytes(tiny())
    assert candidate_layouts(tensors.read_tensors(path)) == []
    assert ggml.find_library().is_file()
