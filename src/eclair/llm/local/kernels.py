"""CPU kernels: replaces those of the engine's package by better ones for this CPU.

The package has kernels for the oldest CPUs that it runs on: AVX2, or Armv8 without dot products. A second package has
the same ggml's for each generation of CPUs, and llama.cpp loads them as a backend while it runs.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from functools import cache
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from eclair.models.installed import shard_names

Kernels = Literal["native", "generic"]
"""The best for this CPU, or those of the engine's package."""

KernelChoice = Literal["auto", "native", "generic"]

ENGINE_PACKAGE = "xllamacpp"
KERNEL_PACKAGE = "transcribe-cpp-native"

MATCHING_VERSIONS = {ENGINE_PACKAGE: "2026.10.11549", KERNEL_PACKAGE: "0.4.1"}
"""Versions whose ggml has the same tensors, operations and backend interface, in memory too.

`native/README.md` says how to compare others. Kernels of any other version are left alone.
"""

LOG_FUNCTION = "_Z27common_log_default_callback14ggml_log_levelPKcPv"
"""llama.cpp's log. A function of Python's would wait for the lock that the loading server holds."""

MIN_NATIVE_MODEL_BYTES = 500_000_000
"""Smaller models keep the generic kernels unless measured otherwise.

Native kernels wait for each other without sleeping, hundreds of times a token. Beside other programs that costs a model
of 93 MB more than its better arithmetic brings, and one of 1.1 GB nothing (bench/LOG.md)."""

GENERIC_VARIANTS = {"x86_64": "haswell", "aarch64": "armv8.0_1"}
"""The variant that equals the engine's own kernels, for each machine type."""


def choose_kernels(choice: KernelChoice, model: Path) -> Kernels:
    """Return the kernels for the model whose first file is `model`: those chosen, or by its size. Raises OSError."""
    if choice != "auto":
        return choice
    size = sum((model.parent / name).stat().st_size for name in shard_names(model.name))
    return "native" if size >= MIN_NATIVE_MODEL_BYTES else "generic"


@cache
def find_kernels() -> Path | None:
    """Return the folder of the kernels for this platform; None without a matching package."""
    if sys.platform != "linux" or platform.machine() not in GENERIC_VARIANTS:
        return None
    try:
        if any(metadata.version(name) != version for name, version in MATCHING_VERSIONS.items()):
            return None
    except metadata.PackageNotFoundError:
        return None
    spec = find_spec("transcribe_cpp_native")
    folders = [Path(folder) / "_native" for folder in (spec.submodule_search_locations or ())] if spec else []
    return next(
        (folder for folder in folders if _variant(folder, GENERIC_VARIANTS[platform.machine()]).is_file()), None
    )


def load_native_kernels(xllamacpp: Any) -> str:
    """Have llama.cpp compute with the best kernels for this CPU; return their name.

    Returns "" if there are none better than its own. Call it in the engine's process, before a model is loaded.
    """
    folder = find_kernels()
    if folder is None:
        return ""
    try:
        return _load_best(folder, _Ggml(xllamacpp.xllamacpp.__file__))
    except (OSError, AttributeError) as error:  # this system lacks a library or function that they need
        sys.stderr.write(f"The kernels for this CPU cannot be loaded: {error}\n")
        return ""


def _load_best(folder: Path, ggml: _Ggml) -> str:
    """Load the best kernels if they are better than the engine's own. Raises OSError and AttributeError."""
    best = _best_variant(folder)
    if best is None:
        return ""
    ctypes.CDLL(str(folder / "libggml-base.so")).ggml_log_set(ggml.log, None)  # it has a ggml of its own
    own = ggml.find(b"CPU")
    ggml.unload(own)  # llama.cpp takes the first CPU backend
    if not ggml.load(str(best).encode()):
        ggml.register(own)
        return ""
    return best.stem.removeprefix("libggml-cpu-")


class _Ggml:
    """ggml's registry of backends, in the engine's library."""

    def __init__(self, library: str) -> None:
        functions: Any = ctypes.CDLL(library)
        self.log = functions[LOG_FUNCTION]
        self.find = _typed(functions.ggml_backend_reg_by_name, ctypes.c_char_p, ctypes.c_void_p)
        self.load = _typed(functions.ggml_backend_load, ctypes.c_char_p, ctypes.c_void_p)
        self.register = _typed(functions.ggml_backend_register, ctypes.c_void_p, None)
        self.unload = _typed(functions.ggml_backend_unload, ctypes.c_void_p, None)


def _typed(function: Any, argument: Any, result: Any) -> Any:
    function.argtypes, function.restype = [argument], result
    return function


def _best_variant(folder: Path) -> Path | None:
    """Return the library that scores highest on this CPU; None if that is no better than the engine's own."""
    scores = {path: _score(path) for path in sorted(folder.glob("libggml-cpu-*.so"))}
    best = max(scores, key=lambda path: scores[path])
    return best if scores[best] > scores[_variant(folder, GENERIC_VARIANTS[platform.machine()])] else None


def _score(library: Path) -> int:
    """Return how well the CPU's abilities are used by a library; 0 if it doesn't run here."""
    return int(ctypes.CDLL(str(library)).ggml_backend_score())


def _variant(folder: Path, name: str) -> Path:
    return folder / f"libggml-cpu-{name}.so"


def main() -> None:
    """Print the name of the kernels that the engine would run on; an empty line for its own."""
    sys.stdout.write(f"{load_native_kernels(import_module(ENGINE_PACKAGE))}\n")


if __name__ == "__main__":
    main()
