"""An MCP server of the official library that asks the person something in the middle of its calls, and tells how far
they are.

`python asking_server.py ERA` speaks over standard input; `ERA` is `new` for the protocol in which a request ends with
its questions, or `old` for that in which it is held open.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import anyio
import uvicorn
from mcp.server.mcpserver import Context, Elicit, MCPServer, Resolve
from mcp.server.request_state import RequestStateSecurity
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import (
    METHOD_NOT_FOUND,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ErrorData,
    InputRequiredResult,
    JSONRPCError,
    ToolAnnotations,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, Field

KEY = b"a key that outlives the process "
Era = Literal["new", "old"]
FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "who": {"type": "string", "title": "Name", "minLength": 2, "maxLength": 40},
        "mail": {"type": "string", "title": "E-mail", "format": "email", "description": "For the confirmation."},
        "day": {"type": "string", "title": "Day", "format": "date", "default": "2026-12-24"},
        "people": {"type": "integer", "title": "People", "minimum": 1, "maximum": 8, "default": 2},
        "room": {
            "type": "string",
            "title": "Room",
            "oneOf": [{"const": "q", "title": "Quiet"}, {"const": "v", "title": "With a view"}],
            "default": "v",
        },
        "extras": {"type": "array", "title": "Extras", "items": {"enum": ["breakfast", "bicycle"]}, "maxItems": 2},
        "news": {"type": "boolean", "title": "Send me news", "default": False},
    },
    "required": ["who", "people", "room"],
}


class Choice(BaseModel):
    size: Literal["small", "large"] = Field(title="Size", default="small")


async def size() -> Elicit[Choice]:
    return Elicit("Which size?", Choice)


def build(era: Era) -> MCPServer:
    """Return the server."""
    made = MCPServer("asking", request_state_security=RequestStateSecurity(keys=[KEY]))

    @made.tool()
    def order(thing: str, choice: Annotated[Choice, Resolve(size)]) -> str:
        """Order a thing in some size."""
        return f"ordered {choice.size} {thing}"

    @made.tool()
    async def book(place: str, context: Context) -> str | InputRequiredResult:
        """Book a room."""
        params = ElicitRequestFormParams(message=f"Who stays in {place}?", requested_schema=FORM)
        if era == "old":
            form = params.requested_schema
            found = await context.request_context.session.elicit_form(params.message, form, context.request_id)
            return f"{found.action}: {found.content}"
        responses: Any = context.input_responses
        if not responses:
            return InputRequiredResult(input_requests={"guest": ElicitRequest(params=params)}, request_state="asked")
        return f"{responses['guest'].action}: {responses['guest'].content}"

    @made.tool()
    async def pay(amount: int, context: Context) -> str | InputRequiredResult:
        """Pay on a page of its own."""
        params = ElicitRequestURLParams(
            message=f"Pay {amount} euros.", url="https://pay.example.org/till?id=7", elicitation_id="till-7"
        )
        if era == "old":
            found = await context.elicit_url(params.message, params.url, "till-7")
            return f"paid: {found.action}"
        responses: Any = context.input_responses
        if not responses:
            return InputRequiredResult(input_requests={"till": ElicitRequest(params=params)}, request_state="asked")
        return f"paid: {responses['till'].action}"

    @made.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def tour(stops: int, context: Context) -> str:
        """Walk through the town."""
        for stop in range(1, stops + 1):
            await context.report_progress(stop, stops, f"Stop {stop}")
            await anyio.sleep(0.05)
        return f"walked past {stops} stops"

    @made.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def find(what: str, context: Context) -> str | InputRequiredResult:
        """Find something, and ask what odd servers ask: for a `password`, or `often`, or in a `deep` form."""
        word: dict[str, Any] = {"type": "string", **({"format": "password"} if what == "password" else {})}
        word = {"type": "object", "properties": {"word": word}} if what == "deep" else word
        params = ElicitRequestFormParams(
            message="Which one?", requested_schema={"type": "object", "properties": {"word": word}}
        )
        if era == "old":
            session, form = context.request_context.session, params.requested_schema
            for _ in range(11 if what == "often" else 0):
                await session.elicit_form(params.message, form, context.request_id)
            found = await session.elicit_form(params.message, form, context.request_id)
            return f"{found.action}: {found.content}"
        responses: Any = context.input_responses
        if not responses or what == "often":
            state = f"{context.request_state or ''}."
            return InputRequiredResult(input_requests={"word": ElicitRequest(params=params)}, request_state=state)
        return f"{responses['word'].action}: {responses['word'].content}"

    return made


@contextmanager
def standing_asking(era: Era) -> Generator[str]:
    """Serve it on loopback, in a thread of its own; yield the address."""
    app = build(era).streamable_http_app()

    async def served(scope: Any, receive: Any, send: Any) -> None:
        version = dict(scope.get("headers", ())).get(b"mcp-protocol-version", b"").decode()
        if era == "old" and version in MODERN_PROTOCOL_VERSIONS:
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"Unknown protocol version"})
            return
        await app(scope, receive, send)

    from eclair.util.port import listen  # as a command in the sandbox it has no Éclair to import
    from tests.support import UnsignalledServer

    with listen("127.0.0.1", 0) as listener:
        config = uvicorn.Config(served, log_level="error", lifespan="on", timeout_graceful_shutdown=1)
        server = UnsignalledServer(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        finally:
            server.should_exit = True
            thread.join()


async def run_old() -> None:
    """Serve it over standard input as a server does that knows nothing of discovery."""
    server = build("old")._lowlevel_server  # pyright: ignore[reportPrivateUsage]
    async with stdio_server() as (read, write), anyio.create_task_group() as tasks:
        inbox, kept = anyio.create_memory_object_stream[SessionMessage | Exception](0)

        async def sift() -> None:
            async with inbox:
                async for each in read:
                    if isinstance(each, SessionMessage) and getattr(each.message, "method", "") == "server/discover":
                        fault = ErrorData(code=METHOD_NOT_FOUND, message="Method not found")
                        refusal = JSONRPCError(jsonrpc="2.0", id=getattr(each.message, "id", 0), error=fault)
                        await write.send(SessionMessage(refusal))
                    else:
                        await inbox.send(each)

        tasks.start_soon(sift)
        await server.run(kept, write, server.create_initialization_options())
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    if sys.argv[1] == "old":
        anyio.run(run_old)
    else:
        build("new").run()
