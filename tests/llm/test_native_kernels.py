"""The embedded engine on kernels for this CPU: it answers as on its own, and goes back to those if the others fail."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from eclair.llm.local import kernels
from eclair.llm.local.kernels import MATCHING_VERSIONS, MIN_NATIVE_MODEL_BYTES, choose_kernels, find_kernels
from eclair.llm.local.local_engine import LocalEngine
from tests.llm.native_kernels import native_kernels
from tests.llm.test_local import (  # the same tests, on these kernels
    ask,
    asking,
    engine,
    home,
    said,
    test_guessing_ahead_changes_no_word,
    test_stop_reaches_the_engine,
    test_the_head_is_cached_for_all_who_ask_at_once_and_turns_reuse_theirs,
    until,
)

ROOT = Path(__file__).parents[2]
__all__ = [
    "engine",
    "home",
    "test_guessing_ahead_changes_no_word",
    "test_stop_reaches_the_engine",
    "test_the_head_is_cached_for_all_who_ask_at_once_and_turns_reuse_theirs",
]


@pytest.fixture(autouse=True)
def of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model counts as large."""
    monkeypatch.setattr(kernels, "MIN_NATIVE_MODEL_BYTES", 0)


async def test_it_says_which_kernels_it_runs_on(engine: LocalEngine) -> None:
    assert said(await ask(engine, asking("What is the capital of France?", 16)))
    detail = (await engine.health()).detail
    name = native_kernels()
    assert f"kernels for {name}" in detail if name else "kernels" not in detail, "none are better for some CPUs"


async def test_kernels_that_end_the_engine_are_left_alone(engine: LocalEngine) -> None:
    await ask(engine, asking("Hello", 2))
    failed = engine.pid
    assert failed is not None
    os.kill(failed, signal.SIGILL)
    await until(lambda: engine.pid not in (failed, None))
    assert said(await ask(engine, asking("Hello", 2)))
    assert "kernels" not in (await engine.health()).detail


async def test_kernels_of_another_version_are_left_alone(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in MATCHING_VERSIONS:
        monkeypatch.setattr(kernels, "MATCHING_VERSIONS", {**MATCHING_VERSIONS, package: "0"})
        find_kernels.cache_clear()
        assert find_kernels() is None
    find_kernels.cache_clear()


def test_by_itself_a_large_model_has_native_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "MIN_NATIVE_MODEL_BYTES", MIN_NATIVE_MODEL_BYTES)
    small = tmp_path / "small.gguf"
    small.touch()
    parts = [tmp_path / f"large-{number:05}-of-00002.gguf" for number in (1, 2)]
    for part in parts:
        part.touch()
        os.truncate(part, MIN_NATIVE_MODEL_BYTES // 2)
    assert choose_kernels("auto", small) == "generic"
    assert choose_kernels("native", small) == "native"
    assert choose_kernels("auto", parts[0]) == "native"
    assert choose_kernels("generic", parts[0]) == "generic"


def test_the_locked_packages_match() -> None:
    locked = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE))
    assert {name: locked[name] for name in MATCHING_VERSIONS} == MATCHING_VERSIONS
