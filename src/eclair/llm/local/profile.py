"""How a model runs best on this machine, as `eclair tune` found it and a model's start heeds it.

`data_dir/tuned/MODEL/` holds what was found, a row for each machine, and the model's file in other layouts;
`data_dir/compiled` the engine as it was compiled for this processor. All there may be deleted; models then run as they
came.
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
from eclair.llm.local import native
from eclair.llm.local.speculative import DEFAULT_DRAFT_COST, DraftMode
from eclair.models import memory
from eclair.models.gguf.layouts import ORIGINAL_LAYOUT
from eclair.models.installed import InstalledModel
from eclair.settings import Settings
from eclair.util.cpu import available_cores
from eclair.util.file_lock import try_hold

PROFILE_FILE = "tuning.json"


@dataclass(frozen=True, slots=True)
class TuningChoice:
    """How a model is run; the defaults apply where nothing was measured.

    `prompt_threads` of 0 means every core. `kv_type` is the number format of keys and values, `drafting` how far ahead
    tokens are drafted, and `draft_cost` what a drafted token takes, as a share of a decoded one. `is_compiled` says
    that the model runs on the engine that was compiled for this processor. Files and the API have the aliases.
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


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second: `prefill` of a prompt, `decode` after a short prompt, and `deep` after a long one."""

    prefill: float
    decode: float
    deep: float


@dataclass(frozen=True, slots=True)
class Quality:
    """What a layout answers: nats a token of a text whose wording it is told (less is better), and of how many
    questions and JSON documents how many are right. `worse` is what it loses in nats a token against the file as it
    came, with the standard error of that."""

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
    """Something that was tried: what was gained is the time of a usual exchange before, through that with it. Of
    guesses no speed is told, as that depends on the text."""

    what: str
    speed: Speed | None
    gain: float
    verdict: str
    chosen: bool
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What tells one version of a model's file from another."""

    name: str
    size: int
    modified: int

    @classmethod
    def read(cls, path: Path) -> FileStamp:
        stat = path.stat()
        return cls(path.name, stat.st_size, stat.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was found for a model's file on one machine. `bandwidth` is bytes a second with which the machine reads as
    much memory as a token takes, `bytes` how many that are in the chosen layout; `before` and `after` are its
    speeds. `drift` is by how much the same choice was slower at worst than at best, as a part of its usual time.
    `build` is the compiled engine with which that was found, and `twice` the bytes that such a one holds twice."""

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
    """Where the model's file in that layout is, or would be."""
    return tuning_folder(data_dir, model) / f"{layout}.gguf"


def find_tuning(data_dir: Path, model: str, path: Path) -> Tuning | None:
    """What was found for that file on this machine; None where nothing was, or where what was chosen is gone."""
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
    """What a model takes as it was chosen to run, in bytes."""
    known = find_tuning(settings.data_dir, model.entry.id, model.path)
    taken = memory.needed_by_installed(model, settings)
    if known is None:
        return taken
    if known.choice.layout != ORIGINAL_LAYOUT:
        chosen = layout_path(settings.data_dir, model.entry.id, known.choice.layout)
        taken += chosen.stat().st_size - model.size
    return taken + (known.twice if known.choice.is_compiled else 0)


def save_tuning(data_dir: Path, model: str, tuning: Tuning) -> None:
    """Have the model run as was found from its next start on. Raises ModelMissing where that cannot be written."""
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
    """Whether `laid_out` is there and was made of the file at `path` as it is now."""
    try:
        return laid_out.stat().st_mtime_ns == path.stat().st_mtime_ns
    except OSError:
        return False


def compiled_folder(data_dir: Path) -> Path:
    """Where the engine that was compiled for this processor is, or would be: a folder to import it from."""
    return data_dir / "compiled" / _build()


@cache
def _build() -> str:
    """What tells an engine that was compiled for this processor from one for another, and then from one of other
    sources."""
    sources = hashlib.sha256(machine_id().encode())
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
    """Whether the kernels are for this processor, so that compiling the engine brings much: `native/llama.cpp`."""
    flags = set(_abilities().split())
    return {"avx2", "fma", "f16c"} <= flags and not flags & {"avx_vnni", "avx512f"}


def delete_unused(data_dir: Path, model: str) -> None:
    """Delete layouts that no machine has chosen, what was left half written, and a compiled engine without use."""
    chosen = {f"{tuning.choice.layout}.gguf" for tuning in _read(data_dir, model).values()}
    for path in tuning_folder(data_dir, model).glob("*.gguf*"):
        if path.name not in chosen:
            path.unlink(missing_ok=True)
    delete_unused_engines(data_dir)


def delete_unused_engines(data_dir: Path) -> int:
    """Delete the engines that were compiled for this processor, but for the one on which a model runs; how many bytes
    that frees."""
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
    """Nobody else tunes with this data folder meanwhile. Raises Conflict where somebody does, and ModelMissing."""
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
    """Delete what was found, on every machine, the model's file in other layouts, and the compiled engine if no other
    model runs on it; how many bytes that frees."""
    place = tuning_folder(data_dir, model)
    freed = sum(path.stat().st_size for path in place.glob("*") if path.is_file())
    shutil.rmtree(place, ignore_errors=True)
    return freed + delete_unused_engines(data_dir)


@cache
def machine_id() -> str:
    """What a measurement holds for: processor, cores, memory and the engine's version."""
    try:
        engine = f"xllamacpp {metadata.version('xllamacpp')}"
    except metadata.PackageNotFoundError:
        engine = "no engine"
    return f"{_processor()}, {available_cores()} cores, {round(memory.physical() / 1e9)} GB, {engine}"


def default_decode_threads(cores: int) -> int:
    """How many threads decode where nothing was measured: one for each physical core, of which most processors show
    two, and 16 at most, by when memory is what they wait for. Of two cores one: a second thread brings 4 to 71 %, and
    halves the speed beside a busy neighbour."""
    return max(1, min(cores // 2, 16))


def _processor() -> str:
    if sys.platform == "darwin":
        asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _abilities() -> str:
    """What the processor can do beyond its kind, as Linux tells it: a name alone may stand for several."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith(("flags", "Features")))
    return " ".join(sorted(next(named, platform.machine()).split()))


def _read(data_dir: Path, model: str) -> dict[str, Tuning]:
    """Rows by machine; none where there is no record, or one of another version."""
    try:
        return _TUNINGS.validate_json((tuning_folder(data_dir, model) / PROFILE_FILE).read_bytes())
    except (OSError, ValidationError):
        return {}
