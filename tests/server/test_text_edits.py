from __future__ import annotations

from typing import Any

import pytest

from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "One line.\n\n  Another line, with a mistaik.\nThe last.\n"


async def test_a_text_is_changed_where_the_model_says(server: Server) -> None:
    instruction = "script: say=[3]   Another line, with a mistake."
    reply = await server.post("/api/edits", {"text": TEXT, "instruction": instruction})
    assert reply.status == 200, reply
    edited = reply.body
    assert edited["text"] == TEXT.replace("mistaik", "mistake")
    changed = {"number": 3, "before": "  Another line, with a mistaik.", "after": "  Another line, with a mistake."}
    assert edited["changes"] == [changed]
    assert edited["model"] == "scripted"
    assert edited["usage"]["completion_tokens"] == 1


async def test_nothing_to_change(server: Server) -> None:
    reply = await server.post("/api/edits", {"text": TEXT, "instruction": "script: say=[0]", "model": "scripted"})
    assert (reply.body["text"], reply.body["changes"]) == (TEXT, [])


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_empty_text_is_written(server: Server, text: str) -> None:
    body = {"text": text, "instruction": "script: say=# Bread⏎⏎It is ready."}
    reply = await server.post("/api/edits", body)
    assert reply.status == 200, reply
    assert reply.body["text"] == "# Bread\n\nIt is ready."
    assert reply.body["changes"] == [{"number": 1, "before": "", "after": "# Bread\n\nIt is ready."}]
    streamed = (await server.post("/api/edits", {**body, "stream": True})).raw.decode()
    assert f'event: change\ndata: {{"start":0,"end":{len(text)},"text":"# Bread' in streamed
    page = {"text": text, "instruction": "script: say=<p>Bread</p>", "language": "html"}
    assert (await server.post("/api/edits", page)).body["text"] == "<p>Bread</p>"
    mute = await server.post("/api/edits", {"text": text, "instruction": "script: say= "})
    assert (mute.status, "wrote nothing" in mute.error["message"]) == (502, True)


@pytest.mark.parametrize(
    ("instruction", "status", "fault"),
    [
        ("script: say=It is fine as it is.", 502, "has no usable changes"),
        ("script: say=[9] What?", 502, "piece 9"),
        ("script: words=5 break=2", 502, "broke off before its last change"),
        ("script: fail=0", 503, "fails"),
        (" ", 400, "instruction is empty"),
    ],
)
async def test_what_goes_wrong_is_said(server: Server, instruction: str, status: int, fault: str) -> None:
    reply = await server.post("/api/edits", {"text": TEXT, "instruction": instruction})
    assert reply.status == status
    assert fault in reply.error["message"]


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"text": "a\0"}, 400, "text"),
        ({"text": "x" * (1 << 20 | 1)}, 413, "text"),
        ({"text": 5}, 400, "text"),
        ({"model": "nobody"}, 404, "model"),
        ({"language": "Python 3"}, 400, "language"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
async def test_a_wrong_request_is_named(server: Server, body: dict[str, Any], status: int, param: str) -> None:
    reply = await server.post("/api/edits", {"text": TEXT, "instruction": "script: say=[0]", **body})
    assert (reply.status, reply.error["param"]) == (status, param)
