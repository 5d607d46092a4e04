"""Compiles the embedded engine for this machine's processor, from the sources of the very package that is installed.

They gain Éclair's own kernels (`native/`), for processors that llama.cpp's own serve less well. The package's
build runs in a process of its own, which reads one line of JSON (`Order`) from standard input, writes how far it is, a
share a line, and ends with all that it has started when standard input does. What it makes gets its name when it is
whole. It fetches nothing itself: what it needs was brought before, through the door.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eclair.errors import EngineMissing, ModelMissing
from eclair.llm.local import profile
from eclair.llm.tuning import patches
from eclair.models import pip_index, wheels
from eclair.models.catalog import PackageFile
from eclair.models.download import DownloadProgress
from eclair.models.pip_index import PackageIndex
from eclair.network.client import CLOSED_GATE, OutboundGate
from eclair.util.frames import Codec
from eclair.util.humanize import format_size
from eclair.util.task_process import Report, TaskFailed, run_task, serve_task

SOURCES = PackageFile(
    package="xllamacpp",
    file="xllamacpp-2026.10.11549.tar.gz",
    size=37722765,
    sha256="c17ee1163006f70726abb9f72137830818f3d8cb60bfc34cb232d08428eaa22b",
)
"""Of the version that requirements.lock has; llama.cpp's sources are in it."""

BUILD_FILES = (
    SOURCES,
    PackageFile(
        package="cython",
        file="cython-3.3.1-py3-none-any.whl",
        size=1352000,
        sha256="61abc7feedd20dac6c4ff7ab3a30e17136a067b242ab9253e2b4a6d9a72c2b61",
    ),
    PackageFile(
        package="setuptools",
        file="setuptools-84.2.1-py3-none-any.whl",
        size=876263,
        sha256="ca140b45d5325a9478f880e351484f62fef15f336462e449ca0c03c873d589c2",
    ),
    PackageFile(
        package="versioneer",
        file="versioneer-0.29-py3-none-any.whl",
        size=46785,
        sha256="0f1a137bb5d6811e96a79bb0486798aeae9b9c6efc24b389659cebb0ee396cb9",
    ),
)
"""The sources, and what their build asks for; compiler, cmake and make are the system's."""

CMAKE_OPTIONS = ("-DLLAMA_LLGUIDANCE=OFF", "-DLLAMA_BUILD_BORINGSSL=OFF", "-DLLAMA_OPENSSL=OFF", "-DLLAMA_BUILD_UI=OFF")
"""Without what its build would fetch from elsewhere: forms of JSON are kept to by llama.cpp's own grammars, and its
server needs no TLS on this machine."""

MIN_FREE_BYTES = 2 << 30
"""Bytes of disk that it needs meanwhile."""

OBJECT_FILES = 197
"""Files that it compiles, by which is told how far it is."""

COMPILE_PERCENT = 90
"""Of a hundred parts, those after which they are compiled; then comes what ties them to Python."""

NICE = 10
LOG_FILE = "build.log"

_OBJECT = re.compile(rb"^\s*\[\s*\d{1,3}%\] Building C")


@dataclass(frozen=True, slots=True)
class BuildJob:
    """Install `sources`, with our kernels, into `target`; the folder `files` has what its build asks for, and `work` is
    for what lies about meanwhile."""

    sources: str
    files: str
    target: str
    work: str
    log: str


ORDERS = Codec(BuildJob)


