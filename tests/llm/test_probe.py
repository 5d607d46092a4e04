"""Whatever a server sends, a probe ends with what was found, each finding known and told."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.llm.servers import probe
from eclair.llm.servers.probe import Probe, ProbeFinding, Prober
from tests.llm.standin import Call, standing_in

KEYS = [
    "choices",
    "message",
    "content",
    "tool_calls",
    "logprobs",
    "usage",
    "prompt_tokens_details",
    "data",
    "id",
    "timings",
    "cache_n",
    "cached_tokens",
    "embedding",
    "tokens",
    "count",
    "model",
    "error",
    "delta",
]
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


async def probed(status: int, body: bytes) -> tuple[list[ProbeFinding], Probe]:
    """What is found of a server that says this to everything but the list of its models."""

    async def answer(call: Call) -> None:
        await call.reply(status, body, Content_Type="application/json")

    async def models(call: Call) -> None:
        await call.reply(200, b'{"data": [{"id": "muse"}]}')

    async with standing_in() as standin:
        for path in ("/v1/chat/completions", "/v1/embeddings", "/tokenize"):
            standin.routes[path] = answer
        standin.routes["/v1/models"] = models
        found = [found async for found in Prober(f"{standin.url}/v1", None, clock=lambda: 1.0).run()]
    *findings, last = found
    assert isinstance(last, Probe)
    return [finding for finding in findings if isinstance(finding, ProbeFinding)], last


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([200, 200, 200, 400, 500]), values)
def test_any_json_is_judged(status: int, value: Any) -> None:
    findings, whole = asyncio.run(probed(status, orjson.dumps(value)))
    assert whole.findings == tuple(findings)
    assert (whole.at, whole.model) == (1000, "muse")
    assert findings[0].feature == "answers"
    assert (whole.fault is None) == (findings[0].outcome == "yes")
    assert all(finding.detail.endswith((".", "!", "?")) for finding in findings if finding.outcome != "yes")


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"data: {half\n\n", b"<html>", b"null"])
async def test_what_is_no_json_is_no_answer(body: bytes) -> None:
    findings, whole = await probed(200, body)
    assert [finding.outcome for finding in findings] == ["failed"]
    assert whole.fault is not None


async def test_a_stream_without_an_end_is_told_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "FIRST_ANSWER_TIMEOUT_S", 0.2)

    async def hang(call: Call) -> None:
        await call.stream(b'data: {"choices": []}\n\n', end=False)

    async with standing_in() as standin:
        standin.routes = {"/v1/chat/completions": hang}
        prober = Prober(f"{standin.url}/v1", None, ["muse"])
        *_, last = [found async for found in prober.run()]
    assert isinstance(last, Probe)
    assert last.fault == "It did not answer within 0.2 seconds."
