"""Messages between a pipeline process and its parent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from eclair.util.frames import Codec

MAX_FRAME_BYTES = 256 << 20

FailureKind = Literal["memory", "damaged", "missing", "input", "broken"]
"""Too little memory; bad weights; a class that the libraries lack; a request that can't be served; anything else."""


@dataclass(frozen=True, slots=True)
class LoadPipelineRequest:
    """Load the model in the folder `path`.

    `device` is one of torch's, or `auto`; `memory` bounds the process, in bytes, unless it is 0. `files_json` has the
    files of a model in parts, by role.
    """

    path: str
    name: str
    device: str
    memory: int
    files_json: str = ""
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """Generate one image. `blobs` are the images to edit, followed by the mask if there is one."""

    job: int
    prompt: str
    width: int
    height: int
    seed: int
    steps: int
    guidance: float
    negative: str
    strength: float | None
    has_mask: bool
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class StopRequest:
    """Stop a job, whether it has begun or not."""

    job: int
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sent every few seconds while the process works."""

    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineLoaded:
    """The model is loaded: on which device, with which dtype, and what is kept off the device.

    `can_stop` says that a job can be stopped; otherwise the process has to end.
    """

    device: str
    dtype: str
    offload: str
    can_stop: bool
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class StepReport:
    """`done` of `of` steps are done; the first blob, if any, is a preview."""

    job: int
    done: int
    of: int
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageReport:
    """The image is the first blob, as PNG."""

    job: int
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class StoppedReport:
    """The job was stopped after that many steps."""

    job: int
    steps: int
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class FailureReport:
    """A job failed, or loading did where `job` is 0; `message` is for the middle of a sentence."""

    job: int
    kind: FailureKind
    message: str
    blobs: tuple[bytes, ...] = ()


PipelineRequest = LoadPipelineRequest | GenerateRequest | StopRequest
PipelineReport = Heartbeat | PipelineLoaded | StepReport | ImageReport | StoppedReport | FailureReport

REQUEST_CODEC = Codec[PipelineRequest](
    LoadPipelineRequest, GenerateRequest, StopRequest, max_frame_bytes=MAX_FRAME_BYTES
)
REPORT_CODEC = Codec[PipelineReport](
    Heartbeat, PipelineLoaded, StepReport, ImageReport, StoppedReport, FailureReport, max_frame_bytes=MAX_FRAME_BYTES
)


def with_job_number(request: GenerateRequest, job: int) -> GenerateRequest:
    """Return the request with that job number."""
    return replace(request, job=job)
