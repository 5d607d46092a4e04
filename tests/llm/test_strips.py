"""The kernels for x86 that `eclair tune --build` gives the engine, against the same sums made with NumPy."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.llm.test_kernels import library

HERE = Path(__file__).parent
BLOCK = 32
DTYPES = {
    "q4_0": np.dtype([("scale", "<f2"), ("packed", "u1", 16)]),
    "q4_1": np.dtype([("scale", "<f2"), ("least", "<f2"), ("packed", "u1", 16)]),
    "q8_0": np.dtype([("scale", "<f2"), ("numbers", "i1", BLOCK)]),
    "q4_k": np.dtype([("scale", "<f2"), ("least", "<f2"), ("scales", "u1", 12), ("packed", "u1", (4, 32))]),
    "q6_k": np.dtype([("low", "u1", (2, 64)), ("high", "u1", (2, 32)), ("scales", "i1", 16), ("scale", "<f2")]),
}
"""A block of each format, as llama.cpp defines it."""

LENGTH = dict.fromkeys(DTYPES, BLOCK) | {"q4_k": 8 * BLOCK, "q6_k": 8 * BLOCK}
"""Numbers in a block."""


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    found = library(HERE / "strips.cpp", tmp_path_factory.mktemp("strips"), "c++", "-mavx2", "-mfma", "-mf16c")
    found.attention.restype = ctypes.c_bool
    return found


def pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


def values(form: str, blocks: NDArray[np.void]) -> NDArray[np.float64]:
    """What these blocks stand for: rows x numbers."""
    scale = blocks["scale"].astype(np.float64)[..., None]
    match form:
        case "q8_0":
            found = blocks["numbers"] * scale
        case "q4_0":
            found = (halves(blocks["packed"]) - 8) * scale
        case "q4_1":
            found = halves(blocks["packed"]) * scale + blocks["least"][..., None]
        case "q4_k":
            found = values_q4_k(blocks)
        case _:
            found = values_q6_k(blocks)
    return found.reshape(len(blocks), -1)


def halves(packed: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The lower halves of these bytes, then the upper ones."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1).astype(np.float64)


def values_q4_k(blocks: NDArray[np.void]) -> NDArray[np.float64]:
    """Eight scales and minima of six bits; each 32 bytes are two groups, one in the halves of either kind."""
    packed = blocks["scales"].astype(np.int64)
    first, second, rest = packed[..., 0:4], packed[..., 4:8], packed[..., 8:12]
    scales = np.concatenate([first & 63, rest & 15 | first >> 6 << 4], axis=-1)
    minima = np.concatenate([second & 63, rest >> 4 | second >> 6 << 4], axis=-1)
    numbers = halves(blocks["packed"]).reshape(*blocks.shape, 8, 32)
    scale, least = (blocks[name].astype(np.float64)[..., None, None] for name in ("scale", "least"))
    return numbers * scales[..., None] * scale - minima[..., None] * least


def values_q6_k(blocks: NDArray[np.void]) -> NDArray[np.float64]:
    """Twice 128 numbers: four bits in 64 bytes, two more in 32, and a scale for every 16."""
    low, high = blocks["low"].astype(np.int64), blocks["high"].astype(np.int64)
    quarters = [
        (low[..., at % 2 * 32 : at % 2 * 32 + 32] >> at // 2 * 4 & 15) | (high >> 2 * at & 3) << 4 for at in range(4)
    ]
    numbers = np.stack(quarters, axis=-2).reshape(*blocks.shape, 16, 16) - 32
    return (
        numbers * blocks["scales"][..., None].astype(np.float64) * blocks["scale"].astype(np.float64)[..., None, None]
    )


def random_blocks(form: str, rng: np.random.Generator, rows: int, blocks: int, extreme: bool) -> NDArray[np.void]:
    made = np.zeros((rows, blocks), DTYPES[form])
    for name in made.dtype.names or ():
        field = made[name]
        if field.dtype == np.float16:
            made[name] = rng.normal(0, 0.01, field.shape)
        elif name == "numbers":
            made[name] = rng.choice([-127, 127], field.shape) if extreme else rng.integers(-127, 128, field.shape)
        else:
            whole = np.iinfo(field.dtype)
            edges = [whole.min, 0, -1 if whole.min else whole.max, whole.max]
            made[name] = (
                rng.choice(edges, field.shape) if extreme else rng.integers(whole.min, whole.max + 1, field.shape)
            )
    return made


@pytest.mark.parametrize("form", DTYPES)
@given(
    seed=st.integers(0, 2**32 - 1),
    blocks=st.integers(1, 50),
    strips=st.integers(1, 9),
    count=st.integers(1, 14),
    extreme=st.booleans(),
)
@example(seed=0, blocks=18, strips=9, count=13, extreme=True)
def test_a_product_is_what_the_numbers_say(
    kernels: ctypes.CDLL, form: str, seed: int, blocks: int, strips: int, count: int, *, extreme: bool
) -> None:
    rng = np.random.default_rng(seed)
    columns = strips * 8
    blocks = blocks * BLOCK // LENGTH[form] + 1
    n = blocks * LENGTH[form]
    matrix = random_blocks(form, rng, columns, blocks, extreme)
    rows = random_blocks("q8_0", rng, count, n // BLOCK, extreme)
    out = np.full((count, columns), np.nan, np.float32)
    kernels[form](n, columns, count, pointer(matrix), pointer(rows), pointer(out))
    left, right = values("q8_0", rows), values(form, matrix)
    np.testing.assert_allclose(out, left @ right.T, rtol=0, atol=2e-6 * (np.abs(left) @ np.abs(right).T).max())


def test_sums_of_the_largest_numbers_fit(kernels: ctypes.CDLL) -> None:
    matrix = np.zeros((8, 1), DTYPES["q4_1"])
    matrix["scale"], matrix["packed"] = 1, 0xFF
    rows = np.zeros((4, 1), DTYPES["q8_0"])
    rows["scale"], rows["numbers"] = 1, [[[127]], [[-127]], [[127]], [[-127]]]
    out = np.zeros((4, 8), np.float32)
    kernels["q4_1"](BLOCK, 8, 4, pointer(matrix), pointer(rows), pointer(out))
    assert out[:, 0].tolist() == [60960, -60960, 60960, -60960]


@dataclass(frozen=True)
class Attended:
    most: float
    total: float
    sums: NDArray[np.float32]


def attend(
    kernels: ctypes.CDLL,
    query: NDArray[np.float32],
    keys: NDArray[np.float16],
    values: NDArray[np.float16],
    mask: NDArray[np.float16] | None,
    span: tuple[int, int],
    *,
    scale: float = 0.125,
    slope: float = 1.0,
) -> Attended | None:
    """What one query attends to, of positions x width; the rows of keys and values lie three widths apart."""
    positions, width = keys.shape
    apart = np.full((2, positions, 3 * width), np.nan, np.float16)
    apart[0, :, :width], apart[1, :, :width] = keys, values
    most, total, sums = ctypes.c_float(), ctypes.c_float(), np.full(width, np.nan, np.float32)
    done = kernels.attention(
        ctypes.c_int64(width),
        pointer(query),
        ctypes.c_float(scale),
        pointer(apart[0]),
        pointer(apart[1]),
        ctypes.c_int64(6 * width),
        None if mask is None else pointer(mask),
        ctypes.c_float(slope),
        *map(ctypes.c_int64, span),
        ctypes.byref(most),
        ctypes.byref(total),
        pointer(sums),
    )
    return Attended(most.value, total.value, sums) if done else None


@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.integers(1, 32).map(lambda eights: 8 * eights),
    positions=st.integers(1, 300),
    seen=st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]),
    slope=st.sampled_from([1.0, 0.25]),
    strength=st.sampled_from([0.1, 3.0]),
)
def test_attention_is_what_the_softmax_says(
    kernels: ctypes.CDLL, seed: int, width: int, positions: int, seen: float, slope: float, strength: float
) -> None:
    rng = np.random.default_rng(seed)
    query = rng.normal(0, strength, width).astype(np.float32)
    keys = rng.normal(0, 1, (positions, width)).astype(np.float16)
    values = rng.normal(0, 1, (positions, width)).astype(np.float16)
    mask = np.where(rng.random(positions) < seen, rng.normal(0, 1, positions), -np.inf).astype(np.float16)
    keys[mask == -np.inf], values[mask == -np.inf] = np.nan, np.nan  # what nobody sees may be anything
    first = int(rng.integers(0, positions))
    found = attend(kernels, query, keys, values, mask, (first, positions), slope=slope)
    assert found is not None
    there = np.flatnonzero(mask[first:] != -np.inf) + first
    if len(there) == 0:
        assert (found.most, found.total, found.sums.tolist()) == (-np.inf, 0.0, [0.0] * width)
        return
    scores = keys[there].astype(np.float64) @ query * 0.125 + slope * mask[there].astype(np.float64)
    weights = np.exp(scores - scores.max())
    assert found.most == pytest.approx(scores.max(), rel=1e-5, abs=1e-4)
    exact = (weights[:, None] * values[there]).sum(axis=0) / weights.sum()
    np.testing.assert_allclose(found.sums / found.total, exact, rtol=0, atol=1e-4)


def test_without_a_mask_all_is_seen(kernels: ctypes.CDLL) -> None:
    values = np.arange(100 * 64).reshape(100, 64).astype(np.float16)
    found = attend(kernels, np.zeros(64, np.float32), np.zeros((100, 64), np.float16), values, None, (0, 100))
    assert found is not None
    assert (found.most, found.total) == (0, 100)
    np.testing.assert_allclose(found.sums, values.astype(np.float64).sum(axis=0), rtol=1e-6)


def test_a_width_that_no_vector_divides_is_left_to_llama_cpp(kernels: ctypes.CDLL) -> None:
    odd = np.zeros((8, 20), np.float16)
    assert attend(kernels, np.zeros(20, np.float32), odd, odd, None, (0, 8)) is None
