"""Unpacks one skill inside a sandbox, and checks it: paths, sizes and front matter."""

from __future__ import annotations

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from eclair.sandbox.protocol import ProcessLimits, Rejected
from eclair.sandbox.worker import serve
from eclair.schema.skills import (
    MAX_SKILL_BYTES,
    MAX_SKILL_FILE_BYTES,
    MAX_SKILL_FILES,
    MAX_SKILL_PATH_BYTES,
    SKILL_FILE,
)
from eclair.skills.front_matter import parse_skill_text
from eclair.skills.skill_protocol import (
    CPU_LIMIT_S,
    MEMORY_LIMIT_BYTES,
    PROTOCOL,
    UnpackedFile,
    UnpackedSkill,
    UnpackSkill,
)
from eclair.util.zip_directory import read_directory_bytes

MAX_DIRECTORY_BYTES = 1 << 20
_READABLE = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    struct.error,
    OSError,
    RuntimeError,
    ValueError,
)
_APART = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that operating systems leave in archives."""


def main() -> None:
    serve(PROTOCOL, handle, lambda _: ProcessLimits(MEMORY_LIMIT_BYTES, CPU_LIMIT_S))


def handle(request: UnpackSkill) -> Iterator[UnpackedSkill]:
    """Yield the skill. Raises Rejected with a sentence."""
    files = _unpack(request.data) if request.data.startswith(b"PK") else {SKILL_FILE: request.data}
    head = parse_skill_text(files[SKILL_FILE])
    yield UnpackedSkill(
        head.name,
        head.description,
        head.license,
        head.compatibility,
        head.allowed_tools,
        tuple(name for name, _ in head.metadata),
        tuple(value for _, value in head.metadata),
        tuple(UnpackedFile(path, data) for path, data in sorted(files.items())),
    )


def _unpack(data: bytes) -> dict[str, bytes]:
    """Return the files by their paths beside SKILL.md."""
    try:
        if read_directory_bytes(io.BytesIO(data)) > MAX_DIRECTORY_BYTES:
            raise Rejected(f"The zip has more than {MAX_SKILL_FILES} files; a skill has fewer.")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [info for info in archive.infolist() if not _APART.intersection(info.filename.split("/"))]
            files = [info for info in members if not info.is_dir()]
            for info in members:
                _check_member(info)
            return _read_files(archive, files, _find_root([info.filename for info in files]))
    except _DAMAGE as error:
        raise Rejected("The zip is damaged; pack the skill again.") from error


def _check_member(info: zipfile.ZipInfo) -> None:
    """Raise Rejected for a path that leads out, for what is no plain file, and for what can't be unpacked."""
    name, mode = info.filename, info.external_attr >> 16
    path = PurePosixPath(name)
    parts = name.rstrip("/").split("/")
    is_plain = not stat.S_IFMT(mode) or stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    leads_out = path.is_absolute() or any(part in ("", ".", "..") for part in parts) or "\\" in name or ":" in name
    if leads_out or any(unicodedata.category(character).startswith("C") for character in name):
        raise Rejected(f"The zip has a file at {name[:80]!r}, which is no path within a skill; leave it out.")
    if not is_plain:
        raise Rejected(f"{name[:80]!r} is a link or no plain file; put the file itself in its place.")
    if info.flag_bits & 1:
        raise Rejected("The zip is locked with a password; pack the skill without one.")
    if info.compress_type not in _READABLE:
        raise Rejected("The zip is packed in an uncommon way; pack the skill with another program.")


def _find_root(names: list[str]) -> str:
    """Return the folder of the one SKILL.md, with a slash; empty where it is in none."""
    if SKILL_FILE in names:
        return ""
    roots = {name.partition("/")[0] for name in names}
    if len(roots) == 1 and f"{next(iter(roots))}/{SKILL_FILE}" in names:
        return f"{next(iter(roots))}/"
    raise Rejected(f"There is no {SKILL_FILE} at the top of the zip, nor in its one folder; pack one skill.")


def _read_files(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], root: str) -> dict[str, bytes]:
    """Unpack the files, and count their bytes as they come: sizes that a zip states aren't trusted."""
    if len(members) > MAX_SKILL_FILES:
        raise Rejected(f"The skill has {len(members):,} files; the limit is {MAX_SKILL_FILES}.")
    files: dict[str, bytes] = {}
    seen = set[str]()
    room = MAX_SKILL_BYTES
    for info in members:
        path = info.filename.removeprefix(root)
        if path.casefold() in seen:
            raise Rejected(f"The zip has {path[:80]!r} twice; leave one of them out.")
        seen.add(path.casefold())
        if len(path.encode()) > MAX_SKILL_PATH_BYTES:
            raise Rejected(f"The path {path[:40]!r}… is too long; shorten it.")
        with archive.open(info) as packed:
            data = packed.read(min(room, MAX_SKILL_FILE_BYTES) + 1)
        if len(data) > min(room, MAX_SKILL_FILE_BYTES):
            limits = f"{MAX_SKILL_FILE_BYTES >> 20} MB for a file and {MAX_SKILL_BYTES >> 20} MB for all of them"
            raise Rejected(f"{path[:80]!r} is too large; the limits are {limits}.")
        room -= len(data)
        files[path] = data
    for path in files:
        if any(str(parent) in files for parent in PurePosixPath(path).parents):
            raise Rejected(f"The zip has {path[:80]!r} beneath what is a file itself; pack the skill again.")
    return files
