"""`remember` and `forget`: a model that answers keeps a fact for later conversations, or has one erased.

A kept fact is shown with a button that takes it back, so nobody is asked before; erasing is asked. Neither is offered
where the conversation has foreign texts, and what those brought meanwhile may have led to is asked for itself. What may
be of a special category isn't kept.
"""

from __future__ import annotations

import difflib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from eclair.errors import NotFound
from eclair.generation.tools import CALL_TIMEOUT_S, LocalTool, ToolContext, ToolResult, define_function, failed_result
from eclair.generation.untrusted import has_foreign_text
from eclair.llm.base import JSON, PromptMessage
from eclair.memory.service import REFUSED, TOOL_NAME, MemoryService
from eclair.schema.events import Event, MemoryKept
from eclair.schema.memories import MAX_MEMORY_CHARS
from eclair.schema.messages import CallAccess, Fault, Message, Passage
from eclair.schema.models import Model
from eclair.text.intent.special_category import may_be_special_category
from eclair.tools.draw_picture import AnswerRef

FORGET_TOOL_NAME = "forget"
MAX_SIMILAR = 3


@dataclass(frozen=True, slots=True)
class MemoryAccess:
    """The memory that an answer may change, for whoever asks in it.

    `history` ends with the question; `wish` is what that asks to remember, which is settled without the model.
    """

    service: MemoryService
    answer: AnswerRef
    history: Sequence[Message]
    wish: str | None = None

    def may_offer(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> bool:
        """Tell whether a model may call the tools: a capable one, where no foreign text could ask for it."""
        is_foreign = passages or any(message.images for message in messages) or has_foreign_text(self.history)
        return model.can_call_tools and model.can_plan and not is_foreign


class MemoryArguments(BaseModel):
    model_config = ConfigDict(extra="ignore")

    text: str = Field(min_length=1, max_length=MAX_MEMORY_CHARS, description="One sentence.")


class RememberTool(LocalTool):
    """Implements `Tool`: keeps a sentence."""

    name = TOOL_NAME
    access: CallAccess = "write"
    arguments: type[BaseModel] = MemoryArguments
    timeout_s = CALL_TIMEOUT_S

    def __init__(self, memory: MemoryAccess) -> None:
        self._memory = memory

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """See `Tool.definition`."""
        if not self._memory.may_offer(model, messages, passages):
            return None
        return define_function(
            self.name,
            "Keeps one lasting fact about the person or their work for later conversations, in their language. Call it "
            "when they ask for that, or say what will matter again; not for what is passing, secret, or about health, "
            "faith, politics, sexuality, origin or crimes. The person sees it and can undo it.",
            MemoryArguments,
        )

    def summary(self, arguments: MemoryArguments) -> str:
        """See `Tool.summary`."""
        return f"Remember “{_on_one_line(arguments.text)}”"

    def asks_if_tainted(self, arguments: MemoryArguments) -> bool:
        """See `Tool.asks_if_tainted`."""
        return True

    async def run(self, arguments: MemoryArguments, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Keep the sentence. Raises what the service raises."""
        mine = self._memory
        if may_be_special_category(mine.wish or arguments.text):
            if mine.wish is None:
                yield REFUSED
            yield failed_result(
                "This may be about health, faith, politics or the like, so it isn't kept. The person can write it into "
                "the memory themselves.",
                "memory_refused",
                REFUSED.message,
            )
            return
        if mine.wish is not None:
            yield ToolResult("What the person asks to remember is kept already; nothing more was kept.")
            return
        kept = await mine.service.keep(
            context.principal,
            arguments.text,
            maker="model",
            conversation=mine.answer.conversation,
            message=mine.answer.message,
        )
        yield MemoryKept(kept.id)
        yield ToolResult("Kept. The person sees it and can undo it.")


class ForgetTool(LocalTool):
    """Implements `Tool`: erases a memory, which is named by its own words, so that what is asked is what is done."""

    name = FORGET_TOOL_NAME
    access: CallAccess = "write"
    arguments: type[BaseModel] = MemoryArguments
    timeout_s = CALL_TIMEOUT_S

    def __init__(self, memory: MemoryAccess) -> None:
        self._memory = memory

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """See `Tool.definition`."""
        if not self._memory.may_offer(model, messages, passages):
            return None
        return define_function(
            self.name,
            "Erases one of the facts that were kept, for good. Call it only when the person asks to forget it; `text` "
            "is the fact word for word.",
            MemoryArguments,
        )

    def summary(self, arguments: MemoryArguments) -> str:
        """See `Tool.summary`."""
        return f"Forget “{_on_one_line(arguments.text)}”"

    def asks_if_tainted(self, arguments: MemoryArguments) -> bool:
        """See `Tool.asks_if_tainted`."""
        return True

    async def run(self, arguments: MemoryArguments, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Erase the memory that reads so. Raises what the service raises."""
        service, wanted = self._memory.service, _comparable(arguments.text)
        memories = {_comparable(memory.text): memory for memory in await service.list(context.principal)}
        found = memories.get(wanted)
        if found is None:
            close = difflib.get_close_matches(wanted, memories, n=MAX_SIMILAR, cutoff=0.4)
            similar = "".join(f"\n- {memories[each].text}" for each in close)
            hint = f" Do you mean one of these?{similar}" if similar else " The person can look at the memory's page."
            said = "No fact that is kept reads so; nothing was erased."
            yield ToolResult(f"Error: {said}{hint}", has_failed=True, fault=Fault(NotFound.code, said))
            return
        await service.delete(context.principal, found.id)
        yield ToolResult("Erased; later conversations don't know it. This conversation still has its own words.")


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _comparable(text: str) -> str:
    return _on_one_line(text).rstrip(".").casefold()
