"""Lazy routes: each group is imported when its prefix is first requested.

Building all of them takes half as long as the rest of a start, and no start needs them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib import import_module

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from eclair.app import App

ROUTE_MODULES: dict[str, tuple[str, ...]] = {
    "api/conversations": (
        "api.conversations",
        "api.follow_ups",
        "api.turns",
        "api.comparisons",
        "api.deletion",
        "api.exports",
        "api.shares",
        "api.receipts",
        "api.canvases",
        "api.workspaces",
    ),
    ".well-known/eclair-receipts.json": ("api.receipts",),
    ".well-known/oauth-authorization-server": ("api.device_login",),
    "api/search": ("api.conversations",),
    "api/count": ("api.conversations",),
    "api/erasure": ("api.deletion",),
    "api/retention": ("api.retention",),
    "api/erasures": ("api.personal_data",),
    "api/responses": ("api.responses",),
    "api/prefill": ("api.prefill",),
    "api/runs": ("api.runs",),
    "api/tool-permissions": ("api.tool_permissions",),
    "api/answers": ("api.answers",),
    "api/edits": ("api.text_edits",),
    "api/changes": ("api.changes",),
    "api/export": ("api.exports",),
    "api/imports": ("api.imports",),
    "api/shares": ("api.shares",),
    "api/shared": ("api.shares",),
    "api/models": ("api.models", "api.downloads"),
    "api/health": ("api.health",),
    "api/catalog": ("api.catalog",),
    "api/engines": ("api.engines",),
    "api/tuning": ("api.tuning",),
    "api/preferences": ("api.preferences",),
    "api/project-conversations": ("api.project_conversations",),
    "api/prompts": ("api.prompts",),
    "api/memories": ("api.memories",),
    "api/mcp-servers": ("api.mcp_servers", "api.mcp_sign_ins", "api.mcp_contents"),
    ".well-known/eclair-mcp-client.json": ("api.mcp_sign_ins",),
    "api/schedules": ("api.schedules",),
    "api/assistants": ("api.assistants", "api.assistant_transfer"),
    "api/skills": ("api.skills",),
    "api/files": ("api.files",),
    "api/projects": ("api.projects",),
    "api/libraries": ("api.libraries",),
    "api/research": ("api.research",),
    "api/web": ("api.web_search", "api.web_settings", "api.web"),
    "api/feeds": ("api.feeds",),
    "api/compliance": ("api.compliance_settings", "api.compliance"),
    "api/marks": ("api.provenance",),
    "api/pictures": ("api.images",),
    "api/python": ("api.python",),
    "api/speech": ("api.speech_parts", "api.recognizers", "api.speech", "api.dictation"),
    "api/backups": ("api.backups",),
    "api/storage": ("api.storage_state",),
    "api/jobs": ("api.jobs",),
    "api/announcements": ("api.announcements",),
    "api/branding": ("api.branding",),
    "api/policy": ("api.policy",),
    "api/usage": ("api.usage",),
    "api/ratings": ("api.ratings",),
    "api/audit": ("api.audit", "api.audit_destinations"),
    "api/egress": ("api.egress",),
    "api/about": ("api.about",),
    "api/session": ("api.session", "api.session_codes", "api.second_steps", "api.passkeys"),
    "api/sign-in": ("api.sign_in",),
    "api/sign-in-providers": ("api.sign_in_providers",),
    "api/device": ("api.device_login",),
    "api/me": (
        "api.me",
        "api.passkeys",
        "api.second_factors",
        "api.grants",
        "api.emergency_reads",
        "api.personal_data",
    ),
    "api/people": ("api.people", "api.grants", "api.personal_data"),
    "api/grants": ("api.grants",),
    "api/directory": ("api.directory",),
    "api/emergency-reads": ("api.emergency_reads",),
    "api/invitations": ("api.invitations",),
    "api/groups": ("api.groups",),
    "api/keys": ("api.keys",),
    "api/budgets": ("api.budgets",),
    "api/plan": ("api.capacity_plans",),
    "api/chat": ("ollama.routes",),
    "api/generate": ("ollama.routes",),
    "api/embed": ("ollama.embeddings",),
    "api/embeddings": ("ollama.embeddings",),
    "api/version": ("ollama.models",),
    "api/tags": ("ollama.models",),
    "api/ps": ("ollama.models",),
    "api/show": ("ollama.models",),
    "api/pull": ("ollama.pulls",),
    "api/delete": ("ollama.pulls",),
    "api/create": ("ollama.pulls",),
    "api/copy": ("ollama.pulls",),
    "api/push": ("ollama.pulls",),
    "api/blobs": ("ollama.pulls",),
    "scim/v2": ("scim.routes",),
    "metrics": ("api.metrics",),
    "mcp": ("mcp.routes",),
    "v1/chat": ("openai.routes",),
    "v1/completions": ("openai.completions",),
    "v1/fim": ("openai.completions",),
    "v1/models": ("openai.models",),
    "v1/files": ("openai.files",),
    "v1/embeddings": ("openai.embeddings",),
    "v1/batches": ("openai.batches",),
    "v1/rerank": ("openai.rerank",),
    "v1/audio": ("openai.speech", "openai.transcriptions"),
    "v1/moderations": ("openai.moderations",),
    "v1/images": ("openai.images",),
    "v1/responses": ("openai.responses",),
    "v1/conversations": ("openai.conversations",),
    "v1/messages": ("anthropic.routes",),
}
"""Modules of this package by the path prefix (its first two segments) whose routes they define."""


def route_prefix(path: str) -> str:
    """Return the first two segments of a path, such as `api/runs`."""
    return "/".join(path.split("/", 3)[1:3])


def build_all_routers(app: App) -> Iterator[APIRouter]:
    """Build the routers of all modules."""
    for module in dict.fromkeys(module for modules in ROUTE_MODULES.values() for module in modules):
        yield _build_router(module, app)


def add_routes(api: FastAPI, router: APIRouter) -> None:
    """Add routes as they are. `include_router` would build each a second time, while the first request waits."""
    api.router.routes.extend(router.routes)


class LazyRoutes:
    """ASGI middleware that adds the routes of a request's prefix to `routes` before they are matched."""

    def __init__(self, inner: ASGIApp, routes: FastAPI, app: App) -> None:
        self._inner = inner
        self._routes = routes
        self._app = app
        self._pending = dict(ROUTE_MODULES)
        self._loaded: set[str] = set()
        self._loading = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            prefix = route_prefix(scope["path"])
            if prefix in self._pending:
                await self._load(prefix)
        await self._inner(scope, receive, send)

    async def _load(self, prefix: str) -> None:
        async with self._loading:
            for module in self._pending.get(prefix, ()):
                if module not in self._loaded:
                    router = await asyncio.to_thread(_build_router, module, self._app)
                    add_routes(self._routes, router)
                    self._loaded.add(module)
            self._pending.pop(prefix, None)


def _build_router(module: str, app: App) -> APIRouter:
    router: APIRouter = import_module(f"eclair.server.{module}").router(app)
    return router
