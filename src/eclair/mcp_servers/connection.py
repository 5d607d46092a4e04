"""A connection to one server for one person, on the official MCP library. Its errors become sentences.

The library has to be entered and left in one task, so each connection is a task of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from mcp import Client, MCPError
from mcp.client import Transport
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    GetPromptResult,
    Implementation,
    InputRequiredResult,
    PaginatedResult,
    Prompt,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    ServerCapabilities,
    Tool,
    ToolListChangedNotification,
)
from pydantic import ValidationError

from eclair import __version__
from eclair.errors import EclairError, EngineBroken, EngineUnavailable, Refused
from eclair.mcp_servers.command_transport import CommandTransport, ServerProgram
from eclair.mcp_servers.elicitation import HoldQuestion, call_with_input
from eclair.mcp_servers.progress import MAX_CALL_S, ProgressListener, ReportCallProgress
from eclair.mcp_servers.sign_in_requests import SignedRequests
from eclair.mcp_servers.sign_in_transport import SignInTransport
from eclair.network.mcp_http import McpHttpTransport, open_mcp_client
from eclair.schema.elicitations import CallInput
from eclair.schema.mcp_servers import McpPrompt, McpPromptArgument, McpResource, McpTool
from eclair.util.paused_timeout import PausedTimeout

CONNECT_TIMEOUT_S = 30.0
"""Programs may have to fetch their packages first; see `FIRST_CONNECT_TIMEOUT_S`."""
FIRST_CONNECT_TIMEOUT_S = 120.0
LIST_TIMEOUT_S = 20.0
READ_TIMEOUT_S = 30.0
MAX_PAGES = 20

T = TypeVar("T")
P = TypeVar("P", bound=PaginatedResult)


class OpenTransport(Protocol):
    """A way to a server. `fault` says in the middle of a sentence why it failed last."""

    @property
    def log(self) -> Sequence[str]:
        """The last lines of the server's log."""
        ...

    @property
    def fault(self) -> Refused | str | None: ...

    @property
    def sent_bytes(self) -> int: ...

    @property
    def wants_sign_in(self) -> bool:
        """True if the server refused the last request for want of a sign-in."""
        ...

    async def enter(self, stack: AsyncExitStack) -> Transport:
        """Open it until the stack is left. Raises OSError."""
        ...


class ProgramTransport:
    """Implements `OpenTransport` for a command."""

    sent_bytes = 0
    wants_sign_in = False

    def __init__(self, program: ServerProgram) -> None:
        self._running = CommandTransport(program)

    @property
    def log(self) -> Sequence[str]:
        return self._running.log

    @property
    def fault(self) -> str | None:
        return self._running.fault

    async def enter(self, stack: AsyncExitStack) -> Transport:
        """See `OpenTransport.enter`."""
        return self._running.transport()


class UrlTransport:
    """Implements `OpenTransport` for an address."""

    log: Sequence[str] = ()

    def __init__(self, url: str, http: McpHttpTransport | SignInTransport, auth: SignedRequests | None = None) -> None:
        self._url = url
        self._http = http
        self._auth = auth

    @property
    def fault(self) -> Refused | str | None:
        if self._renewal_fault is not None:
            return self._renewal_fault
        return None if self._is_resending else self._http.fault

    @property
    def sent_bytes(self) -> int:
        return self._http.sent_bytes

    @property
    def wants_sign_in(self) -> bool:
        return self._http.wants_sign_in and not self._is_resending and self._renewal_fault is None

    @property
    def _renewal_fault(self) -> Refused | str | None:
        return None if self._auth is None else self._auth.fault

    @property
    def _is_resending(self) -> bool:
        return self._auth is not None and self._auth.is_resending

    async def enter(self, stack: AsyncExitStack) -> Transport:
        """See `OpenTransport.enter`."""
        client = await stack.enter_async_context(open_mcp_client(self._http, self._auth))
        return streamable_http_client(self._url, http_client=client)


@dataclass(eq=False, slots=True)
class _ToolCall:
    """A call under way, and what has its questions answered, if anything has."""

    hold: HoldQuestion | None
    timeout: PausedTimeout


