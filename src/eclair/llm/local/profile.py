"""Tuning profiles: a model's best options on this machine.

`data_dir/tuned/MODEL/` holds a profile for each machine, and the model's file in other layouts; `data_dir/compiled`
the engine compiled for this CPU. All of it may be deleted; models then run with the defaults.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from eclair.errors import Conflict, ModelMissing
from eclair.llm.local import kernels, native
from eclair.llm.local.kernels import KernelChoice
from eclair.llm.local.speculative import DEFAULT_DRAFT_COST, DraftMode
from eclair.models import memory
from eclair.models.gguf.layouts import ORIGINAL_LAYOUT
from eclair.models.installed import InstalledModel
from eclair.settings import Settings
from eclair.util.child_environment import child_environment
from eclair.util.cpu import available_cores
from eclair.util.file_lock import try_hold

PROFILE_FILE = "tuning.json"


@dataclass(frozen=True, slots=True)
class TuningChoice:
    """The tuned options of a model; the defaults apply if nothing was measured.

    `prompt_threads` of 0 means every core. `kv_type` is the number format of keys and values, `drafting` how far ahead
    tokens are drafted, and `draft_cost` what a drafted token takes, as a share of a decoded one. `is_compiled` says
    that the model runs on the engine that was compiled for this processor; else it computes with `kernels`. Files and
    the API have the aliases.
    """

    layout: str = ORIGINAL_LAYOUT
    decode_threads: Annotated[int, Field(alias="writing")] = field(
        default_factory=lambda: default_decode_threads(available_cores())
    )
    prompt_threads: Annotated[int, Field(alias="reading")] = 0
    kv_type: Annotated[Literal["f16", "q8_0"], Field(alias="kv")] = "f16"
    flash_attention: Annotated[Literal["auto", "on", "off"], Field(alias="flash")] = "auto"
    drafting: Annotated[DraftMode, Field(alias="guesses")] = "long"
    draft_cost: Annotated[float, Field(alias="cost")] = DEFAULT_DRAFT_COST
    is_compiled: Annotated[bool, Field(alias="compiled")] = False
    kernels: KernelChoice = "auto"


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens per second: `prefill` of a prompt, `decode` after a short prompt, and `deep` after a long one."""

    prefill: float
    decode: float
    deep: float


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of a layout's answers.

    `nats` is the average surprise per token of a given text (less is better); `answers`, `german`, `json` and `facts`
    count correct answers out of `asked`. `worse` is the loss in nats per token against the original file, `error` its
    standard error.
    """

    nats: float
    worse: float
    error: float
    answers: int
    german: int
    json: int
    facts: int
    asked: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Trial:
    """One option that was tried. `gain` is the old time of a typical exchange over the new.

    Drafting has no `speed`, as that depends on the text.
    """

    what: str
    speed: Speed | None
    gain: float
    verdict: str
    chosen: bool
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class FileStamp:
    """Identifies one version of a model's file."""

    name: str
    size: int
    modified: int

    @classmethod
    def read(cls, path: Path) -> FileStamp:
        stat = path.stat()
        return cls(path.name, stat.st_size, stat.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Tuning:
    """The tuning of a model's file on one machine.

    `bandwidth` is the memory's in bytes per second, measured with as much as a token reads; `bytes` are read per
    token in the chosen layout. `before` and `after` are speeds. `drift` is the spread of the times of one choice,
    relative to their median. `build` is the compiled engine it was measured with, and `twice` the bytes that such an
    engine holds twice.
    """

    machine: str
    source: FileStamp
    at: str
    choice: TuningChoice
    bandwidth: float
    bytes: int
    before: Speed
    after: Speed
    trials: tuple[Trial, ...] = field(default=())
    drift: float = 0.0
    build: str = ""
    twice: int = 0


_TUNINGS = TypeAdapter(dict[str, Tuning])


def tuning_json(tuning: Tuning) -> dict[str, Any]:
    """Return a tuning as files, the API and `eclair tune --json` have it."""
    return TypeAdapter(Tuning).dump_python(tuning, mode="json", by_alias=True)


def tuning_folder(data_dir: Path, model: str) -> Path:
    return data_dir / "tuned" / model


def layout_path(data_dir: Path, model: str, layout: str) -> Path:
    """Return the path of the model's file in that layout."""
    return tuning_folder(data_dir, model) / f"{layout}.gguf"


def find_tuning(data_dir: Path, model: str, path: Path) -> Tuning | None:
    """Return the tuning for that file on this machine; None if there is none.

    Also None if the layout or the compiled engine that it chose is gone.
    """
    tuning = _read(data_dir, model).get(machine_id())
    try:
        if tuning is None or tuning.source != FileStamp.read(path):
            return None
    except OSError:
        return None
    chosen = tuning.choice.layout
    if chosen != ORIGINAL_LAYOUT and not layout_path(data_dir, model, chosen).is_file():
        return None
    return tuning if not tuning.choice.is_compiled or (_on_this_build(tuning) and is_compiled(data_dir)) else None


def needed_memory(model: InstalledModel, settings: Settings) -> int:
    """Return the bytes that a model needs as it is tuned."""
    known = find_tuning(settings.data_dir, model.entry.id, model.path)
    taken = memory.needed_by_installed(model, settings)
    if known is None:
        return taken
    if known.choice.layout != ORIGINAL_LAYOUT:
        chosen = layout_path(settings.data_dir, model.entry.id, known.choice.layout)
        taken += chosen.stat().st_size - model.size
    return taken + (known.twice if known.choice.is_compiled else 0)


def save_tuning(data_dir: Path, model: str, tuning: Tuning) -> None:
    """Save a tuning, for the model's next start. Raises ModelMissing if it can't be written."""
    place = tuning_folder(data_dir, model) / PROFILE_FILE
    tuning = replace(tuning, build=_build() if tuning.choice.is_compiled else "")
    rows = {**_read(data_dir, model), tuning.machine: tuning}
    fresh = place.with_suffix(f".{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(_TUNINGS.dump_json(rows, indent=2, by_alias=True))
        fresh.replace(place)
    except OSError as error:
        raise ModelMissing(f"{place} cannot be written: {error.strerror}; the model runs as before.") from error


def is_layout_current(laid_out: Path, path: Path) -> bool:
    """Return whether `laid_out` exists and was made from the current file at `path`."""
    try:
        return laid_out.stat().st_mtime_ns == path.stat().st_mtime_ns
    except OSError:
        return False


def compiled_folder(data_dir: Path) -> Path:
    """Return the folder to import the engine compiled for this CPU from."""
    return data_dir / "compiled" / _build()


@cache
def _build() -> str:
    """Return the id of a compiled engine: this CPU, and a hash of the sources."""
    sources = hashlib.sha256(_engine_id().encode())
    for file in (*native.patches(), *native.sources()):
        sources.update(file.read_bytes())
    return f"{_here()}-{sources.hexdigest()[:12]}"


def _here() -> str:
    return hashlib.sha256(f"{_processor()} {_abilities()}".encode()).hexdigest()[:12]


def _on_this_build(tuning: Tuning) -> bool:
    return tuning.choice.is_compiled and tuning.build == _build()


def is_compiled(data_dir: Path) -> bool:
    return compiled_folder(data_dir).is_dir()


def supports_kernels() -> bool:
    """Return whether this CPU gains from the kernels in `native/llama.cpp`."""
    flags = set(_abilities().split())
    return {"avx2", "fma", "f16c"} <= flags and not flags & {"avx_vnni", "avx512f"}


def delete_unused(data_dir: Path, model: str) -> None:
    """Delete layouts that no machine uses, partial files, and unused compiled engines."""
    chosen = {f"{tuning.choice.layout}.gguf" for tuning in _read(data_dir, model).values()}
    for path in tuning_folder(data_dir, model).glob("*.gguf*"):
        if path.name not in chosen:
            path.unlink(missing_ok=True)
    delete_unused_engines(data_dir)


def delete_unused_engines(data_dir: Path) -> int:
    """Delete compiled engines for this CPU that no model uses; return the bytes freed."""
    models = (path.parent.name for path in (data_dir / "tuned").glob(f"*/{PROFILE_FILE}"))
    rows = (_read(data_dir, model).get(machine_id()) for model in models)
    used = any(row is not None and _on_this_build(row) for row in rows)
    freed = 0
    for place in (data_dir / "compiled").glob(f"{_here()}-*"):
        if not (used and place.name == _build()):
            freed += sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
            shutil.rmtree(place, ignore_errors=True)
    return freed


@contextlib.contextmanager
def tuning_lock(data_dir: Path) -> Generator[None]:
    """Hold the lock of tuning in this data folder. Raises Conflict and ModelMissing."""
    place = data_dir / "tuned"
    try:
        place.mkdir(parents=True, exist_ok=True)
        held = try_hold(place / ".lock")
    except OSError as error:
        raise ModelMissing(f"{place} cannot be written: {error.strerror}; the model runs as before.") from error
    if held is None:
        raise Conflict("Another Éclair is tuning a model; try again when it is done.")
    with held:
        yield


def delete_tuning(data_dir: Path, model: str) -> int:
    """Delete a model's tunings of all machines and its layouts; return the bytes freed.

    The compiled engine goes too if no other model uses it.
    """
    place = tuning_folder(data_dir, model)
    freed = sum(path.stat().st_size for path in place.glob("*") if path.is_file())
    shutil.rmtree(place, ignore_errors=True)
    return freed + delete_unused_engines(data_dir)


@cache
def machine_id() -> str:
    """Return what a measurement is valid for: CPU, cores, memory, the engine's version and kernels."""
    return f"{_engine_id()}{' with native kernels' if kernels.find_kernels() is not None else ''}"


def _engine_id() -> str:
    try:
        engine = f"xllamacpp {metadata.version('xllamacpp')}"
    except metadata.PackageNotFoundError:
        engine = "no engine"
    return f"{_processor()}, {available_cores()} cores, {round(memory.physical() / 1e9)} GB, {engine}"


def default_decode_threads(cores: int) -> int:
    """Return the decoding threads where nothing was measured.

    One for each physical core (most CPUs show two), at most 16, as memory is the limit then. On two cores one: a
    second thread brings 4 to 71 %, and halves the speed beside a busy neighbor.
    """
    return max(1, min(cores // 2, 16))


def _processor() -> str:
    if sys.platform == "darwin":
        asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return (
            subprocess.run(asked, capture_output=True, text=True, check=False, env=child_environment()).stdout.strip()
            or platform.machine()
        )
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _abilities() -> str:
    """Return the CPU's flags as Linux lists them: one model name may stand for several CPUs."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("flags", "Features")))
    return " ".join(sorted(next(named, platform.machine()).split()))


def _read(data_dir: Path, model: str) -> dict[str, Tuning]:
    """Read the tunings by machine; empty if there are none, or of another version."""
    try:
        return _TUNINGS.validate_json((tuning_folder(data_dir, model) / PROFILE_FILE).read_bytes())
    except (OSError, ValidationError):
        return {}
