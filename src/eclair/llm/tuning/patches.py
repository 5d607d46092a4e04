"""Adds Éclair's kernels (`native/llama.cpp`) to llama.cpp's sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eclair.errors import EngineMissing
from eclair.llm.local import native

LLAMA_CPP = "thirdparty/llama.cpp"
"""The path of llama.cpp within the package's sources."""

KERNELS = f"{LLAMA_CPP}/ggml/src/ggml-cpu"

_FILE = re.compile(r"^--- .*\n\+\+\+ b/(\S+)\n", re.MULTILINE)
_HUNK = re.compile(r"^@@ .*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Hunk:
    """One change of a unified diff: the text `old` of `file`, a path in llama.cpp, becomes `new`."""

    file: str
    old: str
    new: str


def parse_hunks(patch: str) -> Iterator[Hunk]:
    """Parse a unified diff. Line numbers are ignored: `old` locates a change."""
    _, *parts = _FILE.split(patch)
    for file, body in zip(parts[::2], parts[1::2], strict=True):
        for hunk in _HUNK.split(body)[1:]:
            lines = hunk.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] in kind) for kind in (" -", " +"))
            yield Hunk(file, old, new)


def apply_patches(folder: Path) -> None:
    """Patch the package's sources in `folder`, and add the kernels.

    Raises OSError, and EngineMissing if the sources are of another version; then nothing has changed.
    """
    texts: dict[Path, str] = {}
    for patch in native.patches():
        for hunk in parse_hunks(patch.read_text(encoding="utf-8")):
            path = folder / LLAMA_CPP / hunk.file
            text = texts.get(path) or path.read_text(encoding="utf-8")
            if text.count(hunk.old) != 1:
                raise EngineMissing(
                    f"{patch.name} does not fit {hunk.file}, which is not of the version that Éclair's kernels are for"
                )
            texts[path] = text.replace(hunk.old, hunk.new)
    if not texts:
        raise EngineMissing(f"Éclair's kernels are missing from {native.llama_folder()}; install Éclair again")
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    for source in native.sources():
        (folder / KERNELS / source.name).write_bytes(source.read_bytes())
