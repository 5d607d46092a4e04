"""Compiles the data tools for this processor, once, in a process of the lowest priority."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclair.python.python_protocol import WASI_PACKAGE
from eclair.sandbox import walls
from eclair.util.frames import Codec
from eclair.util.task_process import Report, TaskFailed, serve_task

COMPILE_SECONDS = 90
"""About the processor time that it takes, for its progress."""
NICE = 19
REPORT_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class CompileJob:
    """Compile what is unpacked in `folder`."""

    folder: str


JOB_CODEC = Codec(CompileJob)


def main() -> None:
    os.nice(NICE)
    walls.leave_network()
    serve_task(JOB_CODEC, _run_job)


def _run_job(job: CompileJob, report: Report) -> None:
    """Carry out a job. Raises TaskFailed."""
    folder = Path(job.folder)
    scratch = folder / "scratch"
    scratch.mkdir()
    os.environ["TMPDIR"] = str(scratch)
    walls.enclose_reader([folder], [folder], allowed=("chmod", "fchmod", "fchmodat"))
    sys.path.insert(0, str(folder))
    threading.Thread(target=_report_time, args=(report,), daemon=True).start()
    package: Any = importlib.import_module(WASI_PACKAGE)
    done = package.run(["-c", "print('ready')"], cache_dir=str(folder / "compiled"), deadline_s=None)
    if done.stdout != b"ready\n" or not any((folder / "compiled").iterdir()):
        raise TaskFailed(done.trapped or done.stderr.decode(errors="replace").strip()[-300:] or "it says nothing")


def _report_time(report: Report) -> None:
    while True:
        report(int(time.process_time()))
        time.sleep(REPORT_INTERVAL_S)


if __name__ == "__main__":
    main()
