"""How much of a model is in memory while a process loads it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from eclair.llm.local.loading import loaded_share


def test_the_share_is_that_of_all_parts_and_never_whole(tmp_path: Path) -> None:
    small, large = tmp_path / "small.gguf", tmp_path / "large-00001-of-00002.gguf"
    small.write_bytes(b"x")
    for path in (large, tmp_path / "large-00002-of-00002.gguf"):
        path.touch()
        os.truncate(path, 50 << 30)
    if sys.platform != "linux":  # no other system says how much memory a process holds
        assert loaded_share(os.getpid(), small) is None
        return
    assert loaded_share(os.getpid(), small) == 0.99
    share = loaded_share(os.getpid(), large)
    assert share is not None
    held = share * (100 << 30)
    assert 10 << 20 < held < 10 << 30


def test_it_is_unknown_of_what_is_not_there(tmp_path: Path) -> None:
    assert loaded_share(os.getpid(), tmp_path / "none.gguf") is None
