"""The kernels that `eclair tune --build` gives the engine, compiled strictly: how many threads compute."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.llm.local import native

HERE = Path(__file__).parent


def library(source: Path, folder: Path, compiler: str, *options: str) -> ctypes.CDLL:
    """Kernels, compiled strictly."""
    made = folder / "kernels.so"
    strict = ("-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-I{native.llama_folder() / 'ggml-cpu'}")
    command = os.environ.get({"c++": "CXX", "cc": "CC"}[compiler]) or compiler
    standard = {"c++": "-std=c++17", "cc": "-std=c11"}[compiler]
    subprocess.run([command, standard, *strict, *options, source, "-o", made], check=True)
    return ctypes.CDLL(str(made))


@pytest.fixture(scope="session")
def gears(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    found = library(HERE / "threads.c", tmp_path_factory.mktemp("threads"), "cc")
    found.gear.restype = ctypes.c_void_p
    return found


Machine = Callable[[int, int], float]
"""What a graph takes, by its number and the threads that compute it."""


def run(gears: ctypes.CDLL, machine: Machine, graphs: int, most: int = 2) -> list[int]:
    """How many threads compute each graph."""
    gear = ctypes.c_void_p(gears.gear())
    used: list[int] = []
    try:
        for number in range(graphs):
            used.append(gears.threads(gear, most))
            gears.took(gear, ctypes.c_int64(1), ctypes.c_int64(int(1000 * machine(number, used[-1]))))
    finally:
        gears.done(gear)
    return used


def quiet(number: int, threads: int) -> float:
    return 10 / threads**0.5


def beside_a_busy_program(number: int, threads: int) -> float:
    return 10 * threads**1.5


def test_on_a_quiet_machine_all_threads_compute(gears: ctypes.CDLL) -> None:
    used = run(gears, quiet, 1000)
    assert used[:4] == [2] * 4
    assert used.count(1) <= 4, "one is tried once"


def test_a_text_that_grows_is_no_reason_for_fewer(gears: ctypes.CDLL) -> None:
    used = run(gears, lambda number, threads: quiet(number, threads) * (1 + number / 500), 3000)
    assert used.count(1) < 0.02 * len(used)


def test_fewer_compute_while_another_program_keeps_a_core_busy(gears: ctypes.CDLL) -> None:
    def machine(number: int, threads: int) -> float:
        return (beside_a_busy_program if 200 <= number < 800 else quiet)(number, threads)

    used = run(gears, machine, 1400)
    assert used[30:200].count(2) == 170
    assert used[220:800].count(1) > 0.9 * 580
    assert used[1100:].count(2) == 300


def test_beside_one_from_the_beginning_too(gears: ctypes.CDLL) -> None:
    assert run(gears, beside_a_busy_program, 400).count(1) > 0.9 * 400


@given(
    most=st.integers(1, 16),
    best=st.integers(0, 4),
    noise=st.floats(0, 0.1),
    seed=st.integers(0, 2**32 - 1),
)
def test_it_comes_near_the_best_number(gears: ctypes.CDLL, most: int, best: int, noise: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = [most]
    while steps[-1] > 1:
        steps.append(steps[-1] // 2)
    wanted = steps[min(best, len(steps) - 1)]

    def machine(number: int, threads: int) -> float:
        off = abs(np.log2(threads / wanted))
        return 10 * (1 + off) * (1 + rng.uniform(-noise, noise))

    used = run(gears, machine, 2000, most)
    assert all(1 <= threads <= most for threads in used)
    taken = sum(machine(number, threads) for number, threads in enumerate(used[200:]))
    assert taken < 1.2 * 10 * 1800
