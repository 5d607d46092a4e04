"""One long task in its own process, with progress and cancellation."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from eclair.util.child_process import ChildProcess, python_module
from eclair.util.frames import Codec, FrameError
from eclair.util.parent_connection import ParentConnection

TaskT = TypeVar("TaskT")

Report = Callable[[int], object]


class TaskFailed(Exception):
    """The task failed; the text says why, as far as is known."""


@dataclass(frozen=True, slots=True)
class Progress:
    done: int


@dataclass(frozen=True, slots=True)
class Success:
    pass


@dataclass(frozen=True, slots=True)
class Failure:
    message: str


RESULTS = Codec[Progress | Success | Failure](Progress, Success, Failure)


async def run_task(module: str, task: TaskT, tasks: Codec[TaskT], report: Report) -> None:
    """Run a task in `module`, which calls `serve_task`; `report` is called with how much is done.

    Cancelling ends the process. Raises TaskFailed.
    """
    process = await ChildProcess[TaskT, Progress | Success | Failure].start(python_module(module), tasks, RESULTS)
    try:
        await process.send(task)
        while not isinstance(result := await process.receive(), Success):
            if isinstance(result, Failure):
                raise TaskFailed(result.message)
            report(result.done)
    except (EOFError, ConnectionError, FrameError) as error:
        await process.stop()
        raise TaskFailed(process.last_words()) from error
    finally:
        await process.stop()


def serve_task(
    tasks: Codec[TaskT], work: Callable[[TaskT, Report], None], end: Callable[[], object] = lambda: os._exit(0)
) -> None:
    """Do the parent's task; `work` raises TaskFailed. `end` ends the process once the parent is gone."""
    parent = ParentConnection(tasks, RESULTS)
    task = parent.read()
    if task is None:
        return
    parent.die_with_parent(end)
    try:
        work(task, lambda done: parent.send(Progress(done)))
    except TaskFailed as failure:
        parent.send(Failure(str(failure)))
    else:
        parent.send(Success())
