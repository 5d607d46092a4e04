"""Refusals of servers: their codes, fields and numbers come through, and no request is repeated."""

from __future__ import annotations

import orjson
import pytest

from eclair.errors import ContextExceeded, EclairError, EngineBroken, EngineRefused
from eclair.llm.remote.refusal import refuse
from eclair.server.anthropic import errors as anthropic
from eclair.server.openai import errors as openai


def caught_from(status: int, body: object) -> EclairError:
    with pytest.raises(EclairError) as caught:
        refuse(status, {}, orjson.dumps(body), "far", None, "a key")
    return caught.value


LLAMA = {
    "error": {
        "code": 400,
        "message": "request (24004 tokens) exceeds the available context size (8192 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 24004,
        "n_ctx": 8192,
    }
}
VLLM = {"object": "error", "message": "This model's maximum context length is 10 tokens.", "code": 400, "param": None}
OPENAI = {"error": {"message": "Too long.", "code": "context_length_exceeded", "param": "messages", "type": "x"}}


@pytest.mark.parametrize("body", [LLAMA, VLLM, {"error": VLLM}, OPENAI])
def test_a_prompt_that_is_too_long(body: object) -> None:
    error = caught_from(400, body)
    assert isinstance(error, ContextExceeded)
    assert error.status == 400
    said = openai.body(error)["error"]
    assert (said["code"], said["param"], said["type"]) == (
        "context_length_exceeded",
        "messages",
        "invalid_request_error",
    )
    assert anthropic.body(error)["error"]["type"] == "invalid_request_error"
    assert anthropic.body(error)["error"]["message"].startswith("prompt is too long: ")


def test_the_numbers() -> None:
    error = caught_from(400, LLAMA)
    assert "24,004 tokens" in error.message
    assert anthropic.body(error)["error"]["message"] == "prompt is too long: 24004 tokens > 8192 maximum"
    assert openai.body(error)["error"]["message"].startswith("This model's maximum context length is 8192 tokens")


def test_an_upstreams_code_and_field_are_passed_on() -> None:
    error = caught_from(400, {"error": {"message": "No.", "code": "unsupported_value", "param": "temperature"}})
    assert isinstance(error, EngineRefused)
    said = openai.body(error)["error"]
    assert (said["code"], said["param"]) == ("unsupported_value", "temperature")
    assert (
        openai.body(caught_from(400, {"error": {"message": "No.", "code": 400}}))["error"]["code"] == "engine_refused"
    )


def test_a_failure_repeats_no_request() -> None:
    error = caught_from(500, {"error": {"message": 'Failed to parse tools: [{"secret": 1}]; tools = [{"secret": 1}]'}})
    assert isinstance(error, EngineBroken)
    assert error.message == "The engine far failed: Failed to parse tools:."
