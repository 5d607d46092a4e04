"""The pipeline process: one model, one image at a time, without a network.

It takes `PipelineRequest`s, the first of them a `LoadPipelineRequest`, and replies with `PipelineReport`s, among them a
heartbeat while it works. It ends when its standard input is closed.
"""

from __future__ import annotations

import contextlib
import os
import queue
import resource
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from eclair.images.backends.diffusers.diffusers_pipeline import (
    DiffusersPipeline,
    PipelineError,
    ReportImageStep,
    StopCheck,
)
from eclair.images.backends.diffusers.pipeline_protocol import (
    REPORT_CODEC,
    REQUEST_CODEC,
    FailureKind,
    FailureReport,
    GenerateRequest,
    Heartbeat,
    ImageReport,
    LoadPipelineRequest,
    PipelineLoaded,
    PipelineReport,
    PipelineRequest,
    StepReport,
    StoppedReport,
    StopRequest,
)
from eclair.sandbox import walls
from eclair.util.parent_connection import ParentConnection

PROCESS_NICENESS = 5
"""Lower priority than answering."""

HEARTBEAT_INTERVAL_S = 5.0

PACKAGE_FOLDER = Path(__file__).parents[3]
"""Éclair's own modules, which may lie outside this interpreter's packages."""


class ImagePipeline(Protocol):
    """A loaded pipeline."""

    @property
    def loaded(self) -> PipelineLoaded: ...

    def generate(self, request: GenerateRequest, report: ReportImageStep) -> bytes:
        """Return the image as PNG. Raises PipelineError, and what the check raises."""
        ...


LoadPipeline = Callable[[LoadPipelineRequest, StopCheck, Callable[[int], None]], ImagePipeline]
"""Loads a model as `DiffusersPipeline.load` does."""


class JobStopped(Exception):
    """Raised to stop the running job."""


class PipelineProcess:
    """Serves one parent with one pipeline."""

    def __init__(
        self,
        parent: ParentConnection[PipelineRequest, PipelineReport],
        load: LoadPipeline,
    ) -> None:
        self._load = load
        self._parent = parent
        self._requests = queue.Queue[GenerateRequest]()
        self._stopped = 0  # this job and those before it have ended or must stop
        self._job = 0
        self._done = 0
        self._busy = threading.Event()

    def run(self, request: LoadPipelineRequest) -> None:
        """Load a pipeline, and serve until standard input ends."""
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._send_heartbeats, daemon=True).start()
        self._busy.set()
        try:
            pipeline = self._load(request, self._check, _limit_memory)
        except PipelineError as error:
            self._fail(0, error.kind, error.message)
            threading.Event().wait()  # until the parent closes standard input
            return
        except Exception as error:
            self._fail(0, "broken", f"{type(error).__name__}: {error}", error)
            threading.Event().wait()
            return
        sys.addaudithook(_refuse_programs)
        self._parent.send(pipeline.loaded)
        while True:
            self._busy.clear()
            job = self._requests.get()
            self._busy.set()
            self._generate(pipeline, job)

    def _generate(self, pipeline: ImagePipeline, request: GenerateRequest) -> None:
        self._job, self._done = request.job, 0
        try:
            self._check()
            image = pipeline.generate(request, self._report)
        except JobStopped:
            self._parent.send(StoppedReport(request.job, self._done))
        except PipelineError as error:
            self._fail(request.job, error.kind, error.message)
        except Exception as error:
            self._fail(request.job, "broken", f"{type(error).__name__}: {error}", error)
        else:
            self._parent.send(ImageReport(request.job, (image,)))

    def _fail(self, job: int, kind: FailureKind, message: str, error: Exception | None = None) -> None:
        if error is not None:
            sys.excepthook(type(error), error, error.__traceback__)
            sys.stderr.flush()
        self._parent.send(FailureReport(job, kind, message[:300]))

    def _report(self, done: int, of: int, preview: bytes) -> None:
        self._done = done
        self._parent.send(StepReport(self._job, done, of, (preview,)))

    def _check(self) -> None:
        if 0 < self._job <= self._stopped:
            raise JobStopped

    def _listen(self) -> None:
        """Take requests while the main thread works. At the end of the input, end the process, whatever it does."""
        try:
            while (request := self._parent.read()) is not None:
                match request:
                    case StopRequest(job=job):
                        self._stopped = max(self._stopped, job)
                    case GenerateRequest():
                        self._requests.put(request)
                    case LoadPipelineRequest():
                        raise ValueError("a process loads one model")
        finally:
            os._exit(0)

    def _send_heartbeats(self) -> None:
        pause = threading.Event()
        while self._busy.wait():
            self._parent.send(Heartbeat())
            pause.wait(HEARTBEAT_INTERVAL_S)


def main(load: LoadPipeline = DiffusersPipeline.load) -> None:
    parent = ParentConnection(REQUEST_CODEC, REPORT_CODEC)
    os.nice(PROCESS_NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request = parent.read()
    if request is None:
        return
    assert isinstance(request, LoadPipelineRequest)
    walls.enclose_engine(
        [PACKAGE_FOLDER, *_model_files(Path(request.path))], [Path(tempfile.gettempdir())], starts_programs=True
    )
    sys.addaudithook(_refuse_network)
    PipelineProcess(parent, load).run(request)


def _model_files(folder: Path) -> set[Path]:
    """Return the folder and what its links point to, as a hub's cache is made of links."""
    return {folder.resolve(), *(path.resolve() for path in folder.rglob("*") if path.is_symlink())}


def _limit_memory(memory: int) -> None:
    """Limit the process's data memory, in bytes, unless it is 0."""
    if memory and hasattr(resource, "RLIMIT_DATA"):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        with contextlib.suppress(ValueError):  # macOS bounds no such thing
            resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _refuse_network(event: str, _: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"):
        raise PermissionError("images are generated without a network")


def _refuse_programs(event: str, _: tuple[object, ...]) -> None:
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.forkpty"):
        raise PermissionError("images are generated without other programs")