class McpConnection:
    """An open connection, until `close` or its end. `name` is the server's in messages."""

    def __init__(self, name: str, transport: OpenTransport) -> None:
        self._name = name
        self._transport = transport
        self._closing = asyncio.Event()
        self._client: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._serve(), name=f"MCP server {name}")
        self._calls: list[_ToolCall] = []
        self.has_new_tools = False
        """True once the server said that its tools have changed."""

    @property
    def is_open(self) -> bool:
        return not self._task.done() and not isinstance(self._transport.fault, str)

    @property
    def log(self) -> Sequence[str]:
        return self._transport.log

    @property
    def sent_bytes(self) -> int:
        return self._transport.sent_bytes

    @property
    def wants_sign_in(self) -> bool:
        return self._transport.wants_sign_in

    async def connect(self, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        """Wait until it is open. Raises EngineUnavailable, EngineBroken and Refused."""
        await self._ask(lambda _: _nothing(), timeout_s)

    async def list_tools(self) -> list[McpTool]:
        """List the tools as the server describes them, of MAX_PAGES pages at most. Raises as `connect` does."""
        self.has_new_tools = False
        if (await self._capabilities()).tools is None:  # a server of resources or prompts alone
            return []
        pages = self._pages(lambda client, cursor: client.list_tools(cursor=cursor, cache_mode="bypass"))
        return [_tool(each) async for page in pages for each in page.tools]

    async def has_contents(self) -> tuple[bool, bool]:
        """Tell if the server has resources, and prompts. Raises as `connect` does."""
        capabilities = await self._capabilities()
        return capabilities.resources is not None, capabilities.prompts is not None

    async def list_resources(self) -> list[McpResource]:
        """List the resources, and then the templates of resources. Raises as `connect` does."""
        if (await self._capabilities()).resources is None:
            return []
        pages = self._pages(lambda client, cursor: client.list_resources(cursor=cursor, cache_mode="bypass"))
        found = [_resource(each) async for page in pages for each in page.resources]
        try:
            more = self._pages(lambda client, cursor: client.list_resource_templates(cursor=cursor))
            return found + [_template(each) async for page in more for each in page.resource_templates]
        except EngineBroken:  # many servers have no templates, and say so by an error
            return found

    async def read_resource(self, uri: str) -> ReadResourceResult:
        """Read a resource. Raises as `connect` does."""
        return await self._ask(lambda client: client.read_resource(uri, cache_mode="bypass"), READ_TIMEOUT_S)

    async def list_prompts(self) -> list[McpPrompt]:
        """List the prompts. Raises as `connect` does."""
        if (await self._capabilities()).prompts is None:
            return []
        pages = self._pages(lambda client, cursor: client.list_prompts(cursor=cursor, cache_mode="bypass"))
        return [_prompt(each) async for page in pages for each in page.prompts]

    async def get_prompt(self, name: str, arguments: dict[str, str]) -> GetPromptResult:
        """Have a prompt written. Raises as `connect` does."""
        return await self._ask(lambda client: client.get_prompt(name, arguments), READ_TIMEOUT_S)

    async def call_tool(
        self, tool: str, arguments: dict[str, Any], timeout_s: float, report: ReportCallProgress | None = None
    ) -> CallToolResult:
        """Call a tool; progress is reported and gives it more time, questions that the server asks are cancelled.

        Raises as `connect` does.
        """
        with self._calling(_ToolCall(None, PausedTimeout(timeout_s, MAX_CALL_S))) as call:
            listen = None if report is None else ProgressListener(report, call.timeout.restart)
            return await self._ask(
                lambda client: client.call_tool(tool, arguments, progress_callback=listen), timeout_s, call.timeout
            )

    async def call_asking(
        self,
        tool: str,
        arguments: dict[str, Any],
        timeout_s: float,
        input: CallInput | None,
        hold: HoldQuestion,
        report: ReportCallProgress,
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool, or go on with a call; return its result, or questions that it wants answered first.

        Questions for which the server holds its request open are handed to `hold`, and don't count to the time; MCP
        doesn't tell which call they belong to, and the last one is taken. Raises as `connect` does.
        """
        with self._calling(_ToolCall(hold, PausedTimeout(timeout_s, MAX_CALL_S))) as call:
            ask = partial(call_with_input, tool, arguments, input, ProgressListener(report, call.timeout.restart))
            return await self._ask(ask, timeout_s, call.timeout)

    async def close(self) -> None:
        """End it, and its program."""
        self._closing.set()
        if not self._client.done():
            self._task.cancel()
        await asyncio.wait([self._task])

    async def _serve(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                transport = await self._transport.enter(stack)
                info = Implementation(name="eclair", title="Éclair", version=__version__)
                client = Client(
                    transport, client_info=info, message_handler=self._receive, elicitation_callback=self._elicit
                )
                self._client.set_result(await stack.enter_async_context(client))
                await self._closing.wait()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # the library's errors are of many kinds, some of them in groups
            if not self._client.done():
                self._client.set_exception(self._explain(error))
                self._client.exception()  # nobody may be waiting any more
        finally:
            if not self._client.done():
                self._client.cancel()

    async def _receive(self, message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.has_new_tools = True

    async def _elicit(self, context: object, params: ElicitRequestParams) -> ElicitResult:
        """Have a question answered for which the server holds its request open."""
        call = self._calls[-1] if self._calls else None
        if call is None or call.hold is None:
            return ElicitResult(action="cancel")
        call.timeout.pause()
        try:
            return await call.hold(params)
        finally:
            call.timeout.resume()

    @contextmanager
    def _calling(self, call: _ToolCall) -> Generator[_ToolCall]:
        self._calls.append(call)
        try:
            yield call
        finally:
            self._calls.remove(call)

    async def _capabilities(self) -> ServerCapabilities:
        return await self._ask(_capabilities_of, LIST_TIMEOUT_S)

    async def _pages(self, ask: Callable[[Client, str | None], Awaitable[P]]) -> AsyncGenerator[P, None]:
        """Yield the pages of a list, MAX_PAGES at most."""
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._ask(partial(_ask_page, ask, cursor), LIST_TIMEOUT_S)
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _ask(
        self, ask: Callable[[Client], Awaitable[T]], timeout_s: float, timeout: PausedTimeout | None = None
    ) -> T:
        timeout = timeout or PausedTimeout(timeout_s)
        try:
            async with timeout:
                client = await asyncio.shield(self._client)
                return await ask(client)
        except TimeoutError:
            raise EngineUnavailable(
                f"The MCP server {self._name!r} did not answer within {timeout.limit_s:g} seconds."
            ) from None
        except EclairError:
            raise
        except asyncio.CancelledError:
            if self._client.cancelled() and not self._is_cancelled():
                raise EngineUnavailable(f"The MCP server {self._name!r} was stopped.") from None
            raise
        except Exception as error:
            raise self._explain(error) from None

    @staticmethod
    def _is_cancelled() -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    def _explain(self, error: BaseException) -> EclairError:
        """Return what is told of an error of the library."""
        fault = self._transport.fault
        if isinstance(fault, Refused):
            return fault
        if self._transport.wants_sign_in:
            return EngineUnavailable(
                f"The MCP server {self._name!r} wants you to sign in: use “Sign in” in Settings › MCP servers, or "
                f"`eclair mcp sign-in {self._name}`."
            )
        if fault is not None:
            last = f" Its log ends with: {self.log[-1][:200]}" if self.log else ""
            return EngineUnavailable(f"The MCP server {self._name!r} can't be used: {fault}.{last}")
        inner = _innermost(error)
        if isinstance(inner, ValidationError):
            return EngineBroken(f"The MCP server {self._name!r} sent something that is not as MCP has it.")
        if isinstance(inner, OSError):
            return EngineUnavailable(f"The MCP server {self._name!r} can't be started: {inner.strerror or inner}.")
        said = inner.message if isinstance(inner, MCPError) else str(inner) or type(inner).__name__
        return EngineBroken(f"The MCP server {self._name!r} reports an error: {' '.join(said.split())[:300]}")


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


async def _capabilities_of(client: Client) -> ServerCapabilities:
    return client.server_capabilities


def _ask_page(ask: Callable[[Client, str | None], Awaitable[P]], cursor: str | None, client: Client) -> Awaitable[P]:
    return ask(client, cursor)


def _tool(tool: Tool) -> McpTool:
    hints = tool.annotations
    title = tool.title or (hints.title if hints is not None else None) or tool.name
    says_read_only = hints is not None and hints.read_only_hint is True
    return McpTool(tool.name, title, tool.description or "", tool.input_schema, says_read_only)


def _resource(resource: Resource) -> McpResource:
    title = resource.title or resource.name
    media = resource.mime_type or ""
    return McpResource(resource.uri, title, resource.description or "", media, resource.size)


def _template(template: ResourceTemplate) -> McpResource:
    title, media = template.title or template.name, template.mime_type or ""
    return McpResource(template.uri_template, title, template.description or "", media, is_template=True)


def _prompt(prompt: Prompt) -> McpPrompt:
    arguments = tuple(
        McpPromptArgument(each.name, each.title or each.name, each.description or "", each.required is True)
        for each in prompt.arguments or ()
    )
    return McpPrompt(prompt.name, prompt.title or prompt.name, prompt.description or "", arguments)


async def _nothing() -> None:
    return None
