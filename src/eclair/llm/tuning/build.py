"""Compiles the embedded engine for this CPU, from its package's sources.

They gain Éclair's kernels (`native/`), for CPUs that llama.cpp's own serve less well. The build runs in a process of
its own, which takes a `BuildJob`, reports progress in percent, and ends with all its children when its parent does.
The result is renamed when it is complete. The build itself has no network: its files are fetched before, through the
gate.
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
from eclair.util.child_environment import COMPILER_PREFIXES, child_environment
from eclair.util.frames import Codec
from eclair.util.humanize import format_size
from eclair.util.task_process import Report, TaskFailed, run_task, serve_task

SOURCES = PackageFile(
    package="xllamacpp",
    file="xllamacpp-2026.10.11549.tar.gz",
    size=37722765,
    sha256="c17ee1163006f70726abb9f72137830818f3d8cb60bfc34cb232d08428eaa22b",
)
"""Sources of the version in requirements.lock; llama.cpp's are included."""

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
"""The sources and their build dependencies; compiler, cmake and make are the system's."""

CMAKE_OPTIONS = ("-DLLAMA_LLGUIDANCE=OFF", "-DLLAMA_BUILD_BORINGSSL=OFF", "-DLLAMA_OPENSSL=OFF", "-DLLAMA_BUILD_UI=OFF")
"""Turns off what the build would download.

llama.cpp's own grammars enforce JSON schemas, and its server needs no TLS on loopback."""

MIN_FREE_BYTES = 2 << 30
"""Disk space needed during the build."""

OBJECT_FILES = 197
"""Object files of a build, for its progress."""

COMPILE_PERCENT = 90
"""Progress once all are compiled; the Python binding follows."""

NICE = 10
LOG_FILE = "build.log"

_OBJECT = re.compile(rb"^\s*\[\s*\d{1,3}%\] Building C")


@dataclass(frozen=True, slots=True)
class BuildJob:
    """Install `sources`, with our kernels, into `target`.

    The folder `files` has the build dependencies, and `work` is for temporary files.
    """

    sources: str
    files: str
    target: str
    work: str
    log: str


JOB_CODEC = Codec(BuildJob)


async def build_engine(
    data_dir: Path,
    report: Callable[[str, int, int], object],
    *,
    files: Sequence[PackageFile] = BUILD_FILES,
    index: PackageIndex | None = None,
    gate: OutboundGate = CLOSED_GATE,
) -> Path:
    """Compile the engine for this CPU unless it exists; return its folder.

    `report` gets the step, and what is done of what total. The caller must hold `profile.tuning_lock`. Cancelled or
    killed, it leaves nothing that counts. Raises EngineMissing if a tool is missing or the build fails, and
    ModelMissing if a file can't be fetched or the disk is full.
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
        await _fetch_files(files, work, index, gate, report)
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


async def _fetch_files(
    files: Sequence[PackageFile],
    work: Path,
    index: PackageIndex | None,
    gate: OutboundGate,
    report: Callable[[str, int, int], object],
) -> None:
    """Fetch the files. Raises ModelMissing and OSError."""
    index = index or await pip_index.read_pip_index()
    total, before = sum(file.size for file in files), 0

    def report_progress(progress: DownloadProgress) -> None:
        report("Fetching the engine's sources", before + progress.done, total)

    downloads = index.downloads(gate)
    try:
        for file in files:
            await wheels.fetch_package_file(file, work, index, downloads, report=report_progress)
            before += file.size
    finally:
        await downloads.close()


async def _compile(sources: PackageFile, work: Path, log: Path, report: Callable[[str, int, int], object]) -> None:
    """Run the build process. Raises EngineMissing."""
    what = "Compiling the engine"
    report(what, 0, 100)
    job = BuildJob(str(work / sources.file), str(work), str(work / "made"), str(work / "tmp"), str(log))
    try:
        await run_task("eclair.llm.tuning.build", job, JOB_CODEC, lambda done: report(what, done, 100))
    except TaskFailed as failure:
        raise EngineMissing(
            f"The engine could not be compiled ({failure}); {log} has all of it. It runs as it came."
        ) from failure


def main() -> None:
    os.setpgid(0, 0)
    serve_task(JOB_CODEC, _run_job, lambda: os.killpg(0, signal.SIGKILL))  # the compilers too


def _run_job(job: BuildJob, report: Report) -> None:
    """Carry out a job. Raises TaskFailed."""
    os.nice(NICE)
    work = Path(job.work)
    work.mkdir()
    Path(job.log).parent.mkdir(parents=True, exist_ok=True)
    try:
        folder = unpack_sources(Path(job.sources), work)
        patches.apply_patches(folder)
    except (OSError, tarfile.TarError, EngineMissing) as error:
        Path(job.log).write_text(f"{error}\n", encoding="utf-8")
        raise TaskFailed(str(error)) from error
    environment = child_environment(
        *COMPILER_PREFIXES,
        CMAKE_ARGS=" ".join(CMAKE_OPTIONS),
        CMAKE_GENERATOR="Unix Makefiles",  # which says how far it is
        PIP_CONFIG_FILE=os.devnull,
        TMPDIR=job.work,
    )
    command = [sys.executable, "-m", "pip", "install", "--verbose", "--isolated", "--disable-pip-version-check"]
    command += ["--no-index", "--find-links", job.files, "--no-cache-dir", "--no-deps", "--no-compile"]
    command += ["--target", job.target, str(folder)]
    lines: deque[bytes] = deque(maxlen=20)
    done = 0
    with (
        Path(job.log).open("wb") as log,
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
        raise TaskFailed(_error_line(lines) or "it does not say why")


def unpack_sources(sources: Path, into: Path) -> Path:
    """Unpack the archive; return its folder. Raises OSError and TarError."""
    with tarfile.open(sources) as archive:
        archive.extractall(into, filter="data")
    return into / sources.name.removesuffix(".tar.gz")


def _error_line(lines: Sequence[bytes]) -> str:
    """Return the most telling line of the log."""
    texts = [line.decode(errors="replace") for line in lines if line]
    errors = [text for text in texts if "error" in text.lower() and "subprocess" not in text.lower()]
    return (errors or texts or [""])[0][:300]


if __name__ == "__main__":
    main()
