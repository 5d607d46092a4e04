"""Reasoning and penalties of a request, as each family of servers takes them."""

from __future__ import annotations

import pytest

from eclair.llm.base import PromptMessage, Request
from eclair.llm.openai.dialects import DIALECTS, PLAIN_DIALECT, build_body

BY_NAME = {dialect.name: dialect for dialect in (*DIALECTS, PLAIN_DIALECT)}
CALL = {"id": "abcdefghi", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
LOOP = (
    PromptMessage("user", "x"),
    PromptMessage("assistant", None, tool_calls=(CALL,), reasoning="Hm."),
    PromptMessage("tool", "y", tool_call_id="abcdefghi"),
)


@pytest.mark.parametrize("name", BY_NAME)
def test_reasoning_goes_to_those_that_take_it(name: str) -> None:
    body = build_body(Request("m", LOOP), BY_NAME[name])
    takes = name in ("llamacpp", "vllm", "sglang", "deepseek")
    assert body["messages"][1].get("reasoning_content") == ("Hm." if takes else None)


@pytest.mark.parametrize("name", ["llamacpp", "vllm", "sglang"])
def test_a_message_that_is_continued_has_none(name: str) -> None:
    begun = PromptMessage("assistant", "The", reasoning="Hm.")
    body = build_body(Request("m", (PromptMessage("user", "x"), begun)), BY_NAME[name])
    assert "reasoning_content" not in body["messages"][1]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("llamacpp", "repeat_penalty"),
        ("vllm", "repetition_penalty"),
        ("sglang", "repetition_penalty"),
        ("openai", None),
    ],
)
def test_a_repetition_penalty_has_the_servers_name(name: str, field: str | None) -> None:
    body = build_body(Request("m", LOOP, extra={"repetition_penalty": 1.1}), BY_NAME[name])
    assert {key: value for key, value in body.items() if "penalty" in key} == ({} if field is None else {field: 1.1})
