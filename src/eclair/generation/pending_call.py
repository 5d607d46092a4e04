"""A call of the model before it has ended: what it asks for, why it can't be made, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from eclair.generation.call_permissions import ALLOWED, CallRuling
from eclair.generation.tools import Tool, ToolResult, failed_result
from eclair.schema.elicitations import CallInput
from eclair.schema.events import CallAsked
from eclair.schema.messages import CallDecision, Part

MAX_NAMED_FAULTS = 3
"""Of the arguments, in what the model is told of them."""


@dataclass(slots=True)
class PendingCall:
    """A call of the model. `fault` is the result of one that can't be made; then there are no `arguments`.

    `decision` is that of the person who was asked, if the `verdict` is to ask. A call `is_asking` that has begun, and
    waits for the person's answer to a question in its middle; with that `input` it goes on.
    """

    part: Part
    tool: Tool | None
    arguments: Any = None
    fault: ToolResult | None = None
    verdict: CallRuling = ALLOWED
    decision: CallDecision | None = None
    is_asking: bool = False
    input: CallInput | None = None

    @property
    def id(self) -> str:
        return self.part.id or ""

    @property
    def key(self) -> tuple[str | None, bytes]:
        """The name and arguments, by which a repeated call is known."""
        return self.part.name, orjson.dumps(orjson.loads(self.part.text or "{}"), option=orjson.OPT_SORT_KEYS)

    def asked(self) -> CallAsked:
        """Return the event that says what is asked for."""
        if self.tool is None:
            return CallAsked(self.id, self.part.name or "", "compute", "The model called a tool that doesn't exist.")
        if self.fault is not None:
            summary, scope = "The model made a call that can't be made.", ""
        else:
            summary, scope = self.tool.summary(self.arguments), self.tool.scope(self.arguments)
        is_asked, once_only = self.verdict.verdict == "ask", self.verdict.once_only
        return CallAsked(self.id, self.tool.name, self.tool.access, summary, is_asked, scope, once_only=once_only)

    @property
    def is_waiting(self) -> bool:
        """True until a person has decided on it, and while it asks the person something."""
        is_undecided = self.verdict.verdict == "ask" and self.decision is None
        return self.fault is None and (is_undecided or self.is_asking)


def fault_of_arguments(error: ValidationError) -> ToolResult:
    """Return the result of a call with arguments that aren't right, which tells the model what is wrong with them."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    named = [f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}" for each in faults[:MAX_NAMED_FAULTS]]
    told = f"The arguments are not right. {'; '.join(named)}. Call again with JSON that fits the tool's parameters."
    return failed_result(told, "bad_arguments", f"The model filled in the tool's input wrongly: {'; '.join(named)}.")
