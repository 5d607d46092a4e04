"""Prints how two packages' sources differ in the parts of ggml that its libraries share in memory.

`python release/kernels.py XLLAMACPP.tar.gz TRANSCRIBE_CPP_NATIVE.tar.gz` exits with 0 if they are the same. Both are
source distributions of the package index. Where only functions are added, read the difference; where a structure or an
enumeration differs, the kernels of one must not run in the other (`src/eclair/llm/local/kernels.py`).
"""

from __future__ import annotations

import difflib
import sys
import tarfile
from pathlib import Path

HEADERS = (
    "include/ggml.h",
    "include/ggml-backend.h",
    "include/ggml-cpu.h",
    "src/ggml-backend-impl.h",
    "src/ggml-common.h",
    "src/ggml-impl.h",
    "src/ggml-threading.h",
)
"""Declarations of tensors, graphs, operations, formats, and of backends."""


def read_headers(archive: Path) -> dict[str, list[str]]:
    """Return the lines of each header in a source distribution. Raises OSError, TarError and KeyError."""
    with tarfile.open(archive) as sources:
        names = {name.rpartition("/ggml/")[2]: name for name in sources.getnames() if "/ggml/" in name}
        found: dict[str, list[str]] = {}
        for header in HEADERS:
            member = sources.extractfile(names[header])
            assert member is not None
            found[header] = member.read().decode().splitlines()
    return found


def main() -> int:
    one, other = (read_headers(Path(archive)) for archive in sys.argv[1:3])
    lines = [
        line for name in HEADERS for line in difflib.unified_diff(one[name], other[name], name, name, "", "", 2, "")
    ]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
