"""The parent's side of a pipeline process: start, generate, stop within a step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import eclair
from eclair.errors import EngineBroken, EngineMissing, EngineUnavailable, InvalidInput, ModelMissing, SetupError
from eclair.images.backends.diffusers.pipeline_protocol import (
    REPORT_CODEC,
    REQUEST_CODEC,
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
    with_job_number,
)
from eclair.llm.local.subprocess import OPENMP_ENVIRONMENT
from eclair.util.child_environment import child_environment
from eclair.util.child_process import ChildProcess
from eclair.util.frames import FrameError

HEARTBEAT_TIMEOUT_S = 120.0
"""A process without a heartbeat for that long is taken for dead; it sends one every five seconds."""

STOP_TIMEOUT_S = 30.0
"""If a job doesn't stop in that time, the process is ended."""

BOOTSTRAP = """
import sys, types
package = types.ModuleType("eclair")
package.__path__ = [sys.argv[1]]
sys.modules["eclair"] = package
__import__(sys.argv[2], fromlist=["main"]).main()
"""
"""Lets the other interpreter find Éclair's modules, but nothing else of the environment that they are in."""

PIPELINE_PROCESS_MODULE = "eclair.images.backends.diffusers.pipeline_process"

PROCESS_ENVIRONMENT = {
    **OPENMP_ENVIRONMENT,
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "DIFFUSERS_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
    "TQDM_DISABLE": "1",
    "PYTORCH_ENABLE_MPS_FALLBACK": "1",
}


class PipelineClient:
    """A process that has one model loaded."""

    def __init__(self, process: ChildProcess[PipelineRequest, PipelineReport], name: str) -> None:
        self.name = name
        self.loaded: PipelineLoaded | None = None
        self._process = process
        self.steps_when_stopped: int | None = None  # of the last stopped job
        self._jobs = 0

    @classmethod
    async def start(
        cls, python: Path, request: LoadPipelineRequest, log: Path, module: str = PIPELINE_PROCESS_MODULE
    ) -> PipelineClient:
        """Start a process that runs `module`, and wait until it has loaded the model.

        Raises SetupError, ModelMissing and UpstreamError.
        """
        try:
            begun = await ChildProcess[PipelineRequest, PipelineReport].start(
                (python, "-I", "-c", BOOTSTRAP, str(Path(eclair.__file__).parent), module),
                REQUEST_CODEC,
                REPORT_CODEC,
                env=child_environment(**PROCESS_ENVIRONMENT),
                log_file=log,
            )
        except OSError as error:
            raise SetupError(f"{python} cannot be started: {error.strerror}; check `diffusers_python`.") from error
        client = cls(begun, request.name)
        try:
            await client._send(request)
            match await client._next():
                case PipelineLoaded() as loaded:
                    client.loaded = loaded
                case FailureReport() as failed:
                    raise client._error(failed)
                case other:
                    raise EngineBroken(f"The process of {request.name} began with {type(other).__name__}.")
        except BaseException:
            await client.close()
            raise
        return client

    @property
    def pid(self) -> int | None:
        """The process id; None once it has ended."""
        return self._process.pid

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[StepReport | ImageReport, None]:
        """Yield each step, then the image. Closing the stream stops the work. `request.job` is set here.

        One at a time. Raises UserError, SetupError and UpstreamError.
        """
        self._jobs += 1
        job = self._jobs
        await self._send(with_job_number(request, job))
        ended = False
        try:
            while not ended:
                match await self._next():
                    case StepReport(job=number) as step if number == job:
                        yield step
                    case ImageReport(job=number, blobs=(_,)) as made if number == job:
                        ended = True
                        yield made
                    case FailureReport(job=number) as failed if number == job:
                        ended = True
                        raise self._error(failed)
                    case other:
                        raise EngineBroken(f"The process of {self.name} sent {type(other).__name__} out of turn.")
        finally:
            if not ended:
                await asyncio.shield(asyncio.create_task(self._stop(job)))

    async def close(self) -> None:
        """End the process."""
        await self._process.stop()

    async def _stop(self, job: int) -> None:
        """Stop the job; a process that doesn't, or can't, is ended."""
        if self.loaded is None or not self.loaded.can_stop:
            await self.close()
            return
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._send(StopRequest(job))
                while True:
                    match await self._next():
                        case StoppedReport(job=number, steps=steps) if number == job:
                            self.steps_when_stopped = steps
                            return
                        case ImageReport(job=number) | FailureReport(job=number) if number == job:
                            return
                        case _:
                            continue
        except (TimeoutError, EngineUnavailable, EngineBroken):
            await self.close()

    async def _send(self, request: PipelineRequest) -> None:
        try:
            await self._process.send(request)
        except ConnectionError:
            raise await self._died() from None

    async def _next(self) -> PipelineReport:
        """Return what the process says next. Raises UpstreamError."""
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_TIMEOUT_S):
                    report = await self._process.receive()
            except TimeoutError:
                await self.close()
                raise EngineUnavailable(
                    f"The process of {self.name} was silent for {HEARTBEAT_TIMEOUT_S:g} seconds and was ended; "
                    "try again."
                ) from None
            except EOFError:
                raise await self._died() from None
            except FrameError as error:
                await self.close()
                raise EngineBroken(f"The process of {self.name} sent garbage ({error}); try again.") from error
            if not isinstance(report, Heartbeat):
                return report

    async def _died(self) -> EngineUnavailable:
        await self.close()
        status, lines = self._process.exit_status, self._process.log_tail.lines
        memory = " Most likely the machine ran out of memory: try a smaller size or model." if status == -9 else ""
        how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
        words = f": {lines[-1][:200]}" if lines and not memory else ""
        return EngineUnavailable(
            f"The process of {self.name} ended {how}{words}; the next request starts it again.{memory}"
        )

    def _error(self, failed: FailureReport) -> Exception:
        match failed.kind:
            case "memory" if failed.job == 0:
                return SetupError(
                    f"{self.name} does not fit into memory: {failed.message}; end other programs, or choose a smaller "
                    "model (docs/flux.md)."
                )
            case "memory":
                return SetupError(f"{self.name} ran out of memory: {failed.message}; choose a smaller size.")
            case "damaged":
                return ModelMissing(
                    f"{self.name} cannot be loaded: {failed.message}; remove it with `eclair pull --remove`, then pull "
                    "it again."
                )
            case "missing":
                return EngineMissing(
                    f"{self.name} cannot be loaded with the PyTorch and diffusers that are installed "
                    f"({failed.message}); update them (docs/flux.md)."
                )
            case "input":
                return InvalidInput(f"{self.name} can't do that: {failed.message}.")
            case "broken":
                return EngineBroken(f"{self.name} failed: {failed.message.rstrip('.')}.")
