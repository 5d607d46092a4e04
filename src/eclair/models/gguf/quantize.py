"""A model's file made anew in another layout, beside it: tensor by tensor, in a process of its own that may be killed.

The process reads one line of JSON (`Order`) from standard input, writes how many bytes of the weights are done, a
number a line, and ends when standard input does. What it writes has another name until it is whole and on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from eclair.errors import EclairError, ModelMissing
from eclair.models.gguf import tensors
from eclair.models.gguf.ggml import Ggml
from eclair.models.gguf.layouts import LAYOUTS, laid_out
from eclair.models.gguf.tensors import Tensor, padded
from eclair.util.humanize import size

PART = ".part"
AT_ONCE = 1 << 22
"""Numbers that are converted at a time; they take 16 MB as floats."""

MARGIN = 64 << 20
"""Bytes that are left free on the disk."""


@dataclass(frozen=True, slots=True)
class Order:
    source: str
    target: str
    layout: str
    nice: int = 0


async def requantise(
    source: Path, target: Path, layout: str, report: Callable[[int, int], object], *, nice: int = 0
) -> None:
    """Write `target`, which is `source` in that layout; `report` hears how many bytes of how many are done.

    The source stays as it is. Cancelled or killed, it leaves no `target`. Raises ModelMissing where the source cannot
    be read or the disk is full.
    """
    total = await asyncio.to_thread(_check_room, source, target, layout)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "eclair.models.gguf.quantize"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    last = b""
    try:
        process.stdin.write(json.dumps(asdict(Order(str(source), str(target), layout, nice))).encode() + b"\n")
        async for line in process.stdout:
            last = line.strip()
            if last.isdigit():
                report(int(last), total)
        if await process.wait() != 0:
            raise ModelMissing(last.decode(errors="replace") or f"{source.name} could not be made into {layout}.")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        process.stdin.close()
        with contextlib.suppress(FileNotFoundError):
            _part(target).unlink()


def _part(target: Path) -> Path:
    return target.with_name(target.name + PART)


def _check_room(source: Path, target: Path, layout: str) -> int:
    """How many bytes the weights will take. Raises ModelMissing where the disk has not so many."""
    total = sum(tensor.size for tensor in laid_out(tensors.read(source), LAYOUTS[layout]))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
    except OSError as error:
        raise ModelMissing(f"{target.parent} cannot be used: {error.strerror}.") from error
    if free < total + MARGIN:
        raise ModelMissing(
            f"{target.parent} has {size(free)} free and {source.name} needs {size(total)} more in another layout; "
            "make room, or go on with it as it came."
        )
    return total


def main() -> None:
    order = Order(**json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if order.nice:
        os.nice(order.nice)
    try:
        write(Path(order.source), Path(order.target), order.layout, lambda done: _say(str(done)))
    except EclairError as error:
        _say(error.message)
        sys.exit(1)
    except OSError as error:
        _say(f"{order.target} cannot be written: {error.strerror}; the model runs as it came.")
        sys.exit(1)


def write(source: Path, target: Path, layout: str, report: Callable[[int], object]) -> None:
    """Write `target`, which is `source` in that layout. Raises OSError, ModelMissing and EngineMissing."""
    ggml = Ggml.open()
    contents = tensors.read(source)
    wanted = laid_out(contents, LAYOUTS[layout])
    part = _part(target)
    part.unlink(missing_ok=True)
    with source.open("rb") as old, part.open("xb") as new:
        new.write(tensors.beginning(contents, wanted, LAYOUTS[layout].file_type))
        done = 0
        for before, after in zip(contents.tensors, wanted, strict=True):
            _convert(ggml, old, new, before, after)
            new.write(bytes(padded(after.size, contents.alignment) - after.size))
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
    step = max(1, AT_ONCE // max(width, 1))
    for row in range(0, rows, step):
        data = old.read(before.kind.size(min(step, rows - row) * width))
        new.write(data if before.kind == after.kind else ggml.pack(after.kind, ggml.unpack(before.kind, data), width))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _die_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
