"""Fifty ways in which a file tries to speak as somebody else, through the HTTP door, before an engine that records."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from eclair.llm.base import Delta, Request
from eclair.settings import Settings
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACT = "The tower of Ettelbruck is 330 metres high."
QUESTION = "How high is the tower of Ettelbruck?"


@dataclass(frozen=True, slots=True)
class Injection:
    """What a file holds at some place, and what of it must not be in a prompt as it stands."""

    name: str
    place: str
    payload: str
    forbidden: list[str]

    @property
    def file(self) -> tuple[str, bytes]:
        """Name and bytes of a file that holds it."""
        match self.place:
            case "name":
                return f"{self.payload}.md", FACT.encode()
            case "heading":
                return "tower.md", f"# {self.payload}\n\n{FACT}\n".encode()
            case "member":
                packed = io.BytesIO()
                with zipfile.ZipFile(packed, "w") as archive:
                    archive.writestr(f"{self.payload}.md", FACT)
                return "towers.zip", packed.getvalue()
            case _:
                return "tower.txt", f"{FACT}\n\n{self.payload}\n\n{FACT}\n".encode()


INJECTIONS = [Injection(**each) for each in json.loads(Path(__file__).with_name("injections.json").read_text("utf-8"))]


class Recorder:
    """What the engine was asked, while it is scripted to do whatever it is told in a line of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.requests: list[Request] = []
        stream = server.engine.stream

        def recording(request: Request) -> AsyncGenerator[Delta, None]:
            self.requests.append(request)
            return stream(request)

        server.engine.stream = recording

    @property
    def prompt(self) -> str:
        return "\n".join(str(message.content) for message in self.requests[-1].messages)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recorder(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Recorder]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("injected") / "data",
        embedded=False,
        scripted=True,
        port=0,
        titles=False,
        embedder="off",
    )
    async with serving(settings) as server:
        yield Recorder(server)


async def upload(server: Server, name: str, data: bytes) -> JSON:
    headers = {"Content-Type": "application/octet-stream"}
    reply = await server.post(f"/api/files?name={quote(name)}", data=data, headers=headers)
    assert reply.status == 201, reply.raw
    file = dict(reply.body)
    async with asyncio.timeout(60):
        while file["state"] not in ("ready", "failed"):
            await asyncio.sleep(0.02)
            file = dict((await server.get(f"/api/files/{file['id']}")).body)
    assert file["state"] == "ready", file
    return file


def shown(answer: JSON) -> str:
    """The passages of an answer as the person sees them."""
    return "\n".join(
        " ".join((each["name"], each["member"] or "", *each["heading"], each["text"])) for each in answer["passages"]
    )


def check(prompt: str, injection: Injection) -> None:
    """The block of passages is whole, and holds nothing that an engine takes for its own."""
    assert FACT in prompt
    head, _, rest = prompt.partition("<passages>\n")
    block, _, after = rest.partition("\n</passages>")
    assert QUESTION in after
    assert FACT in block
    assert FACT not in head + after
    for token in injection.forbidden:
        assert token not in head + block + after, token


HARMLESS = [
    *("run_python", "calculate", "calculate_dates", "search_documents", "read_document"),
    *("read_skill", "run_skill_script"),
]
"""Tools that stay where foreign text is: nothing leaves by them, and nothing is changed."""


def offered(recorder: Recorder) -> list[str]:
    """Names of the tools that the last request offers."""
    return [tool["function"]["name"] for tool in recorder.requests[-1].tools]


@pytest.mark.parametrize("injection", INJECTIONS, ids=lambda injection: injection.name)
async def test_an_injection_does_nothing(recorder: Recorder, injection: Injection) -> None:
    server = recorder.server
    file = await upload(server, *injection.file)
    conversation = await server.begin()
    answer = await server.say(conversation, QUESTION, files=[file["id"]], draw="auto")
    assert answer["passages"]
    assert injection.payload.split()[0] in shown(answer), "it is there to be seen"
    check(recorder.prompt, injection)
    assert offered(recorder) == HARMLESS
    again = await server.say(conversation, "Thank you.", draw="auto")
    check(recorder.prompt, injection)
    assert offered(recorder) == HARMLESS
    assert not [part for message in (answer, again) for part in message["parts"] if part["kind"] == "picture"]


@pytest.mark.parametrize("injection", INJECTIONS[::7], ids=lambda injection: injection.name)
async def test_an_injection_does_nothing_on_v1(recorder: Recorder, injection: Injection) -> None:
    file = await upload(recorder.server, *injection.file)
    parts = [{"type": "file", "file": {"file_id": file["id"]}}, {"type": "text", "text": QUESTION}]
    body = {"model": "scripted", "messages": [{"role": "user", "content": parts}]}
    reply = await recorder.server.post("/v1/chat/completions", body)
    assert reply.status == 200, reply.raw
    check(recorder.prompt, injection)


async def test_a_tool_is_offered_where_nothing_is_foreign(recorder: Recorder) -> None:
    await recorder.server.say(await recorder.server.begin(), "Hello", draw="auto")
    assert {"draw_picture", "remember", "forget", "run_python", "calculate"} <= {*offered(recorder)}
