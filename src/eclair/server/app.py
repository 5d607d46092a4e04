"""The HTTP application: routes, middleware, and errors as one clear sentence."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import Scope

import eclair
from eclair.accounts.api_keys import ApiKeys
from eclair.app import App
from eclair.errors import (
    INTERNAL_ERROR,
    BudgetExceeded,
    Conflict,
    Draining,
    EclairError,
    EngineBusy,
    InvalidInput,
    MethodNotAllowed,
    NotFound,
    TooBusy,
    Unauthorized,
)
from eclair.server import ui
from eclair.server.anthropic import errors as anthropic
from eclair.server.api import metrics
from eclair.server.auth import AuthMiddleware
from eclair.server.drain_guard import DrainGuard
from eclair.server.internal_requests import InternalRequests
from eclair.server.lazy_routes import ROUTE_MODULES, LazyRoutes, add_routes, build_all_routers
from eclair.server.ollama import errors as ollama
from eclair.server.ollama.port import OllamaPort
from eclair.server.openai import errors as openai
from eclair.server.owner_session import OwnerSession
from eclair.server.plain_requests import PlainRequests
from eclair.server.public_address import BasePath, PublicAddress, check_base_path
from eclair.server.read_only import ReadOnly
from eclair.server.request_log import RequestLog, route_template
from eclair.server.scim import errors as scim

_UNION_MEMBER = re.compile(r"str|(list|dict|literal)\[.*|\w+Body")
"""Names that pydantic gives to the alternatives of a union; they are left out of a field's path."""

log = logging.getLogger(__name__)


def create_app(app: App, session: OwnerSession | None = None) -> FastAPI:
    """Build the HTTP application around an open App; `session` lets in browsers whose account can't be told.

    Raises SettingsError for a base path that can't be.
    """
    prefix = app.settings.path_prefix
    api = _new_app()
    api.add_api_route("/openapi.json", _openapi_route(app), include_in_schema=False)
    pages = ui.router(prefix, app.branding.get, has_accounts=app.settings.accounts == "on")
    check_base_path(
        app.settings, ["/assets", "/openapi.json", *(f"/{group}" for group in ROUTE_MODULES), *ui.paths(pages)]
    )
    add_routes(api, pages)
    if ui.STATIC.exists():
        api.mount("/assets", ui.Assets(directory=ui.STATIC / "assets", check_dir=False))
    api.add_middleware(LazyRoutes, routes=api, app=app)
    if app.read_only is not None:
        api.add_middleware(ReadOnly, reason=app.read_only, respond=respond)
    api.add_middleware(DrainGuard, is_draining=lambda: app.runs.is_draining, respond=respond)
    if app.settings.ollama_port is not None:
        api.add_middleware(OllamaPort, port=app.settings.ollama_port)
    keys = ApiKeys(app.storage.api_keys, app.storage.processes.clock)
    api.add_middleware(
        AuthMiddleware,
        settings=app.live_settings,
        keys=keys,
        principals=app.accounts.principals,
        audit=app.storage.audit,
        session=session,
        limits=app.limits,
        respond=respond,
    )
    api.add_middleware(PlainRequests)
    api.add_middleware(RequestLog, settings=app.live_settings, telemetry=app.telemetry)
    if PublicAddress.from_settings(app.settings) != PublicAddress(None, ""):
        api.add_middleware(BasePath, base_path=prefix)
    _handle_errors(api)
    start_background_work(app)
    return api


def start_background_work(app: App) -> None:
    """Start the batches and the schedules, as far as they are left to this process."""
    if "batches" in app.work:
        has_accounts = app.settings.accounts == "on"
        app.batches.start(InternalRequests(_internal_app(app), app.accounts.principals, has_accounts=has_accounts).post)
    if "schedules" in app.work:
        app.schedule_runner.start()


def create_worker_app(app: App) -> FastAPI:
    """Build the application of a process that serves nobody: its health and its metrics, on a port of their own."""
    api = _new_app()
    api.include_router(metrics.router(app))
    api.add_api_route("/api/health/live", _live)
    api.add_middleware(RequestLog, settings=app.live_settings, telemetry=app.telemetry)
    _handle_errors(api)
    return api


async def _live() -> JSONResponse:
    return JSONResponse({"status": "live"})


