"""Writes a model in another layout, tensor by tensor, in its own process.

The file has a temporary name until it is complete and on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from eclair.errors import EclairError, ModelMissing
from eclair.models.gguf import tensors
from eclair.models.gguf.ggml import Ggml
from eclair.models.gguf.layouts import LAYOUTS, apply_layout
from eclair.models.gguf.tensors import Tensor, pad_size
from eclair.util.frames import Codec
from eclair.util.humanize import format_size
from eclair.util.task_process import Report, TaskFailed, run_task, serve_task

PARTIAL_SUFFIX = ".part"
BLOCK_NUMBERS = 1 << 22
"""Numbers converted at a time; as floats they take 16 MB."""

MIN_FREE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class QuantizeJob:
    source: str
    target: str
    layout: str
    nice: int = 0


JOB_CODEC = Codec(QuantizeJob)


async def requantize(
    source: Path, target: Path, layout: str, report: Callable[[int, int], object], *, nice: int = 0
) -> None:
    """Write `target`, which is `source` in that layout; `report` gets bytes done and total.

    The source stays as it is. Cancelled or killed, it leaves no `target`. Raises ModelMissing if the source can't be
    read or the disk is full.
    """
    total = await asyncio.to_thread(_check_room, source, target, layout)
    job = QuantizeJob(str(source), str(target), layout, nice)
    try:
        await run_task("eclair.models.gguf.quantize", job, JOB_CODEC, lambda done: report(done, total))
    except TaskFailed as failure:
        raise ModelMissing(str(failure)) from failure
    finally:
        with contextlib.suppress(FileNotFoundError):
            _part(target).unlink()


def _part(target: Path) -> Path:
    return target.with_name(target.name + PARTIAL_SUFFIX)


def _check_room(source: Path, target: Path, layout: str) -> int:
    """Return the size of the new weights. Raises ModelMissing if the disk is too full."""
    total = sum(tensor.size for tensor in apply_layout(tensors.read_tensors(source), LAYOUTS[layout]))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
    except OSError as error:
        raise ModelMissing(f"{target.parent} cannot be used: {error.strerror}.") from error
    if free < total + MIN_FREE_BYTES:
        raise ModelMissing(
            f"{target.parent} has {format_size(free)} free and {source.name} needs {format_size(total)} more in "
            "another layout; make room, or go on with it as it came."
        )
    return total


def main() -> None:
    serve_task(JOB_CODEC, _run_job)


def _run_job(job: QuantizeJob, report: Report) -> None:
    """Carry out a job. Raises TaskFailed."""
    if job.nice:
        os.nice(job.nice)
    try:
        write_layout(Path(job.source), Path(job.target), job.layout, report)
    except EclairError as error:
        raise TaskFailed(error.message) from error
    except OSError as error:
        raise TaskFailed(f"{job.target} cannot be written: {error.strerror}; the model runs as it came.") from error


def write_layout(source: Path, target: Path, layout: str, report: Callable[[int], object]) -> None:
    """Write `target` synchronously. Raises OSError, ModelMissing and EngineMissing."""
    ggml = Ggml.open()
    contents = tensors.read_tensors(source)
    new_tensors = apply_layout(contents, LAYOUTS[layout])
    part = _part(target)
    part.unlink(missing_ok=True)
    with source.open("rb") as old, part.open("xb") as new:
        new.write(tensors.encode_head(contents, new_tensors, LAYOUTS[layout].file_type))
        done = 0
        for before, after in zip(contents.tensors, new_tensors, strict=True):
            _convert(ggml, old, new, before, after)
            new.write(bytes(pad_size(after.size, contents.alignment) - after.size))
            done += after.size
            report(done)
        new.flush()
        os.fsync(new.fileno())
    stat = source.stat()
    os.utime(part, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # by which it is known of which file it was made
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _convert(ggml: Ggml, old: BinaryIO, new: BinaryIO, before: Tensor, after: Tensor) -> None:
    old.seek(before.offset)
    width = before.shape[0]
    rows = before.count // width if width else 0
    step = max(1, BLOCK_NUMBERS // max(width, 1))
    for row in range(0, rows, step):
        data = old.read(before.type.byte_size(min(step, rows - row) * width))
        new.write(data if before.type == after.type else ggml.pack(after.type, ggml.unpack(before.type, data), width))


if __name__ == "__main__":
    main()
