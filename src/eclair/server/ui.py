"""Serves the web app's files, which the build writes to `static/`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from html import escape
from pathlib import Path

from fastapi import APIRouter
from starlette.datastructures import Headers
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from eclair.errors import StoreError
from eclair.schema.branding import Branding
from eclair.server.auth import DIAGRAM_HEADERS, PAGE_HEADERS, PREVIEW_HEADERS

GetBranding = Callable[[], Awaitable[Branding]]

STATIC = Path(__file__).parent / "static"

ROOT_FILES = {
    "favicon.svg": "image/svg+xml",
    "first.js": "text/javascript",
    "icon-192.png": "image/png",
    "icon-512.png": "image/png",
    "icon-maskable.png": "image/png",
    "manifest.webmanifest": "application/manifest+json",
    "worker.js": "text/javascript",
}
"""Files served at the root, where the service worker must be to control every page."""


class Assets(StaticFiles):
    """Files whose names change with their content, so browsers may cache them forever.

    Most have a gzipped copy beside them, for browsers that accept it.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        gzipped = f"{path}.gz"
        if "gzip" in Headers(scope=scope).get("accept-encoding", "") and self.lookup_path(gzipped)[1] is not None:
            response = await super().get_response(gzipped, scope)
            response.headers["Content-Encoding"] = "gzip"
        else:
            response = await super().get_response(path, scope)
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def router(prefix: str, branding: GetBranding, *, has_accounts: bool) -> APIRouter:
    """Build the routes of all pages, served under `prefix`. Most serve the app, which reads the address itself.

    With `has_accounts` the app has people sign in first. It bears the branding.
    """
    pages = APIRouter(include_in_schema=False)

    @pages.get("/")
    @pages.get("/c/{conversation}")
    @pages.get("/projects")
    @pages.get("/projects/{project}")
    @pages.get("/assistants")
    @pages.get("/libraries")
    @pages.get("/news")
    @pages.get("/pictures")
    @pages.get("/usage")
    @pages.get("/connections")
    @pages.get("/settings")
    @pages.get("/settings/{page}")
    @pages.get("/admin")
    @pages.get("/admin/{page}")
    @pages.get("/admin/{page}/{entry}")
    @pages.get("/join")
    @pages.get("/device")
    @pages.get("/s/{share}")
    @pages.get("/temporary")
    @pages.get("/made")
    async def app() -> Response:
        return await _page("index.html", prefix, has_accounts=has_accounts, branding=await _find_branding(branding))

    @pages.get("/docs")
    async def docs() -> Response:
        return await _page("docs.html", prefix)

    @pages.get("/diagram")
    async def diagram() -> Response:
        return await _page("diagram.html", prefix, DIAGRAM_HEADERS)

    @pages.get("/preview")
    async def preview() -> Response:
        return await _page("preview.html", prefix, PREVIEW_HEADERS)

    for name, kind in ROOT_FILES.items():
        pages.add_api_route(f"/{name}", _file(name, kind))

    return pages


def paths(pages: APIRouter) -> Iterator[str]:
    """Yield the paths of the pages."""
    return (route.path for route in pages.routes if isinstance(route, Route) and route.path != "/")


def _file(name: str, kind: str) -> Callable[[], Awaitable[Response]]:
    async def file() -> Response:
        if not (STATIC / name).exists():
            return _not_built()
        return FileResponse(STATIC / name, media_type=kind, headers={**PAGE_HEADERS, "Cache-Control": "no-cache"})

    return file


async def _page(
    name: str,
    prefix: str,
    headers: dict[str, str] = PAGE_HEADERS,
    *,
    has_accounts: bool = False,
    branding: Branding | None = None,
) -> Response:
    """Return a page, whose addresses begin with `./` in the file: the prefix takes its place."""
    try:
        html = await asyncio.to_thread((STATIC / name).read_text, "utf-8")
    except FileNotFoundError:
        return _not_built()
    if has_accounts:
        html = html.replace('data-accounts="off"', 'data-accounts="on"', 1)
    if branding is not None:
        html = _branded(html, branding)
    return HTMLResponse(html.replace('="./', f'="{prefix}/'), headers={**headers, "Cache-Control": "no-cache"})


async def _find_branding(get: GetBranding) -> Branding:
    """Return the branding; none where the database can't serve, which the app says by itself."""
    try:
        return await get()
    except StoreError:
        return Branding()


def _branded(html: str, branding: Branding) -> str:
    """Return a page with the name and logo of the house, and its accent colour."""
    said = {"house": branding.name, "logo": branding.logo_digest}
    marks = "".join(f' data-{name}="{escape(value)}"' for name, value in said.items() if value is not None)
    html = html.replace("<html", f"<html{marks}", 1)
    if branding.accent is None:
        return html
    version = branding.accent.removeprefix("#")
    return html.replace(
        "</head>", f'  <link rel="stylesheet" href="./api/branding/style.css?v={version}" />\n  </head>', 1
    )


def _not_built() -> Response:
    return PlainTextResponse("The web app is not built; `make run` builds it.\n", status_code=503)
