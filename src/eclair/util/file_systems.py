"""Recognizes folders on network file systems, where locks and SQLite's write-ahead log are unsafe."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|gfs2?|glusterfs|lustre|beegfs|ocfs2|gpfs|ncpfs|davfs"
    r"|fuse\.(?:sshfs|glusterfs|ceph.*|s3fs|rclone|davfs2?|gcsfuse|smb.*|nfs.*)"
)
_ESCAPE = re.compile(r"\\([0-7]{3})")


def network_file_system(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the network file system that a folder is on; None for any other, and where nobody tells."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    place = folder.absolute().resolve()
    best, found = -1, ""
    for line in lines:
        mount, _, about = line.partition(" - ")
        fields = mount.split(" ")
        if len(fields) < 5 or not about:
            continue
        point = Path(_ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        if place.is_relative_to(point) and len(point.parts) >= best:  # a later mount covers an earlier one
            best, found = len(point.parts), about.split(" ")[0]
    return found if _NETWORK.fullmatch(found) else None
