"""Servers of the small internet that are slow, broken or in circles, and what they have in robots.txt."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

HOST = "launisch.example"

ROBOTS: dict[str, tuple[int, str]] = {
    "verschlossen.example": (200, "User-agent: *\nDisallow: /\n"),
    "teilweise.example": (
        200,
        "User-agent: *\nDisallow: /\n\nUser-agent: Eclair\nAllow: /\nDisallow: /privat/\nCrawl-delay: 1\n",
    ),
    "roboterfehler.example": (503, "out of order"),
    "geheim.example": (401, "no"),
    "kreisbote.example": (200, "User-agent: *\nAllow: /\nSitemap: {root}/news-sitemap.xml\n"),
}
"""Of every other host there is none (404)."""

PLAIN = "The council of Moodham met for forty minutes and went home. "


def page(text: str = PLAIN * 8, **more: object) -> web.Response:
    body = f"<!doctype html><html lang='en'><title>Moodham</title><article><h1>Moodham</h1><p>{text}</p></article>"
    return web.Response(text=body, content_type="text/html", headers={key: str(value) for key, value in more.items()})


def to(location: str, status: int = 302) -> Answer:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, headers={"Location": location})

    return answer


def says(status: int, text: str = PLAIN, media: str = "text/html", headers: Mapping[str, str] | None = None) -> Answer:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text=text, content_type=media, headers=headers)

    return answer


def gives(body: bytes, media: str, headers: Mapping[str, str] | None = None) -> Answer:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": media, **(headers or {})})

    return answer


async def wait(request: web.BaseRequest, seconds: float) -> None:
    """Until so many seconds are over, or whoever asked has hung up."""
    while seconds > 0 and request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(min(seconds, 0.05))
        seconds -= 0.05


async def slow(request: web.BaseRequest) -> web.Response:
    """A page after as many milliseconds as its query says."""
    await wait(request, int(request.query.get("ms", "300")) / 1000)
    return page()


async def silent(request: web.BaseRequest) -> web.StreamResponse:
    """Takes the request and never answers."""
    await wait(request, 3600)
    return web.Response()


async def drip(request: web.BaseRequest) -> web.StreamResponse:
    """A byte now and then, without end."""
    return await _stream(request, b" ", 0.05)


async def endless(request: web.BaseRequest) -> web.StreamResponse:
    """As much as is taken, without end."""
    return await _stream(request, b"<p>" + PLAIN.encode() * 1000 + b"</p>", 0)


async def _stream(request: web.BaseRequest, piece: bytes, pause: float) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/html"})
    await response.prepare(request)
    while True:
        await response.write(piece)
        await asyncio.sleep(pause)


async def broken(request: web.BaseRequest) -> web.StreamResponse:
    """Promises more than it gives."""
    response = web.StreamResponse(headers={"Content-Type": "text/html", "Content-Length": "50000"})
    await response.prepare(request)
    await response.write(b"<!doctype html><p>" + PLAIN.encode())
    return await reset(request)


async def reset(request: web.BaseRequest) -> web.StreamResponse:
    """Hangs up."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cookie(request: web.BaseRequest) -> web.Response:
    """Gives a cookie and sends in circles whoever does not bring it back."""
    if "seen" in request.cookies:
        return page()
    return web.Response(status=302, headers={"Location": "/cookie", "Set-Cookie": "seen=1; Path=/"})


def moods(port: int, good: str, article: bytes) -> dict[str, Answer]:
    """What is answered to which path of HOST; `good` is a page that is in order, `article` another."""
    return {
        "/article": gives(article, "text/html; charset=utf-8"),
        "/moved": to(good, 301),
        "/moved/1": to("/moved/2", 307),
        "/moved/2": to("../moved/3", 308),
        "/moved/3": to(good),
        "/far/8": to("/far/7"),
        **{f"/far/{n}": to(f"/far/{n - 1}") for n in range(2, 8)},
        "/far/1": to(good),
        "/loop/a": to("/loop/b"),
        "/loop/b": to("/loop/a"),
        "/private": to("http://169.254.169.254/latest/meta-data/"),
        "/closed": to(f"http://verschlossen.example:{port}/"),
        "/nowhere": to("http://unbekannt.example/"),
        "/file": to("file:///etc/passwd"),
        "/consent": to(f"http://consent.mauer.example:{port}/choose?continue=/"),
        "/slow": slow,
        "/silent": silent,
        "/drip": drip,
        "/endless": endless,
        "/broken": broken,
        "/reset": reset,
        "/cookie": cookie,
        "/missing": says(404, "Not found"),
        "/gone": says(410, "Gone"),
        "/forbidden": says(403, "Forbidden"),
        "/error": says(500, "Error"),
        "/busy": says(429, "Slow down", headers={"Retry-After": "30"}),
        "/empty": says(200, ""),
        "/blank": says(200, "<!doctype html><title>Blank</title><body></body>"),
        "/json": says(200, '{"a": 1}', "application/json"),
        "/picture": gives(b"\x89PNG\r\n\x1a\n" + bytes(2000), "image/png"),
        "/binary": gives(bytes(range(256)) * 40, "text/html"),
        "/text": gives((PLAIN * 3 + "\n\n" + PLAIN).encode(), "text/plain; charset=utf-8"),
        "/bomb": gives(_bomb(), "text/html", {"Content-Encoding": "gzip"}),
        "/liar.pdf": gives(b"<!doctype html><title>No PDF</title><p>" + PLAIN.encode() * 5, "application/pdf"),
        "/damaged.pdf": gives(b"%PDF-1.7\n" + bytes(500), "application/pdf"),
    }


def _bomb() -> bytes:
    """200 MB of spaces in 200 kB of gzip, whose end never comes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b"<!doctype html><p>") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b" " * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * 200
