"""Prints the licenses of the Python packages in `requirements.lock` as JSON, for `licenses.json` beside this file.

A license is what the installed package's metadata says. A package that isn't installed on this system keeps the license
that the file has for it; one whose metadata doesn't say is left out.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The BSD 2-Clause License": "BSD-2-Clause",
}
"""SPDX's identifiers for names that packages use."""

VAGUE = {"BSD License", "OSI Approved"}
"""Classifiers that leave the license open."""


def find_license(name: str) -> str | None:
    """Return an SPDX expression or, for other licenses, their name. Raises PackageNotFoundError."""
    found: Any = metadata(name)
    if found["License-Expression"]:
        return str(found["License-Expression"])
    said = str(found["License"] or "").strip()
    names = [SPDX.get(said, said)] if said and "\n" not in said else []
    for classifier in map(str, found.get_all("Classifier") or ()):
        kind, _, last = classifier.rpartition(" :: ")
        spdx = SPDX.get(last, last)
        if kind.startswith("License") and last not in VAGUE and spdx not in " ".join(names):
            names.append(spdx)
    return " AND ".join(names) or None


def main() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    path = ROOT / "release" / "licenses.json"
    before: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    found: dict[str, str | None] = {}
    for name in dict.fromkeys(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)):
        try:
            found[name] = find_license(name)
        except PackageNotFoundError:
            found[name] = before.get(name)
    known = {name: license for name, license in found.items() if license is not None}
    json.dump(known, sys.stdout, indent=2, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
