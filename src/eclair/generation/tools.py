"""The port of tools: something of ours that a model may call while it answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, cast

from pydantic import BaseModel

from eclair.generation.prompt import PreparedTurn
from eclair.generation.sources import PassageNumbers
from eclair.llm.base import JSON, Engine, PromptMessage
from eclair.schema.elicitations import CallInput
from eclair.schema.events import Event
from eclair.schema.messages import CallAccess, CallFaultCode, Fault, Part, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal

CALL_TIMEOUT_S = 30.0
MAX_RESULT_BYTES = 24_000


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The end of a call.

    `text` is for the model, which reads at most 24 kB of it. The answer may then rest on `passages`, numbered by
    `ToolContext.numbers`, and `pictures` are shown in it. `sent_bytes` left this machine. `fault` is as in `Call`.
    """

    text: str
    has_failed: bool = False
    passages: tuple[Passage, ...] = ()
    pictures: tuple[Part, ...] = ()
    sent_bytes: int = 0
    fault: Fault | None = None


def failed_result(text: str, code: CallFaultCode, message: str) -> ToolResult:
    """Return the result of a call that failed or can't be made: `text` is for the model, `message` for people."""
    return ToolResult(f"Error: {text}", has_failed=True, fault=Fault(code, message))


@dataclass(frozen=True, slots=True)
class ToolContext:
    """For whom a call is made, and for which model. `call` is its id, which no other call of its run has.

    If it `may_elicit`, the person can be asked something in the middle of the call, which goes on with that `input`.
    """

    call: str
    principal: Principal
    engine: Engine
    model: Model
    numbers: PassageNumbers
    may_elicit: bool = False
    input: CallInput | None = None


class Tool(Protocol):
    """Something that a model may call; its result goes back to the model.

    `arguments` is the model of its arguments, by which they are parsed before anything else sees them. `access` says
    what a call may do: `compute` (nothing leaves, nothing is changed), `read` the person's own data, `outbound` (calls
    leave this machine), or `write` (something that stays is changed).
    """

    name: str
    access: CallAccess
    arguments: type[BaseModel]
    timeout_s: float

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return its definition in OpenAI's format; None if this model may not call it now."""
        ...

    def summary(self, arguments: Any) -> str:
        """Say in one sentence, for people, what a call with these arguments does."""
        ...

    def scope(self, arguments: Any) -> str:
        """Return what a permission for more than this call covers, such as a host or a folder; empty for all calls."""
        ...

    def sends(self, arguments: Any) -> str:
        """Return the words by which a call could carry something out of this machine; empty if it can't.

        Words that the person wrote, or an address that a source has, carry nothing.
        """
        ...

    def asks_if_tainted(self, arguments: Any) -> bool:
        """Tell whether a call that foreign text may have led to is asked about like a write, whatever its `access`."""
        ...

    def run(self, arguments: Any, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Carry out one call: report its steps, then return the result as the last item.

        An EclairError becomes a result that the model reads. How far the call is can be reported as `CallProgressed`.
        A call that asks the person something reports that as `CallElicited`. Then it waits here, which counts to no
        limit of time, and reports the answer as `CallAnswered`; or it ends without a result, and is carried out again
        with the answers as `input`.
        """
        ...


def result_limit(model: Model) -> int:
    """Return the most bytes of a result that a model is shown."""
    return min(model.context or MAX_RESULT_BYTES, MAX_RESULT_BYTES)


class LocalTool:
    """Base of tools whose calls carry nothing out of this machine, and for all of which a permission counts."""

    def scope(self, arguments: Any) -> str:
        """See `Tool.scope`."""
        return ""

    def sends(self, arguments: Any) -> str:
        """See `Tool.sends`."""
        return ""

    def asks_if_tainted(self, arguments: Any) -> bool:
        """See `Tool.asks_if_tainted`."""
        return False


def define_function(name: str, description: str, arguments: type[BaseModel]) -> JSON:
    """Return the definition of a function in OpenAI's format, with the schema of its arguments."""
    schema: JSON = without_titles(_schema_of(arguments))
    schema.pop("description", None)
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


@cache
def _schema_of(arguments: type[BaseModel]) -> JSON:
    """Return the schema of a model, which takes milliseconds to make."""
    return arguments.model_json_schema()


def without_titles(value: Any) -> Any:
    """Leave out the titles that pydantic makes from names."""
    if not isinstance(value, dict):
        return value
    items = cast("JSON", value)
    return {key: without_titles(each) for key, each in items.items() if key != "title" or not isinstance(each, str)}


def offer_tools(tools: Sequence[Tool], turn: PreparedTurn, passages: Sequence[Passage]) -> list[tuple[Tool, JSON]]:
    """Return the tools that the turn's model may call, each with its definition."""
    defined = ((tool, tool.definition(turn.model, turn.request.messages, passages)) for tool in tools)
    return [(tool, definition) for tool, definition in defined if definition is not None]
