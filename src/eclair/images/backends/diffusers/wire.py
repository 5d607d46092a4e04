"""Messages between the drawing process and its parent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from eclair.util.frames import Codec

MAX_FRAME_BYTES = 256 << 20

Trouble = Literal["memory", "damaged", "missing", "input", "broken"]
"""Too little memory; weights that are not what they should be; a class that the libraries lack; a request that cannot
be drawn; anything else."""


@dataclass(frozen=True, slots=True)
class Load:
    """Load the model in the folder `path`. `device` is one of torch's, or `auto`; `memory` bounds the process, in
    bytes, where it is not 0. Of a model in parts `files` are their names by what they are for, as JSON."""

    path: str
    name: str
    device: str
    memory: int
    files: str = ""
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw one picture. `blobs` are the pictures that are edited, and behind them the mask if it is `masked`."""

    job: int
    prompt: str
    width: int
    height: int
    seed: int
    steps: int
    guidance: float
    negative: str
    strength: float | None
    masked: bool
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop that job, whether it has begun or not."""

    job: int
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Alive:
    """It works."""

    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model is there: on which device, computing with which numbers, and what is kept off the device meanwhile.
    `stops` says that a job can be stopped, rather than the process ended."""

    device: str
    numbers: str
    offload: str
    stops: bool
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """`done` of `of` steps; the first blob, if there is one, is the picture so far."""

    job: int
    done: int
    of: int
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """The picture is the first blob, as PNG."""

    job: int
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Stopped:
    """The job was stopped when it had done so many steps."""

    job: int
    steps: int
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A job failed, or where it is 0 loading did; `message` is for the middle of a sentence."""

    job: int
    trouble: Trouble
    message: str
    blobs: tuple[bytes, ...] = ()


Order = Load | Draw | Stop
Report = Alive | Loaded | Step | Made | Stopped | Failed

ORDERS = Codec[Order](Load, Draw, Stop, max_frame_bytes=MAX_FRAME_BYTES)
REPORTS = Codec[Report](Alive, Loaded, Step, Made, Stopped, Failed, max_frame_bytes=MAX_FRAME_BYTES)


def with_job(order: Draw, job: int) -> Draw:
    """The order under that number."""
    return replace(order, job=job)
