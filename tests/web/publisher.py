"""A publisher on loopback: says what it is told to at each path, and remembers what it was asked."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate

from aiohttp import web

Answer = Callable[[web.Request], web.StreamResponse]

RSS = "application/rss+xml; charset=utf-8"


def rss(*items: tuple[str, str], title: str = "Stadtanzeiger", language: str = "de", at: float | None = None) -> str:
    """RSS 2.0 (https://www.rssboard.org/rss-specification) with entries of a title and a description."""
    date = f"<pubDate>{formatdate(at, usegmt=True)}</pubDate>" if at is not None else ""
    entries = "".join(
        f"<item><title>{name}</title><link>/{number}</link><guid isPermaLink='false'>{name}</guid>{date}"
        f"<description>{text}</description></item>"
        for number, (name, text) in enumerate(items)
    )
    return (
        f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel><title>{title}</title>"
        f"<link>https://example.org/</link><language>{language}</language>{entries}</channel></rss>"
    )


@dataclass
class Press:
    """`answers` by path: a text, which is sent as a feed with an ETag, or what makes the answer."""

    port: int = 0
    answers: dict[str, str | Answer] = field(default_factory=dict[str, str | Answer])
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list[tuple[str, Mapping[str, str]]])

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.place}{path}"

    def count(self, path: str) -> int:
        return sum(each == path for each, _ in self.asked)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, dict(request.headers)))
        answer = self.answers.get(request.path)
        if answer is None:
            return web.Response(status=404)
        if not isinstance(answer, str):
            return answer(request)
        tag = f'"{hash(answer):x}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304)
        return web.Response(body=answer.encode(), headers={"Content-Type": RSS, "ETag": tag})


@contextlib.asynccontextmanager
async def printing() -> AsyncGenerator[Press]:
    press = Press()
    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", press.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    press.port = runner.addresses[0][1]
    try:
        yield press
    finally:
        await runner.cleanup()


def status(code: int, **headers: str) -> Answer:
    return lambda _: web.Response(status=code, headers={name.replace("_", "-"): text for name, text in headers.items()})