def _internal_app(app: App) -> FastAPI:
    """Build the application that Éclair's own requests call: all routes, and no guard before them."""
    api = _new_app()
    api.add_middleware(LazyRoutes, routes=api, app=app)
    _handle_errors(api)
    return api


def _handle_errors(api: FastAPI) -> None:
    api.add_exception_handler(EclairError, _on_error)
    api.add_exception_handler(RequestValidationError, _on_validation)
    api.add_exception_handler(HTTPException, _on_http)
    api.add_exception_handler(Exception, _on_bug)


def _new_app() -> FastAPI:
    return FastAPI(
        title="Éclair",
        version=eclair.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False},
    )


def _openapi_route(app: App) -> Callable[[], Awaitable[Response]]:
    """Serve the OpenAPI document, which is built on the first request because that takes a while."""

    @cache
    def document() -> bytes:
        from eclair.server.openapi import build_document  # its schemas are needed here alone

        return orjson.dumps(build_document(build_all_routers(app), app.settings.path_prefix))

    async def openapi() -> Response:
        return Response(await asyncio.to_thread(document), media_type="application/json")

    return openapi


def respond(scope: Scope, error: EclairError) -> JSONResponse:
    """Render an error in the format of the requested API: ours, OpenAI's, Anthropic's or Ollama's."""
    headers: dict[str, str] = {}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, BudgetExceeded | Draining | EngineBusy | TooBusy) and error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if scope["path"].startswith(anthropic.PATH):
        return JSONResponse(anthropic.body(error), error.status, headers)
    if scope["path"].startswith("/v1"):
        return JSONResponse(openai.body(error), error.status, headers)
    if scope["path"].startswith("/scim/"):
        return JSONResponse(scim.body(error), error.status, {**headers, "Content-Type": "application/scim+json"})
    if ollama.is_ollama_path(scope["path"]):
        return JSONResponse(ollama.body(error), error.status, headers)
    body: dict[str, Any] = {"code": error.code, "message": error.message, "param": error.param}
    if isinstance(error, Conflict) and error.run is not None:
        body["run"] = error.run
    return JSONResponse({"error": body}, error.status, headers)


async def _on_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, EclairError)
    if error.status >= 500:
        log.warning("%s %s: %s", request.method, route_template(request.scope), error.message)
    return respond(request.scope, error)


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return respond(request.scope, _describe(error))


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if isinstance(error.__cause__, EclairError):  # raised while the body was read
        return respond(request.scope, error.__cause__)
    match error.status_code:
        case 404:
            fault: EclairError = NotFound(f"There is nothing at {path}; /docs lists every route.")
        case 405:
            fault = MethodNotAllowed(f"{path} does not support {request.method}; /docs lists every route.")
            response = respond(request.scope, fault)
            response.headers["Allow"] = ", ".join(_methods(request))
            return response
        case _:
            fault = InvalidInput("The body is not JSON in UTF-8; check what was sent.")
    return respond(request.scope, fault)


def _methods(request: Request) -> list[str]:
    """List the methods that a path supports, whichever routes they belong to."""
    routes = request.app.router.routes
    found = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return [*found, "HEAD"] if "GET" in found else found


async def _on_bug(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, route_template(request.scope), exc_info=error)
    return respond(request.scope, EclairError(INTERNAL_ERROR))


def _describe(error: RequestValidationError) -> InvalidInput:
    """Describe the first problem of a request in one sentence."""
    first = error.errors()[0]
    path = [str(step) for step in first["loc"] if step not in ("body", "query", "path", "header")]
    name = ".".join(step for step in path if not _UNION_MEMBER.fullmatch(step))
    match first["type"]:
        case "json_invalid":
            return InvalidInput(f"The body is not JSON: {first['ctx']['error'].lower()}.")
        case "extra_forbidden":
            return InvalidInput(f"Éclair does not know the field {name!r}; leave it out.", param=name)
        case "missing" if name:
            return InvalidInput(f"The field {name!r} is missing.", param=name)
        case "missing":
            return InvalidInput("The body is empty; send JSON with `Content-Type: application/json`.")
        case "value_error" if not name:
            return InvalidInput(f"The request is wrong: {first['ctx']['error']}.")
        case _ if not name:
            return InvalidInput("The body is not a JSON object; check what was sent.")
        case _:
            problem = first["msg"].removeprefix("Value error, ")
            return InvalidInput(f"The field {name!r} is wrong: {problem[0].lower() + problem[1:]}.", param=name)