async def build_engine(
    data_dir: Path,
    report: Callable[[str, int, int], object],
    *,
    files: Sequence[PackageFile] = BUILD_FILES,
    index: PackageIndex | None = None,
    gate: OutboundGate = CLOSED_GATE,
) -> Path:
    """The folder of the engine compiled for this processor, unless it is there. `report` hears what is done, and how
    much of how much. Somebody must hold `tuned.locked`. Cancelled or killed, it leaves nothing that counts.

    Raises EngineMissing where a tool is missing or the build fails, and ModelMissing where a file cannot be fetched or
    the disk is full.
    """
    target = profile.compiled_folder(data_dir)
    if profile.is_compiled(data_dir):
        return target
    _check_tools()
    work = target.with_name("work")
    try:
        shutil.rmtree(work, ignore_errors=True)  # of one that was killed
        work.mkdir(parents=True)
        if (free := shutil.disk_usage(work).free) < MIN_FREE_BYTES:
            raise ModelMissing(
                f"{target.parent} has {format_size(free)} free and compiling the engine needs "
                f"{format_size(MIN_FREE_BYTES)}; make room, or tune without --build."
            )
        await _bring(files, work, index, gate, report)
        await _compile(files[0], work, data_dir / "logs" / LOG_FILE, report)
        (work / "made").replace(target)
    except OSError as error:
        raise ModelMissing(f"The engine cannot be compiled in {target.parent}: {error.strerror}.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _check_tools() -> None:
    wanted = {
        "a C++ compiler": (os.environ.get("CXX") or "c++", "g++", "clang++"),
        "cmake": ("cmake",),
        "make": ("make",),
    }
    missing = [name for name, commands in wanted.items() if not any(map(shutil.which, commands))]
    if missing:
        raise EngineMissing(
            f"To compile the engine, {' and '.join(missing)} must be on this machine (on Debian and Ubuntu "
            "`sudo apt install g++ cmake make`); then run `eclair tune --build` again."
        )


async def _bring(
    files: Sequence[PackageFile],
    work: Path,
    index: PackageIndex | None,
    gate: OutboundGate,
    report: Callable[[str, int, int], object],
) -> None:
    """Raises ModelMissing and OSError."""
    index = index or await pip_index.read_pip_index()
    total, before = sum(packed.size for packed in files), 0

    def tell(progress: DownloadProgress) -> None:
        report("Fetching the engine's sources", before + progress.done, total)

    downloads = index.downloads(gate)
    try:
        for packed in files:
            await wheels.fetch_package_file(packed, work, index, downloads, report=tell)
            before += packed.size
    finally:
        await downloads.close()


async def _compile(sources: PackageFile, work: Path, log: Path, report: Callable[[str, int, int], object]) -> None:
    """Raises EngineMissing."""
    what = "Compiling the engine"
    report(what, 0, 100)
    order = BuildJob(str(work / sources.file), str(work), str(work / "made"), str(work / "tmp"), str(log))
    try:
        await run_task("eclair.llm.tuning.build", order, ORDERS, lambda done: report(what, done, 100))
    except TaskFailed as failure:
        raise EngineMissing(
            f"The engine could not be compiled ({failure}); {log} has all of it. It runs as it came."
        ) from failure


def main() -> None:
    os.setpgid(0, 0)
    serve_task(ORDERS, _work, lambda: os.killpg(0, signal.SIGKILL))  # the compilers too


def _work(order: BuildJob, report: Report) -> None:
    """Raises TaskFailed."""
    os.nice(NICE)
    work = Path(order.work)
    work.mkdir()
    Path(order.log).parent.mkdir(parents=True, exist_ok=True)
    try:
        folder = unpack_sources(Path(order.sources), work)
        patches.apply(folder)
    except (OSError, tarfile.TarError, EngineMissing) as error:
        Path(order.log).write_text(f"{error}\n", encoding="utf-8")
        raise TaskFailed(str(error)) from error
    environment = {
        **os.environ,
        "CMAKE_ARGS": " ".join(CMAKE_OPTIONS),
        "CMAKE_GENERATOR": "Unix Makefiles",  # which says how far it is
        "PIP_CONFIG_FILE": os.devnull,
        "TMPDIR": order.work,
    }
    command = [sys.executable, "-m", "pip", "install", "--verbose", "--isolated", "--disable-pip-version-check"]
    command += ["--no-index", "--find-links", order.files, "--no-cache-dir", "--no-deps", "--no-compile"]
    command += ["--target", order.target, str(folder)]
    lines: deque[bytes] = deque(maxlen=20)
    done = 0
    with (
        Path(order.log).open("wb") as log,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as pip,
    ):
        assert pip.stdout is not None
        for line in pip.stdout:
            log.write(line)
            lines.append(line.strip())
            if _OBJECT.match(line) is not None:
                done += 1
                report(min(done, OBJECT_FILES) * COMPILE_PERCENT // OBJECT_FILES)
    if pip.returncode != 0:
        raise TaskFailed(_fault(lines) or "it does not say why")


def unpack_sources(sources: Path, into: Path) -> Path:
    """The one folder that the archive holds. Raises OSError and TarError."""
    with tarfile.open(sources) as archive:
        archive.extractall(into, filter="data")
    return into / sources.name.removesuffix(".tar.gz")


def _fault(lines: Sequence[bytes]) -> str:
    """The line that says most of what went wrong."""
    texts = [line.decode(errors="replace") for line in lines if line]
    told = [text for text in texts if "error" in text.lower() and "subprocess" not in text.lower()]
    return (told or texts or [""])[0][:300]


if __name__ == "__main__":
    main()
