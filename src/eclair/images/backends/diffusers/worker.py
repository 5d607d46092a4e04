"""The drawing process as its parent holds it: started, asked for a picture at a time, stopped within a step, ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import eclair
from eclair.errors import EngineBroken, EngineMissing, EngineUnavailable, InvalidInput, ModelMissing, SetupError
from eclair.images.backends.diffusers import wire
from eclair.images.backends.diffusers.wire import Alive, Draw, Failed, Load, Loaded, Made, Step, Stop, Stopped
from eclair.llm.local.subprocess import OPENMP_ENVIRONMENT
from eclair.util.child_process import ChildProcess
from eclair.util.frames import FrameError

SILENCE = 120.0
"""Seconds without a sign of life after which a process is taken for dead; it gives one every five."""

PATIENCE = 30.0
"""Seconds within which a job that is to stop has to, or the process is ended."""

START = """
import sys, types
package = types.ModuleType("eclair")
package.__path__ = [sys.argv[1]]
sys.modules["eclair"] = package
__import__(sys.argv[2], fromlist=["main"]).main()
"""
"""Makes the other interpreter find Éclair's modules, and nothing else of the environment that they are in."""

PROCESS = "eclair.images.backends.diffusers.process"

ENVIRONMENT = {
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

_SECRET = ("HF_", "ECLAIR_", "HUGGING_FACE_", "OPENAI_", "PIP_", "UV_")
"""How variables begin that are not the process's affair."""


class Worker:
    """The process that has one model loaded."""

    def __init__(self, process: ChildProcess[wire.Order, wire.Report], name: str) -> None:
        self.name = name
        self.loaded: Loaded | None = None
        self._process = process
        self.done_when_stopped: int | None = None
        """How many steps the last job had done that was stopped before its end."""
        self._jobs = 0

    @classmethod
    async def started(cls, python: Path, order: Load, log: Path, process: str = PROCESS) -> Worker:
        """A process that has loaded the model; `process` is the module that it runs.

        Raises SetupError, ModelMissing and UpstreamError.
        """
        try:
            begun = await ChildProcess[wire.Order, wire.Report].start(
                (python, "-I", "-c", START, str(Path(eclair.__file__).parent), process),
                wire.ORDERS,
                wire.REPORTS,
                env={name: value for name, value in os.environ.items() if not name.startswith(_SECRET)} | ENVIRONMENT,
                log_file=log,
            )
        except OSError as error:
            raise SetupError(f"{python} cannot be started: {error.strerror}; check `diffusers_python`.") from error
        worker = cls(begun, order.name)
        try:
            await worker._send(order)
            match await worker._next():
                case Loaded() as loaded:
                    worker.loaded = loaded
                case Failed() as failed:
                    raise worker._error(failed)
                case other:
                    raise EngineBroken(f"What draws with {order.name} began with {type(other).__name__}.")
        except BaseException:
            await worker.close()
            raise
        return worker

    @property
    def pid(self) -> int | None:
        """None once it has ended."""
        return self._process.pid

    async def draw(self, order: Draw) -> AsyncGenerator[Step | Made, None]:
        """Each step, then the picture; closing what comes back stops the work. `order.job` is set here.

        One at a time. Raises UserError, SetupError and UpstreamError.
        """
        self._jobs += 1
        job = self._jobs
        await self._send(wire.with_job(order, job))
        ended = False
        try:
            while not ended:
                match await self._next():
                    case Step(job=number) as step if number == job:
                        yield step
                    case Made(job=number, blobs=(_,)) as made if number == job:
                        ended = True
                        yield made
                    case Failed(job=number) as failed if number == job:
                        ended = True
                        raise self._error(failed)
                    case other:
                        raise EngineBroken(f"What draws with {self.name} said {type(other).__name__} out of turn.")
        finally:
            if not ended:
                await asyncio.shield(asyncio.create_task(self._stop(job)))

    async def close(self) -> None:
        """End the process."""
        await self._process.stop()

    async def _stop(self, job: int) -> None:
        """Have the job stopped; a process that does not, or cannot, is ended."""
        if self.loaded is None or not self.loaded.stops:
            await self.close()
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self._send(Stop(job))
                while True:
                    match await self._next():
                        case Stopped(job=number, steps=steps) if number == job:
                            self.done_when_stopped = steps
                            return
                        case Made(job=number) | Failed(job=number) if number == job:
                            return
                        case _:
                            continue
        except (TimeoutError, EngineUnavailable, EngineBroken):
            await self.close()

    async def _send(self, order: wire.Order) -> None:
        try:
            await self._process.send(order)
        except ConnectionError:
            raise await self._died() from None

    async def _next(self) -> wire.Report:
        """Return what the process says next. Raises UpstreamError."""
        while True:
            try:
                async with asyncio.timeout(SILENCE):
                    report = await self._process.receive()
            except TimeoutError:
                await self.close()
                raise EngineUnavailable(
                    f"What draws with {self.name} gave no sign of life for {SILENCE:g} seconds and was ended; try "
                    "again."
                ) from None
            except EOFError:
                raise await self._died() from None
            except FrameError as error:
                await self.close()
                raise EngineBroken(f"What draws with {self.name} cannot be understood ({error}); try again.") from error
            if not isinstance(report, Alive):
                return report

    async def _died(self) -> EngineUnavailable:
        await self.close()
        status, lines = self._process.exit_status, self._process.log_lines
        memory = " Most likely the machine ran out of memory: try a smaller size or model." if status == -9 else ""
        how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
        words = f": {lines[-1][:200]}" if lines and not memory else ""
        return EngineUnavailable(
            f"What draws with {self.name} ended {how}{words}; it starts anew when it is asked.{memory}"
        )

    def _error(self, failed: Failed) -> Exception:
        match failed.trouble:
            case "memory" if failed.job == 0:
                return SetupError(
                    f"{self.name} does not fit into memory: {failed.message}; end other programs, or choose a smaller "
                    "model (docs/flux.md)."
                )
            case "memory":
                return SetupError(f"{self.name} ran out of memory: {failed.message}; choose a smaller size.")
            case "damaged":
                return ModelMissing(
                    f"{self.name} cannot be loaded: {failed.message}; remove it with `eclair pull --remove`, and pull "
                    "it again."
                )
            case "missing":
                return EngineMissing(
                    f"{self.name} cannot be loaded with the PyTorch and diffusers that are installed "
                    f"({failed.message}); renew them (docs/flux.md)."
                )
            case "input":
                return InvalidInput(f"{self.name} cannot draw that: {failed.message}.")
            case "broken":
                return EngineBroken(f"{self.name} failed: {failed.message.rstrip('.')}.")
