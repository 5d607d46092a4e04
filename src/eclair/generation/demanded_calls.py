"""Calls that the program demands of a model that calls tools well enough, but can't be left to choose.

The words that ask for a call stand after the question, so that the head of the prompt is that of any other question,
and a question without such a demand is asked as ever. A grammar or a code block makes the model write the call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal

import orjson

from eclair.generation.tools import Tool
from eclair.generation.untrusted import neutralize
from eclair.llm.base import JSON, Delta, Finish, PromptMessage, Request, Text, ToolCall
from eclair.schema.messages import Message

MAX_ATTEMPTS = 4
"""Calls until the model has to answer, if each of them fails."""

MAX_CALL_TOKENS = 1024
RETRY_TEMPERATURE = 0.5
"""Of a call after one that failed: without chance, a small model writes the same one again."""
_CODE_START, _CODE_END = "```python\n", "\n```"
_CODE_ARGUMENT = "code"


GivesWayTo = Literal["nothing", "rules", "passages"]


@dataclass(frozen=True, slots=True)
class ToolDemand:
    """A tool that a question needs.

    `words` ask for its call, and `again` for another one after an error. `schema` is that of the arguments; without
    one, the only argument is Python code. It is dropped where there
    are what it `gives_way_to`: results that a rule computed from a table, or any passages.
    """

    tool: Tool
    words: str
    again: str
    schema: JSON | None = None
    gives_way_to: GivesWayTo = "nothing"

    def is_open(self, answer: Message) -> bool:
        """Return whether a call is to be written next: the first one, or another one after an error."""
        calls = answer.calls
        return not calls or (calls[-1].outcome == "failed" and len(calls) < MAX_ATTEMPTS)

    def messages(
        self, asked: Sequence[PromptMessage], answer: Message, control_tokens: tuple[str, ...]
    ) -> tuple[PromptMessage, ...]:
        """Return a prompt with the demand, the calls so far and their results, which extends the one before."""
        at = max(number for number, message in enumerate(asked) if message.role == "user")
        found = [*asked[:at], _with_words(asked[at], self.words)]
        results = {part.id: part.text for part in answer.parts if part.kind == "tool_result"}
        for part in answer.parts:
            if part.kind != "tool_call" or part.id not in results:
                continue
            has_failed = any(call.call == part.id and call.outcome != "done" for call in answer.calls)
            next_words = self.again if has_failed and self.is_open(answer) else ANSWER_FAILED if has_failed else ANSWER
            result = neutralize(results[part.id], control_tokens)
            found.append(PromptMessage("assistant", self._as_written(part.text)))
            found.append(PromptMessage("user", f"The result:\n{result}\n\n{next_words}"))
        return tuple(found)

    def request(self, request: Request, answer: Message) -> Request:
        """Return the request for the call that its messages ask for, after the calls of the answer so far."""
        limit = min(request.sampling.max_tokens or MAX_CALL_TOKENS, MAX_CALL_TOKENS)
        temperature = RETRY_TEMPERATURE if answer.calls else 0.0
        sampling = replace(request.sampling, temperature=temperature, max_tokens=limit, stop=())
        request = replace(request, sampling=sampling, watermarks=False)
        if self.schema is None:
            started = (*request.messages, PromptMessage("assistant", _CODE_START))
            return replace(request, messages=started, sampling=replace(sampling, stop=(_CODE_END,)))
        form = {"name": self.tool.name, "strict": True, "schema": self.schema}
        return replace(request, response_format={"type": "json_schema", "json_schema": form})

    async def read(self, deltas: AsyncGenerator[Delta, None]) -> AsyncGenerator[Delta, None]:
        """Turn the text of an answer to `request` into the call that it is."""
        is_code, has_begun = self.schema is None, False
        async with aclosing(deltas):
            async for delta in deltas:
                match delta:
                    case Text(text=text):
                        if not has_begun:
                            has_begun = True
                            yield ToolCall(0, None, self.tool.name, f'{{"{_CODE_ARGUMENT}":"' if is_code else "")
                        yield ToolCall(0, None, None, _escaped(text) if is_code else text)
                    case Finish() if has_begun:
                        if is_code:
                            yield ToolCall(0, None, None, '"}')
                        yield Finish("tool_calls")
                    case _:
                        yield delta

    def _as_written(self, arguments: str) -> str:
        """Return a call as the model wrote it, so that the engine knows it from its cache."""
        if self.schema is not None:
            return arguments
        code: str = orjson.loads(arguments)[_CODE_ARGUMENT]
        return f"{_CODE_START}{code}{_CODE_END}"


ANSWER = "Answer the question by this result, in its language and in one or two sentences. Write no code."
ANSWER_FAILED = "It did not work. Say so in the question's language, in one sentence. Write no code."


def _with_words(message: PromptMessage, words: str) -> PromptMessage:
    if isinstance(message.content, list):
        return replace(message, content=[*message.content, {"type": "text", "text": f"\n\n{words}"}])
    return replace(message, content=f"{message.content or ''}\n\n{words}")


def _escaped(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]
