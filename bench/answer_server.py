"""Éclair in a process of its own before the pages of `answers/`, for `answers.py` and `tools.py`.

Arguments are the sets whose pages are served, on the port PAGES_PORT of the environment if it is there, from which
settings come as well. The clock of the web stands at noon
of `TODAY`, so that what is old on a page stays old.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import uvicorn
import uvloop
from aiohttp import web
from answer_sets import Page, pages
from harness import ROOT

from eclair.app import open_app
from eclair.server.app import create_app
from eclair.server.http_server import server_config
from eclair.settings import load
from eclair.util.port import listen
from eclair.web.open import Environment

sys.path.insert(0, str(ROOT))

from tests.web.internet import Internet, names
from tests.web.page_values import Made
from tests.web.search_server import Finder

TODAY = date(2026, 11, 28)
_FRAME = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>{date}{head}</head>
<body><nav><a href="/">Start</a> <a href="/contact">Contact</a></nav><main><article><h1>{title}</h1>
{html}</article></main><footer>© {host}</footer></body></html>"""
_TAG = re.compile(r"<[^>]*>")


@dataclass
class SmallInternet(Internet):
    """The pages of some sets, and nothing else."""

    sets: Sequence[str] = ()

    @cached_property
    def pages(self) -> dict[str, Made]:
        return {made.url: made for name in self.sets for made in map(self._made, pages(name))}

    def _made(self, page: Page) -> Made:
        host, slash, path = page.address.partition("/")
        meta = f'<meta property="article:published_time" content="{page.day}T08:00:00+01:00">' if page.day else ""
        body = _FRAME.format(
            language=page.language, title=page.title, date=meta, head=page.head, html=page.html, host=host
        )
        words = " ".join(_TAG.sub(" ", page.html).split())
        day = date.fromisoformat(page.day) if page.day else None
        return Made(
            self.url(host, slash + path), body.encode(), page.title, None, day, "meta", words[:160], kind="news"
        )


@asynccontextmanager
async def small_internet(sets: Sequence[str], port: int = 0) -> AsyncGenerator[SmallInternet]:
    with listen("127.0.0.1", port) as listener:
        world = SmallInternet(listener.getsockname()[1], TODAY, sets=sets)
        runner = web.ServerRunner(web.Server(world.answer), handle_signals=False, shutdown_timeout=0)
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield world
        finally:
            await runner.cleanup()


class _Server(uvicorn.Server):
    """Ends by SIGTERM without raising it again: the engine is still to be stopped."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.handle_exit, signal.SIGTERM, None)
        yield


async def main() -> None:
    async with small_internet(sys.argv[1:], int(os.environ.get("PAGES_PORT", "0"))) as world:
        settings = replace(load(os.environ).settings, web_search=("newsroom",), private_addresses=world.private)
        around = Environment(names, lambda browser: [Finder(world)], world.now)
        with listen("127.0.0.1", 0) as listener:
            async with open_app(settings, around) as app:
                print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
                await _Server(server_config(create_app(app), app.live_settings)).serve(sockets=[listener])


if __name__ == "__main__":
    uvloop.run(main())
