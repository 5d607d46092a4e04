"""The drawing process as its parent holds it: started, asked for a picture at a time, stopped within a step, ended."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator
from pathlib import Path

import eclair
from eclair.errors import EngineBroken, EngineMissing, EngineUnavailable, InvalidInput, ModelMissing, SetupError
from eclair.images.backends.diffusers import wire
from eclair.images.backends.diffusers.wire import Alive, Draw, Failed, Load, Loaded, Made, Step, Stop, Stopped
from eclair.llm.local.subprocess import WAITING, RollingLog, end

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
    **WAITING,
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

    def __init__(self, process: asyncio.subprocess.Process, name: str, log: RollingLog) -> None:
        self.name = name
        self.loaded: Loaded | None = None
        self._process = process
        self._lines: deque[str] = deque(maxlen=20)
        self._said = asyncio.Queue[wire.Message | str | None]()
        self._pumps = (
            asyncio.create_task(self._keep_log(log), name=f"log of what draws with {name}"),
            asyncio.create_task(self._listen(), name=f"words of what draws with {name}"),
        )
        self.done_when_stopped: int | None = None
        """How many steps the last job had done that was stopped before its end."""
        self._jobs = 0
        self._ending: asyncio.Task[None] | None = None

    @classmethod
    async def started(cls, python: Path, order: Load, log: Path, process: str = PROCESS) -> Worker:
        """A process that has loaded the model; `process` is the module that it runs.

        Raises SetupError, ModelMissing and UpstreamError.
        """
        try:
            begun = await asyncio.create_subprocess_exec(
                python,
                "-I",
                "-c",
                START,
                str(Path(eclair.__file__).parent),
                process,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={name: value for name, value in os.environ.items() if not name.startswith(_SECRET)} | ENVIRONMENT,
            )
        except OSError as error:
            raise SetupError(f"{python} cannot be started: {error.strerror}; check `diffusers_python`.") from error
        worker = cls(begun, order.name, RollingLog(log))
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
        return self._process.pid if self._process.returncode is None else None

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
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)

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
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(wire.encode(order))
            await self._process.stdin.drain()
        except ConnectionError:
            raise await self._died() from None

    async def _next(self) -> wire.Report:
        """What the process says next. Raises UpstreamError."""
        while True:
            try:
                async with asyncio.timeout(SILENCE):
                    said = await self._said.get()
            except TimeoutError:
                await self.close()
                raise EngineUnavailable(
                    f"What draws with {self.name} gave no sign of life for {SILENCE:g} seconds and was ended; try "
                    "again."
                ) from None
            match said:
                case None:
                    self._said.put_nowait(None)  # nothing else will come
                    raise await self._died()
                case str() | wire.Load() | wire.Draw() | wire.Stop():
                    await self.close()
                    raise EngineBroken(f"What draws with {self.name} cannot be understood ({said}); try again.")
                case Alive():
                    continue
                case report:
                    return report

    async def _listen(self) -> None:
        """Keep what the process says; at the end None, or what is wrong with what it says."""
        assert self._process.stdout is not None
        read = self._process.stdout.readexactly
        try:
            while True:
                head, body = wire.lengths(await read(wire.LENGTHS.size))
                self._said.put_nowait(wire.decode(await read(head), await read(body)))
        except ValueError as error:
            self._said.put_nowait(str(error))
        except (asyncio.IncompleteReadError, ConnectionError):
            self._said.put_nowait(None)

    async def _died(self) -> EngineUnavailable:
        await self.close()
        status = self._process.returncode
        memory = " Most likely the machine ran out of memory: try a smaller size or model." if status == -9 else ""
        how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
        words = f": {self._lines[-1][:200]}" if self._lines and not memory else ""
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

    async def _end(self) -> None:
        await end(self._process)
        await asyncio.gather(*self._pumps)

    async def _keep_log(self, log: RollingLog) -> None:
        assert self._process.stderr is not None
        try:
            while chunk := await self._process.stderr.read(65536):
                log.write(chunk)
                lines = chunk.decode(errors="replace").splitlines()
                self._lines += [line.strip() for line in lines if line.strip()]
        finally:
            log.close()
