from __future__ import annotations

import logging
from pathlib import Path

import pytest

from eclair.storage import open as storage_open
from eclair.storage.open import open_storage
from eclair.util.file_systems import network_file_system

MOUNTS = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 0:40 / {home} rw - nfs4 server:/home rw
31 30 8:2 / {home}/disk rw - xfs /dev/sdb rw
32 21 0:41 / {home}/my\040share rw - fuse.sshfs me@there rw
33 21 0:42 / {home}/run rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("eclair", "nfs4"),
        ("", "nfs4"),
        ("disk/eclair", None),
        ("my share/eclair", "fuse.sshfs"),
        ("run", None),
        ("../other", None),
    ],
)
def test_a_network_file_system_is_known(tmp_path: Path, folder: str, found: str | None) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS.format(home=tmp_path / "home"))
    assert network_file_system(tmp_path / "home" / folder, mounts) == found


def test_where_nobody_tells_nothing_is_said(tmp_path: Path) -> None:
    assert network_file_system(tmp_path, tmp_path / "none") is None
    (tmp_path / "odd").write_text("what is this\n\n1 2 3 - nfs\n")
    assert network_file_system(tmp_path, tmp_path / "odd") is None


async def test_a_data_folder_there_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS.format(home=tmp_path / "home"))

    def find(folder: Path) -> str | None:
        return network_file_system(folder, mounts)

    monkeypatch.setattr(storage_open, "network_file_system", find)
    with caplog.at_level(logging.WARNING, "eclair.storage.open"):
        await open_storage(tmp_path / "home" / "eclair").close()
    assert "is on a network file system (nfs4)" in caplog.text
