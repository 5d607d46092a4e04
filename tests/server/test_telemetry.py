"""Traces reach a collector: request, answer, retrieval, engine call and first token, without any text; metrics, too."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from eclair.network import telemetry
from eclair.settings import Settings
from tests.llm.standin import Call, StandIn, standing_in
from tests.server.test_documents import add, reading, ready
from tests.support import JSON, Server, serving

SECRET = "Wintergarten"
"""Is in every text, title and name that the tests bring."""


@dataclass
class Collector:
    """A collector of traces, and what it got."""

    standin: StandIn
    spans: list[JSON] = field(default_factory=list[JSON])
    resources: list[JSON] = field(default_factory=list[JSON])
    calls: list[Call] = field(default_factory=list[Call])
    metrics: list[JSON] = field(default_factory=list[JSON])
    status: int = 200

    async def count(self, call: Call) -> None:
        """Take metrics."""
        for resource in call.json["resourceMetrics"]:
            assert facts(resource["resource"])["service.name"] == "eclair"
            (scope,) = resource["scopeMetrics"]
            self.metrics = scope["metrics"]
        await call.reply(self.status, b"{}", Content_Type="application/json")

    async def until_counted(self, calls: int) -> None:
        """Wait until so many calls of models have been counted."""
        for _ in range(400):
            if sum(int(point["count"]) for point in self.points("gen_ai.client.operation.duration")) == calls:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(self.metrics)

    def points(self, name: str) -> list[JSON]:
        """The points of the metric that came last."""
        found = [each["histogram"] for each in self.metrics if each["name"] == name]
        assert all(each["aggregationTemporality"] == 2 for each in found)
        return [point for each in found for point in each["dataPoints"]]

    async def take(self, call: Call) -> None:
        self.calls.append(call)
        for resource in call.json["resourceSpans"]:
            self.resources.append(resource["resource"])
            for scope in resource["scopeSpans"]:
                self.spans += scope["spans"]
        await call.reply(self.status, b"{}", Content_Type="application/json")

    async def until(self, found: Callable[[JSON], bool]) -> JSON:
        """Wait for a span."""
        for _ in range(400):
            if (span := next(filter(found, self.spans), None)) is not None:
                return span
            await asyncio.sleep(0.02)
        raise AssertionError([span["name"] for span in self.spans])

    def child(self, parent: JSON, name: str) -> JSON:
        (span,) = (each for each in self.spans if each["name"] == name and each.get("parentSpanId") == parent["spanId"])
        assert span["traceId"] == parent["traceId"]
        assert int(span["startTimeUnixNano"]) >= int(parent["startTimeUnixNano"])
        assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"])
        return span


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Collector]:
    monkeypatch.setattr(telemetry, "EXPORT_INTERVAL_S", 0.05)
    async with standing_in() as standin:
        collector = Collector(standin)
        standin.routes["/v1/traces"] = collector.take
        yield collector


@asynccontextmanager
async def traced(settings: Settings, collector: Collector, **changed: Any) -> AsyncGenerator[Server]:
    async with serving(replace(settings, otlp_endpoint=collector.standin.url, **changed)) as server:
        yield server


def facts(span: JSON) -> dict[str, Any]:
    """The attributes of a span or resource."""
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


async def test_an_answer_is_a_trace_of_its_parts(settings: Settings, collector: Collector) -> None:
    async with reading(settings, otlp_endpoint=collector.standin.url) as (server, model):
        file = await ready(server, await add(server, f"# {SECRET}\n\nThe {SECRET} was built in 1903.", f"{SECRET}.md"))
        model.says = f"The {SECRET} was built in 1903."
        body = {"title": SECRET, "turn": {"text": f"When was the {SECRET} built?", "files": [file["id"]]}}
        headers = {"X-Request-Id": "from-the-proxy", "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
        begun = (await server.post("/api/conversations", body, headers=headers)).body
        await server.answered(begun["run"])
        answer = await collector.until(lambda span: span["name"] == "answer")
        request = await collector.until(lambda span: span["name"] == "POST /api/conversations")
    assert (request["traceId"], request["parentSpanId"], request["kind"]) == ("ab" * 16, "cd" * 8, 2)
    assert facts(request) == {
        "eclair.request_id": "from-the-proxy",
        "http.request.method": "POST",
        "http.route": "/api/conversations",
        "http.response.status_code": "202",
    }
    assert collector.child(request, "answer") == answer
    assert facts(answer) == {"eclair.outcome": "finished"}
    assert int(facts(collector.child(answer, "retrieve"))["eclair.passages"]) >= 1
    chat = collector.child(answer, "chat")
    assert facts(chat)["gen_ai.request.model"] == "reader"
    (first,) = chat["events"]
    assert first["name"] == "first_token"
    assert int(chat["startTimeUnixNano"]) <= int(first["timeUnixNano"]) <= int(chat["endTimeUnixNano"])
    assert facts(collector.resources[0])["service.name"] == "eclair"
    assert SECRET not in orjson.dumps(collector.spans).decode()
    assert file["id"] not in orjson.dumps(collector.spans).decode(), "routes, not addresses"


async def test_what_fails_or_is_stopped_says_so(settings: Settings, collector: Collector) -> None:
    async with traced(settings, collector) as server:
        conversation = await server.begin()
        await server.say(conversation, "script: words=3 fail=1")
        failed = await collector.until(lambda span: span["name"] == "chat")
        begun = await server.ask(conversation, "script: words=1000 rate=50")
        await asyncio.sleep(0.1)
        await server.post(f"/api/runs/{begun['run']}/stop")
        stopped = await collector.until(lambda span: "eclair.stopped" in facts(span))
        await server.get(f"/{SECRET}?{SECRET}=1")
        unknown = await collector.until(lambda span: span["name"] == "GET -")
    assert (failed["status"]["code"], facts(failed)["error.type"]) == (2, "EngineUnavailable")
    assert (stopped["name"], stopped["status"]["code"]) == ("chat", 0)
    outcomes = {facts(span)["eclair.outcome"] for span in collector.spans if span["name"] == "answer"}
    assert outcomes == {"failed", "stopped"}
    assert facts(unknown)["http.response.status_code"] == "404"
    assert SECRET not in orjson.dumps(collector.spans).decode()


async def test_calls_of_models_are_counted(settings: Settings, collector: Collector) -> None:
    collector.standin.routes["/v1/metrics"] = collector.count
    async with traced(settings, collector) as server:
        conversation = await server.begin()
        for text in (f"script: say={SECRET}", f"script: say={SECRET}", "script: words=3 fail=1"):
            await server.say(conversation, text)
        await collector.until_counted(3)
    duration = {facts(point).get("error.type"): point for point in collector.points("gen_ai.client.operation.duration")}
    assert {fault: point["count"] for fault, point in duration.items()} == {None: "2", "EngineUnavailable": "1"}
    (first,) = collector.points("gen_ai.client.operation.time_to_first_chunk")
    assert int(first["count"]) >= 2
    assert sum(map(int, first["bucketCounts"])) == int(first["count"])
    assert len(first["bucketCounts"]) == len(first["explicitBounds"]) + 1
    assert 0 < first["min"] <= first["max"] <= duration[None]["sum"]
    tokens = {facts(point)["gen_ai.token.type"]: point for point in collector.points("gen_ai.client.token.usage")}
    assert tokens.keys() == {"input", "output"}
    assert all(facts(each)["gen_ai.operation.name"] == "chat" for each in (first, *tokens.values()))
    assert SECRET not in orjson.dumps(collector.metrics).decode()


async def test_a_collector_may_take_traces_alone(
    settings: Settings, collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(telemetry, "METRICS_EVERY", 1)
    caplog.set_level("INFO", "eclair.network.telemetry")
    async with traced(settings, collector) as server:
        for _ in range(2):
            conversation = await server.begin()
            await server.say(conversation, "script: say=Hello")
            await server.get(f"/api/conversations/{conversation}")
            await collector.until(lambda span: span["name"] == "GET /api/conversations/{id}")
            collector.spans.clear()
    assert [line for line in caplog.messages if "metrics" in line] == [
        f"The collector at {collector.standin.url} takes no metrics, so it gets traces alone."
    ]


async def test_the_end_sends_what_is_left(
    settings: Settings, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "EXPORT_INTERVAL_S", 1000)
    async with traced(settings, collector, otlp_key="s3cret") as server:
        await server.get("/api/models")
        assert not collector.calls
    assert "GET /api/models" in [span["name"] for span in collector.spans]
    assert collector.calls[0].headers["authorization"] == "Bearer s3cret"


async def test_a_collector_that_fails_harms_nothing(
    settings: Settings, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status = 503
    async with traced(settings, collector) as server:
        for _ in range(3):
            await server.get("/api/models")
            await asyncio.sleep(0.1)
        assert (await server.say(await server.begin(), "script: say=Hello"))["status"] == "finished"
    assert [line for line in caplog.messages if "Traces" in line] == [
        f"Traces are lost: {collector.standin.url}/v1/traces answers with 503."
    ]


@pytest.mark.parametrize(("egress", "verdict"), [("listed", "passed"), ("offline", "refused")])
async def test_they_pass_the_gate_and_are_in_the_ledger(
    settings: Settings, collector: Collector, monkeypatch: pytest.MonkeyPatch, egress: str, verdict: str
) -> None:
    monkeypatch.setenv("http_proxy", collector.standin.url)
    monkeypatch.setenv("no_proxy", "")
    endpoint = "http://collector.example:4318"
    collector.standin.routes[f"{endpoint}/v1/traces"] = collector.take
    calls: list[JSON] = []
    async with serving(replace(settings, otlp_endpoint=endpoint, egress=egress)) as server:  # pyright: ignore[reportArgumentType]
        for _ in range(200):
            calls = (await server.get("/api/egress?purpose=trace")).body["calls"]
            if [call for call in calls if call["verdict"] == verdict]:
                break
            await asyncio.sleep(0.05)
        leaving = (await server.get("/api/about")).body["leaving"]
    assert {(call["host"], call["purpose"]) for call in calls} == {("collector.example", "trace")}
    assert bool(collector.calls) == (verdict == "passed")
    assert [each["hosts"] for each in leaving if "traces" in each["what"]] == [["collector.example:4318"]]


async def test_without_a_collector_the_library_is_not_loaded() -> None:
    code = (
        "import sys, eclair.app, eclair.server.app, eclair.generation.pipeline\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
