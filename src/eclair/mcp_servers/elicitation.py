"""Questions of MCP servers in the middle of calls, checked at the door: within bounds, and of the kinds that MCP has.

What does not fit is asked nobody. Answers are checked by the same fields before they go to the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from mcp import Client, MCPError
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import (
    URL_ELICITATION_REQUIRED,
    CallToolResult,
    ElicitationRequiredErrorData,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    InputRequiredResult,
    TextContent,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eclair.network.policy import is_loopback_url
from eclair.schema.elicitations import (
    CallInput,
    Elicitation,
    ElicitationAnswer,
    ElicitationField,
    FieldKind,
    FieldOption,
    TextFormat,
)

DECLINED = "The person declined what the server asked for; don't call it again for that."
MAX_QUESTIONS = 10
"""Of one call."""
MAX_FIELDS = 20
MAX_OPTIONS = 100
MAX_MESSAGE_CHARS = 2_000
MAX_URL_CHARS = 2_000
MAX_KEY_CHARS = 200
MAX_STATE_CHARS = 64_000

FIRST_RETRY_S, MAX_RETRY_S = 0.05, 1.0
"""Between requests of a call whose server only wants to be asked again."""

HoldQuestion = Callable[[ElicitRequestParams], Awaitable[ElicitResult]]
"""Has a question answered while its server waits."""

_FORMATS: dict[str, TextFormat] = {"email": "email", "uri": "uri", "date": "date", "date-time": "date-time"}


class BadElicitation(ValueError):
    """A question that can't be asked; the text says why, for the end of a sentence."""


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Choice(_Shape):
    const: str = Field(max_length=200)
    title: str = Field("", max_length=200)


class _Items(_Shape):
    enum: list[str] = Field(default_factory=list[str], max_length=MAX_OPTIONS)
    any_of: list[_Choice] = Field(default_factory=list[_Choice], alias="anyOf", max_length=MAX_OPTIONS)


class _Property(_Shape):
    type: str
    title: str = Field("", max_length=200)
    description: str = Field("", max_length=1_000)
    format: str | None = None
    default: str | bool | int | float | list[str] | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = Field(None, alias="minLength")
    max_length: int | None = Field(None, alias="maxLength")
    min_items: int | None = Field(None, alias="minItems")
    max_items: int | None = Field(None, alias="maxItems")
    enum: list[str] = Field(default_factory=list[str], max_length=MAX_OPTIONS)
    enum_names: list[str] = Field(default_factory=list[str], alias="enumNames", max_length=MAX_OPTIONS)
    one_of: list[_Choice] = Field(default_factory=list[_Choice], alias="oneOf", max_length=MAX_OPTIONS)
    items: _Items | None = None


class _FormSchema(_Shape):
    properties: dict[str, _Property] = Field(max_length=MAX_FIELDS)
    required: list[str] = Field(default_factory=list[str])


def read_elicitation(params: ElicitRequestParams, server: str, number: int) -> Elicitation:
    """Return a question of a server. Raises BadElicitation."""
    message = params.message.replace("\0", "")[:MAX_MESSAGE_CHARS]
    if not isinstance(params, ElicitRequestFormParams):
        return Elicitation(number, server, message, url=_checked_url(params.url))
    try:
        form = _FormSchema.model_validate(params.requested_schema)
    except ValidationError:
        raise BadElicitation("its form is not as MCP has it, or too large") from None
    required = set(form.required)
    fields = tuple(_field(name, each, is_required=name in required) for name, each in form.properties.items())
    return Elicitation(number, server, message, fields)


def elicit_result(answer: ElicitationAnswer) -> ElicitResult:
    """Return an answer as MCP has it."""
    content = cast("dict[str, Any] | None", None if answer.content is None else dict(answer.content))
    return ElicitResult(action=answer.action, content=content)


