"""Work that is finished although its caller is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from eclair.util.tasks import UncancelledTasks, finish


class Work:
    """Work that ends when it `may_end`, with an error if it has one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.may_end = asyncio.Event()
        self.is_done = False
        self._error = error

    async def do(self) -> str:
        await self.may_end.wait()
        self.is_done = True
        if self._error is not None:
            raise self._error
        return "done"


async def cancel_often(task: asyncio.Task[str]) -> None:
    """Cancel a task several times, and let it run after each."""
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)


async def test_its_result_and_error_are_the_works() -> None:
    work, faulty = Work(), Work(ValueError("broken"))
    work.may_end.set()
    faulty.may_end.set()
    assert await finish(work.do()) == "done"
    with pytest.raises(ValueError, match="broken"):
        await finish(faulty.do())


async def test_no_number_of_cancellations_ends_it_before_the_work() -> None:
    work = Work()
    caller = asyncio.create_task(finish(work.do()))
    await cancel_often(caller)
    assert not caller.done()
    work.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.is_done


async def test_an_error_after_a_cancellation_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(ValueError("broken"))
    caller = asyncio.create_task(finish(work.do()))
    await cancel_often(caller)
    work.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert caplog.messages == ["work failed after its caller was cancelled: broken"]


async def test_closing_waits_for_work_whose_caller_has_gone() -> None:
    tasks, work = UncancelledTasks(close_timeout_s=60), Work()
    caller = asyncio.create_task(tasks.run(work.do()))
    await cancel_often(caller)
    with pytest.raises(asyncio.CancelledError):
        await caller
    closing = asyncio.create_task(tasks.close())
    await asyncio.sleep(0)
    assert not closing.done()
    work.may_end.set()
    await closing
    assert work.is_done


async def test_closing_cancels_what_takes_too_long() -> None:
    tasks, work = UncancelledTasks(close_timeout_s=0), Work()
    caller = asyncio.create_task(tasks.run(work.do()))
    await asyncio.sleep(0)
    await tasks.close()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not work.is_done
