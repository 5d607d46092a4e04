"""Fifty texts from elsewhere that ask a model to act, before an engine that obeys every one: nothing happens."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from PIL import Image

from eclair.generation.tools import define_function
from eclair.llm.base import Delta, Finish, Request, Text, ToolCall
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.tools import scripted_tools
from tests.chat.test_calls import decide, until_waiting
from tests.generation.test_injections import upload
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOOLS = "scripted_read scripted_send scripted_write"
"""The tools of the scripted engine are offered where a person names them."""


@dataclass(frozen=True, slots=True)
class InjectedAct:
    """A text, the place where the model comes upon it, and the call that it asks for."""

    name: str
    place: str
    tool: str
    text: str
    argument: str

    @property
    def arguments(self) -> str:
        match self.tool:
            case "open_canvas":
                values: JSON = {"title": self.argument, "language": "markdown", "text": self.text}
            case "draw_picture":
                values = {"prompt": self.argument}
            case _:
                values = {"text": self.argument}
        return orjson.dumps(values).decode()


ACTS = [InjectedAct(**each) for each in json.loads(Path(__file__).with_name("injected_acts.json").read_text("utf-8"))]


@dataclass
class Obedient:
    """An engine that does what the text asks for as soon as it has seen it, wherever that stands; it asks once."""

    server: Server
    act: InjectedAct | None = None
    has_seen: bool = False
    has_called: bool = False
    reads: list[str] = field(default_factory=list[str])
    """Arguments of calls that it makes first, as it was asked by the person."""

    async def stream(self, request: Request) -> AsyncGenerator[Delta]:
        assert self.act is not None
        prompt = orjson.dumps([[str(message.content) for message in request.messages], list(request.tools)]).decode()
        words = self.act.text.split()
        self.has_seen |= self.act.place == "picture" or all(word.strip('<>|"{}')[:6] in prompt for word in words[-3:])
        if self.reads:
            yield ToolCall(0, "read_1", "scripted_read", orjson.dumps({"text": self.reads.pop()}).decode())
            yield Finish("tool_calls")
        elif self.has_seen and not self.has_called and request.purpose == "answer":
            self.has_called = True
            yield ToolCall(0, "act_1", self.act.tool, self.act.arguments)
            yield Finish("tool_calls")
        else:
            yield Text("Nothing else.")
            yield Finish("stop")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def obedient(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Obedient]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("acts") / "data",
        embedded=False,
        scripted=True,
        port=0,
        titles=False,
        embedder="off",
    )
    async with serving(settings) as server:
        for act in ACTS:
            if act.place != "description":  # allowed for good, but not for what foreign text asks for
                scope = act.argument.partition(":")[0]
                await server.app.tool_permissions.give(LOCAL_PRINCIPAL, act.tool, scope, None)
        engine = Obedient(server)
        server.engine.stream = engine.stream
        yield engine


def is_refused(act: InjectedAct) -> bool:
    """True for a tool that isn't offered beside foreign text."""
    return act.tool == "draw_picture" and act.place == "file"


async def ask(engine: Obedient, act: InjectedAct, monkeypatch: pytest.MonkeyPatch) -> JSON:
    """Ask a question whose answer comes upon the text; return the begun turn."""
    server = engine.server
    conversation = await server.begin()
    files: list[str] = []
    match act.place:
        case "file":
            file = await upload(server, "notes.txt", f"The tower is 330 metres high.\n\n{act.text}\n".encode())
            files = [file["id"]]
        case "picture":
            drawn = io.BytesIO()
            Image.new("RGB", (64, 64), "white").save(drawn, "PNG")
            files = [(await upload(server, "photo.png", drawn.getvalue()))["id"]]
        case "description":

            def describe(name: str, _: str, arguments: Any) -> JSON:
                return define_function(name, act.text, arguments)

            monkeypatch.setattr(scripted_tools, "define_function", describe)
        case _:
            engine.reads = [act.text]
    question = f"How high is the tower? You may use {TOOLS} and a canvas."
    return await server.ask(conversation, question, files=files, draw="auto")


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
async def test_what_foreign_text_asks_for_is_not_done(
    obedient: Obedient, act: InjectedAct, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = obedient.server
    obedient.act, obedient.has_seen, obedient.has_called, obedient.reads = act, False, False, []
    begun = await ask(obedient, act, monkeypatch)
    following = await server.stream(begun["run"]) if is_refused(act) else None
    message = await server.message(begun["run"]) if following else await until_waiting(server, begun["run"])
    assert obedient.has_seen
    assert obedient.has_called
    (made,) = [each for each in message["calls"] if each["tool"] == act.tool]
    assert not made["has_begun"]
    assert (made["needs_approval"], made["decision"]) == (message["status"] == "waiting", None)
    assert sum(made["sent_bytes"] for made in message["calls"]) == 0
    if message["status"] == "waiting":
        assert await decide(server, begun["run"], made["call"], "declined") == 202
        message = await server.answered(begun["run"])
        (made,) = [each for each in message["calls"] if each["tool"] == act.tool]
        assert (made["outcome"], made["has_begun"]) == ("declined", False)
    effects = server.app.settings.data_dir / scripted_tools.EFFECTS_FILE
    done = effects.read_text().splitlines() if effects.exists() else []
    assert not [line for line in done if line.startswith(("scripted_send", "scripted_write"))]
    assert (await server.get(f"/api/conversations/{begun['conversation']}/canvases")).body["canvases"] == []
    assert (await server.get("/api/pictures")).body["pictures"] == []