async def call_with_input(
    tool: str, arguments: dict[str, Any], input: CallInput | None, listen: ProgressFnT, client: Client
) -> CallToolResult | InputRequiredResult:
    """Call a tool, or go on with a call with what the person answered; see `McpConnection.call_asking`."""
    answers = input.answers if input is not None else ()
    is_modern = client.protocol_version in MODERN_PROTOCOL_VERSIONS
    if not is_modern and any(answer.action != "accept" for answer in answers):  # it has ended its request
        return CallToolResult(content=[TextContent(text=DECLINED)], is_error=True)
    responses = {answer.key: elicit_result(answer) for answer in answers} if is_modern else {}
    state, wait_s = input.state if input is not None else None, FIRST_RETRY_S
    while True:
        try:
            result = await client.session.call_tool(
                tool,
                arguments,
                progress_callback=listen,
                input_responses=dict(responses) or None,
                request_state=state,
                allow_input_required=True,
            )
        except MCPError as error:
            if error.code != URL_ELICITATION_REQUIRED:
                raise
            wanted = ElicitationRequiredErrorData.model_validate(error.data).elicitations
            requests = {each.elicitation_id or str(number): each for number, each in enumerate(wanted)}
            return InputRequiredResult(
                input_requests={key: ElicitRequest(params=params) for key, params in requests.items()}
            )
        if isinstance(result, CallToolResult) or result.input_requests:
            return result
        await asyncio.sleep(wait_s)
        responses, state, wait_s = {}, result.request_state, min(2 * wait_s, MAX_RETRY_S)


def _checked_url(url: str) -> str:
    if len(url) > MAX_URL_CHARS or any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise BadElicitation("its address is none")
    if not url.startswith("https://") and not (url.startswith("http://") and is_loopback_url(url)):
        raise BadElicitation("its address isn't encrypted on the way")
    return url


def _field(name: str, given: _Property, *, is_required: bool) -> ElicitationField:
    if not 0 < len(name) <= MAX_KEY_CHARS:
        raise BadElicitation("a field has no name, or a long one")
    if given.format == "password":
        raise BadElicitation("it asks for a password")
    kind, options = _kind(given)
    if kind in ("choice", "choices") and not options:
        raise BadElicitation("a field has nothing to choose from")
    minimum, maximum = _bounds(kind, given)
    return ElicitationField(
        name,
        kind,
        " ".join(given.title.split()) or name,
        given.description.replace("\0", ""),
        is_required,
        _FORMATS.get(given.format or "") if kind == "text" else None,
        minimum,
        maximum,
        _default(kind, given.default, [option.value for option in options]),
        options,
    )


def _kind(given: _Property) -> tuple[FieldKind, tuple[FieldOption, ...]]:
    match given.type:
        case "string" if given.one_of:
            return "choice", tuple(FieldOption(each.const, each.title or each.const) for each in given.one_of)
        case "string" if given.enum:
            titles = given.enum_names if len(given.enum_names) == len(given.enum) else given.enum
            return "choice", tuple(map(FieldOption, given.enum, titles))
        case "string":
            return "text", ()
        case "number":
            return "number", ()
        case "integer":
            return "integer", ()
        case "boolean":
            return "boolean", ()
        case "array" if given.items is not None:
            titled = tuple(FieldOption(each.const, each.title or each.const) for each in given.items.any_of)
            return "choices", titled or tuple(FieldOption(each, each) for each in given.items.enum)
        case _:
            raise BadElicitation("a field is of a kind that forms don't have")


def _bounds(kind: FieldKind, given: _Property) -> tuple[float | None, float | None]:
    match kind:
        case "text":
            return given.min_length, given.max_length
        case "number" | "integer":
            return given.minimum, given.maximum
        case "choices":
            return given.min_items, given.max_items
        case "choice" | "boolean":
            return None, None


def _default(
    kind: FieldKind, given: str | bool | int | float | list[str] | None, options: list[str]
) -> tuple[str, ...]:
    """Return a default as texts; one that is none for the field is left out."""
    match kind, given:
        case "text", str():
            return (given[:MAX_MESSAGE_CHARS],)
        case "choice", str() if given in options:
            return (given,)
        case "boolean", bool():
            return ("true" if given else "false",)
        case "number" | "integer", int() | float() if not isinstance(given, bool):
            return (str(given),)
        case "choices", list():
            return tuple(each for each in given if each in options)
        case _:
            return ()
