"""Éclair before the small internet, in a thread of its own: the browser's driver keeps the main one busy."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from eclair.settings import Settings
from tests.llm.servers import Speaking
from tests.web.internet import Internet, internet
from tests.web.questions import Question, questions
from tests.web.search_server import Finder, looking


@dataclass(frozen=True)
class Outside:
    """Where Éclair is, the internet before which it stands, what its model says, and what searched."""

    address: str
    world: Internet
    model: Speaking
    finder: Finder

    def question(self, sort: str, language: str = "en") -> Question:
        """One whose answer is of that sort."""
        return next(each for each in questions(self.world) if each.sort == sort and each.language == language)

    def told(self, question: Question) -> str:
        """The sentence that answers it, as its page has it."""
        return self.world.pages[question.pages[0]].key


@contextmanager
def outside(folder: Path, days: int = 0, *, finds: bool = True, scripted: bool = False) -> Generator[Outside]:
    """The small internet takes today for today, and Éclair a day so many days later.

    With `scripted` there is the scripted engine, too.
    """
    ready: Future[tuple[Outside, asyncio.AbstractEventLoop]] = Future()
    end = asyncio.Event()

    async def serve() -> None:
        settings = Settings(data_dir=folder / "data", embedded=False, port=0)
        try:
            async with (
                internet(today=date.today()) as world,
                looking(settings, world, days, finds=finds, scripted=scripted) as (
                    server,
                    model,
                    finder,
                ),
            ):
                ready.set_result((Outside(server.address, world, model, finder), asyncio.get_running_loop()))
                await end.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    with ThreadPoolExecutor(1) as apart:
        serving = apart.submit(asyncio.run, serve())
        found, loop = ready.result()
        try:
            yield found
        finally:
            loop.call_soon_threadsafe(end.set)
            serving.result()
