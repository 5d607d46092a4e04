"""What the API is made of: a module for each group of routes, imported and built when its area is first asked.

To build all of them takes as long as half of everything else that a start does, and no start needs them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib import import_module

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from eclair.app import App

AREAS: dict[str, tuple[str, ...]] = {
    "api/conversations": ("api.conversations", "api.turns", "api.deletion", "api.exports", "api.shares"),
    "api/search": ("api.conversations",),
    "api/tags": ("api.conversations",),
    "api/count": ("api.conversations",),
    "api/prefill": ("api.prefill",),
    "api/runs": ("api.runs",),
    "api/answers": ("api.answers",),
    "api/edits": ("api.text_edits",),
    "api/changes": ("api.changes",),
    "api/export": ("api.exports",),
    "api/imports": ("api.imports",),
    "api/shares": ("api.shares",),
    "api/shared": ("api.shares",),
    "api/models": ("api.models", "api.downloads"),
    "api/health": ("api.models",),
    "api/catalog": ("api.catalog",),
    "api/engines": ("api.engines",),
    "api/tuning": ("api.tuning",),
    "api/preferences": ("api.preferences",),
    "api/files": ("api.files",),
    "api/libraries": ("api.libraries",),
    "api/research": ("api.research",),
    "api/web": ("api.web_search", "api.web"),
    "api/feeds": ("api.feeds",),
    "api/marks": ("api.provenance",),
    "api/pictures": ("api.images",),
    "api/usage": ("api.usage",),
    "api/egress": ("api.audit",),
    "api/about": ("api.about",),
    "v1/chat": ("openai.routes",),
    "v1/completions": ("openai.routes",),
    "v1/models": ("openai.routes",),
    "v1/files": ("openai.files",),
    "v1/embeddings": ("openai.embeddings",),
    "v1/images": ("openai.images",),
    "v1/responses": ("openai.responses",),
    "v1/messages": ("anthropic.routes",),
}
"""The modules below this package that have the routes of each area: the first two steps of a path."""


def everything(app: App) -> Iterator[APIRouter]:
    """All routes, area by area."""
    for module in dict.fromkeys(module for modules in AREAS.values() for module in modules):
        yield _routes(module, app)


class Areas:
    """Middleware that has `routes` know the area of each request before they are asked."""

    def __init__(self, inner: ASGIApp, routes: FastAPI, app: App) -> None:
        self._inner = inner
        self._routes = routes
        self._app = app
        self._closed = dict(AREAS)
        self._opened: set[str] = set()
        self._opening = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            area = "/".join(scope["path"].split("/", 3)[1:3])
            if area in self._closed:
                await self._open(area)
        await self._inner(scope, receive, send)

    async def _open(self, area: str) -> None:
        async with self._opening:
            for module in self._closed.get(area, ()):
                if module not in self._opened:
                    self._routes.include_router(await asyncio.to_thread(_routes, module, self._app))
                    self._opened.add(module)
            self._closed.pop(area, None)


def _routes(module: str, app: App) -> APIRouter:
    router: APIRouter = import_module(f"eclair.server.{module}").router(app)
    return router
