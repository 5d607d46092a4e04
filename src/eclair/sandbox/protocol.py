"""The protocol of sandboxes: one request to a process, any number of results back, then `Done` or `Failed`.

Both sides import the protocol of a sandbox; only the process imports the module that does the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from eclair.util.frames import MAX_FRAME_BYTES, Codec

Request = TypeVar("Request")
Result = TypeVar("Result")

RejectionKind = Literal["unreadable", "too_large", "missing"]
SandboxFault = Literal["timeout", "memory", "crash", "death"]
"""It took too long, or too much memory; the code raised; the process is gone."""


class Rejected(Exception):
    """The input cannot be processed. A handler raises it in the sandbox; it reaches whoever sent the request.

    The message is for people; its form is a matter between the two.
    """

    def __init__(self, message: str, kind: RejectionKind = "unreadable") -> None:
        super().__init__(message)
        self.message = message
        self.kind: RejectionKind = kind


class SandboxError(Exception):
    """A sandbox gave no answer, most likely because of what it was given."""

    def __init__(self, fault: SandboxFault) -> None:
        super().__init__(fault)
        self.fault: SandboxFault = fault


@dataclass(frozen=True, slots=True)
class Done:
    """The request has been answered in full."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The request ended with a fault; `message` is that of a rejection."""

    fault: RejectionKind | Literal["memory", "crash"]
    message: str = ""

    def error(self) -> Rejected | SandboxError:
        if self.fault == "memory" or self.fault == "crash":
            return SandboxError(self.fault)
        return Rejected(self.message, self.fault)


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """What a process may take. Memory is address space, which is what a system can bound; `file_bytes` is the size of
    a file that it writes. With `renewed`, the seconds of the processor count anew after each result."""

    memory_bytes: int
    cpu_s: float
    file_bytes: int = 0
    renewed: bool = False


class SandboxProtocol(Generic[Request, Result]):
    """`module` has a function `main` that calls `worker.serve`."""

    def __init__(
        self,
        module: str,
        requests: Codec[Request],
        results: tuple[type[Result], ...],
        max_result_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self.module = module
        self.requests = requests
        self.results = Codec[Result | Done | Failed](*results, Done, Failed, max_frame_bytes=max_result_bytes)
        self._kinds = results

    def served_by(self, module: str) -> SandboxProtocol[Request, Result]:
        """Return the same protocol, spoken by another module."""
        return SandboxProtocol(module, self.requests, self._kinds, self.results.max_frame_bytes)
