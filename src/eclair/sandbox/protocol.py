"""The sandbox protocol: request, results, then `RequestDone` or `RequestFailed`.

Both sides import the protocol; only the sandboxed process imports the module that does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from eclair.util.frames import MAX_FRAME_BYTES, Codec

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")

RejectionKind = Literal["unreadable", "too_large", "missing"]
SandboxFault = Literal["timeout", "memory", "crash", "death"]
"""Out of time, out of memory, an exception, or a dead process."""


class Rejected(Exception):
    """The input can't be processed. Raised by a handler in the sandbox, and again for the caller.

    The message is for people; handler and caller agree on its form.
    """

    def __init__(self, message: str, kind: RejectionKind = "unreadable") -> None:
        super().__init__(message)
        self.message = message
        self.kind: RejectionKind = kind


class SandboxError(Exception):
    """The sandbox gave no answer, most likely because of its input."""

    def __init__(self, fault: SandboxFault) -> None:
        super().__init__(fault)
        self.fault: SandboxFault = fault


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Give up the request that is being handled; it then counts as done."""


@dataclass(frozen=True, slots=True)
class RequestDone:
    """The request has been answered in full."""


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """The request failed; `message` is that of a rejection."""

    fault: RejectionKind | Literal["memory", "crash"]
    message: str = ""

    def error(self) -> Rejected | SandboxError:
        if self.fault == "memory" or self.fault == "crash":
            return SandboxError(self.fault)
        return Rejected(self.message, self.fault)


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """Limits of a process. Memory is address space; `file_bytes` bounds files that it writes.

    With `renewed`, CPU seconds count again after each result.
    """

    memory_bytes: int
    cpu_s: float
    file_bytes: int = 0
    renewed: bool = False


class SandboxProtocol(Generic[RequestT, ResultT]):
    """Messages of a sandbox; its `module` has a function `main` that calls `worker.serve`.

    `input_paths` names the files that a request reads, which the sandbox opens with `descriptors.open_input`. With
    `stoppable` it calls `worker.serve_stoppable`, and a process lives on when nobody wants its results any more.
    """

    def __init__(
        self,
        module: str,
        requests: Codec[RequestT],
        results: tuple[type[ResultT], ...],
        max_result_bytes: int = MAX_FRAME_BYTES,
        input_paths: Callable[[RequestT], Sequence[str]] = lambda _: (),
        *,
        stoppable: bool = False,
    ) -> None:
        self.module = module
        self.input_paths = input_paths
        self.stoppable = stoppable
        self.requests = requests.including(GiveUp)
        self.results = Codec[ResultT | RequestDone | RequestFailed](
            *results, RequestDone, RequestFailed, max_frame_bytes=max_result_bytes
        )
        self._requests = requests
        self._kinds = results

    def served_by(self, module: str) -> SandboxProtocol[RequestT, ResultT]:
        """Return the same protocol with another module."""
        return SandboxProtocol(
            module,
            self._requests,
            self._kinds,
            self.results.max_frame_bytes,
            self.input_paths,
            stoppable=self.stoppable,
        )
