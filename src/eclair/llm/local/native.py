"""Finds the native code: `native/` in the repository, `eclair/native` in a wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[2]


def llama_folder() -> Path:
    """The folder of the patches and sources for llama.cpp; it may be absent where the package isn't whole."""
    installed = PACKAGE / "native"
    return (installed if installed.is_dir() else PACKAGE.parents[1] / "native") / "llama.cpp"


def patches() -> list[Path]:
    """The patches for llama.cpp, sorted by name."""
    return sorted(llama_folder().glob("*.patch"))


def sources() -> list[Path]:
    """The files that are put beside llama.cpp's own kernels, sorted by name."""
    return sorted((llama_folder() / "ggml-cpu").glob("*"))
