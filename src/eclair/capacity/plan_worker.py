"""Plans in a process of its own, since a simulation would hold up everyone's answers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from eclair.capacity.calibration import load_measured
from eclair.capacity.capacity_facts import load_facts
from eclair.capacity.capacity_plan import CapacityPlan, make_plan
from eclair.capacity.plan_request import CapacityRequest
from eclair.models.catalog import load_entries
from eclair.util.child_process import ChildProcess, python_module
from eclair.util.frames import Codec, FrameError
from eclair.util.parent_connection import ParentConnection
from eclair.util.task_process import TaskFailed

NICE = 10


@dataclass(frozen=True, slots=True)
class PlanTask:
    """A checked request, with the path of the owner's catalog and the data folder."""

    request: CapacityRequest
    today: date
    catalog: str
    data_dir: str


TASKS = Codec(PlanTask)
PLANS = Codec(CapacityPlan)


async def plan_elsewhere(task: PlanTask) -> CapacityPlan:
    """Return the plan for a request. Cancelling ends the process. Raises TaskFailed."""
    process = await ChildProcess[PlanTask, CapacityPlan].start(python_module(__name__), TASKS, PLANS)
    try:
        await process.send(task)
        return await process.receive()
    except (EOFError, ConnectionError, FrameError) as error:
        await process.stop()
        raise TaskFailed(process.last_words()) from error
    finally:
        await process.stop()


def main() -> None:
    os.nice(NICE)
    parent = ParentConnection(TASKS, PLANS)
    task = parent.read()
    if task is None:
        return
    parent.die_with_parent()
    models = load_entries(Path(task.catalog))
    parent.send(make_plan(task.request, load_facts(), models, load_measured(Path(task.data_dir)), task.today))


if __name__ == "__main__":
    main()
