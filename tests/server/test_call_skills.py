"""How a model calls tools is found out through the HTTP door; a stand-in calls in each way."""

# ruff: noqa: ASYNC110 (what is waited for here happens behind the door)

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from eclair.llm import call_prober
from eclair.llm.base import Engine
from eclair.llm.call_probe import CallSkill
from eclair.llm.call_skills import SKILLS_FILE
from eclair.models.catalog import STARTER_MODEL
from eclair.schema.models import Model
from eclair.settings import Settings
from tests.llm.servers import Speaking
from tests.llm.standin import Call
from tests.server.test_documents import reading
from tests.support import JSON, Server, serving

OSLO: JSON = {"name": "read_thermometer", "arguments": {"city": "Oslo"}}
PORTO: JSON = {"name": "read_thermometer", "arguments": {"city": "Porto"}}


class Calling(Speaking):
    """A model that calls tools in its own `way`. With `is_eager` it does nothing but call."""

    way = "native"
    is_eager = False

    async def chat(self, call: Call) -> None:
        body = call.json
        if not body.get("tools"):
            await super().chat(call)
            return
        asked = str(body["messages"][-1]["content"])
        wanted = [each for each in (OSLO, PORTO) if each["arguments"]["city"] in asked]
        is_result = body["messages"][-1]["role"] == "tool"
        if (is_result or not wanted) and not self.is_eager:
            await _stream(call, {"content": "It is 17.3 degrees." if is_result else "Bonjour."})
        elif self.way == "native":
            await _stream(call, {"tool_calls": [_native(at, each) for at, each in enumerate(wanted or [OSLO])]})
        elif self.way == "text":
            await _stream(
                call, {"content": "\n".join(f"```json\n{orjson.dumps(each).decode()}\n```" for each in wanted)}
            )
        elif self.way == "forced" and (body.get("tool_choice") == "required" or body.get("response_format")):
            await _stream(call, {"tool_calls": [_native(0, OSLO)]})
        else:
            await _stream(call, {"content": "I don't know."})


def _native(index: int, called: JSON) -> JSON:
    function = {"name": called["name"], "arguments": orjson.dumps(called["arguments"]).decode()}
    return {"index": index, "id": f"c{index}", "type": "function", "function": function}


async def _stream(call: Call, delta: JSON) -> None:
    reason = "tool_calls" if "tool_calls" in delta else "stop"
    frame: dict[str, Any] = {
        "model": call.json["model"],
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }
    await call.stream(b"data: " + orjson.dumps(frame) + b"\n\n", b"data: [DONE]\n\n")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_prober, "QUIET_S", 0.0)


async def facts(server: Server, id: str = "reader") -> tuple[str | None, bool]:
    (model,) = [each for each in (await server.get("/api/models")).body["models"] if each["id"] == id]
    return model["call_way"], model["calls_well"]


async def found_out(server: Server, id: str = "reader") -> tuple[str | None, bool]:
    async with asyncio.timeout(60):
        while (found := await facts(server, id))[0] is None:
            await asyncio.sleep(0.02)
    return found


async def test_an_embedded_model_is_probed_without_having_answered(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def probe(engine: Engine, model: Model) -> CallSkill:
        return CallSkill("forced", is_good=False)

    monkeypatch.setattr(call_prober, "probe_calls", probe)
    folder = tmp_path / "home" / "models"
    folder.mkdir(parents=True)
    (folder / model_file.name).symlink_to(model_file)
    home = Settings(data_dir=tmp_path / "home", embedded_parallel=1, embedded_context=1024, titles=False, tune=False)
    async with serving(home) as server:
        assert await found_out(server, STARTER_MODEL) == ("forced", False)


@pytest.mark.parametrize("way", ["native", "text", "forced", "none"])
async def test_each_way_is_found_out(settings: Settings, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(Calling, "way", way)
    async with reading(settings, kind=Calling) as (server, _):
        assert await facts(server) == (None, False)
        await server.say(await server.begin(), "Hello?")
        assert await found_out(server) == (way, way in ("native", "text"))


async def test_a_model_that_does_nothing_but_call_does_not_call_well(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Calling, "is_eager", True)
    async with reading(settings, kind=Calling) as (server, _):
        await server.say(await server.begin(), "Hello?")
        assert await found_out(server) == ("native", False)


async def test_what_was_found_out_stays_and_is_asked_once(settings: Settings) -> None:
    async with reading(settings, kind=Calling) as (server, model):
        await server.say(await server.begin(), "Hello?")
        await found_out(server)
        asked = len(model.standin.calls)
        await server.say(await server.begin(), "Hello?")
        assert not [each for each in model.standin.calls[asked:] if b"read_thermometer" in each.body]
        assert (settings.data_dir / SKILLS_FILE).exists()
    async with reading(settings, kind=Calling) as (server, _):
        assert await facts(server) == ("native", True)
