"""A target of fuzzing: valid seeds, and an attempt that fails unless a changed copy gives a result or a refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

Attempt = Callable[[str, bytes], Awaitable[bool]]
"""Tries a file of that name: whether it gave a result. Raises AssertionError if it gave no clear refusal either."""


@dataclass(frozen=True, slots=True)
class Target:
    """`examples` are tried in the suite; `begin` gets a folder of its own."""

    examples: int
    seeds: Callable[[Path], Mapping[str, bytes]]
    begin: Callable[[Path], AbstractAsyncContextManager[Attempt]]


def check_sentence(text: str) -> None:
    assert text.rstrip().endswith((".", "?", "!")), text
    assert "\n" not in text.strip(), text
    assert len(text) < 1000, text
