"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eclair.util.file_replacement import replace_file


def test_a_file_takes_the_place_of_another(tmp_path: Path) -> None:
    path, link = tmp_path / "a.zip", tmp_path / "link"
    link.symlink_to(path)
    for target, data in ((path, b"one"), (path, b"two"), (link, b"three")):
        with replace_file(target) as file:
            file.write(data)
        assert path.read_bytes() == data
    assert link.is_symlink()


def break_off(path: Path) -> None:
    """Write half of a file."""
    with replace_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt


@pytest.mark.parametrize("old", [None, b"old"])
def test_what_fails_leaves_everything_as_it_was(tmp_path: Path, old: bytes | None) -> None:
    path = tmp_path / "a.zip"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(KeyboardInterrupt):
        break_off(path)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == ({} if old is None else {"a.zip": old})


def test_a_new_file_has_the_mode_of_the_umask_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for umask, mode in ((0o022, 0o644), (0o077, 0o600)):
        path.unlink(missing_ok=True)
        with replace_file(path, umask):
            pass
        assert path.stat().st_mode & 0o777 == mode
    path.chmod(0o664)
    with replace_file(path):
        pass
    assert path.stat().st_mode & 0o777 == 0o664
    private = tmp_path / "private"
    with replace_file(private):
        pass
    assert private.stat().st_mode & 0o777 == 0o600


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    with replace_file(Path("/dev/null")) as file:
        file.write(b"gone")
    assert Path("/dev/null").is_char_device()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with replace_file(pipe) as file:
            file.write(b"piped")
        assert os.read(reading, 10) == b"piped"
    finally:
        os.close(reading)
    assert pipe.is_fifo()


def test_a_folder_is_refused_before_the_work(tmp_path: Path) -> None:
    begun: list[str] = []
    with pytest.raises(IsADirectoryError), replace_file(tmp_path):
        begun.append("work")
    assert not begun
    with pytest.raises(FileNotFoundError), replace_file(tmp_path / "none" / "a.zip"):
        pass
