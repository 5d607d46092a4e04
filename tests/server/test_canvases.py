"""Canvases over HTTP: versions, conflicts, the change feed, streamed edits, and what archives hold of them."""

from __future__ import annotations

import io
import zipfile

import orjson
import pytest

from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "One line.\n\nAnother line, with a mistaik.\nThe last.\n"


async def make(server: Server, text: str = TEXT, **more: str) -> tuple[str, str]:
    """Return the path of a new canvas, and its id."""
    turn = {"turn": {"text": "script: say=Here."}}
    conversation = (await server.post("/api/conversations", turn)).body["conversation"]
    base = f"/api/conversations/{conversation}/canvases"
    reply = await server.post(base, {"title": " A  letter ", "text": text, **more})
    assert reply.status == 201, reply
    return f"{base}/{reply.body['canvas']['id']}", reply.body["canvas"]["id"]


async def test_versions_are_added_named_and_read(server: Server) -> None:
    path, id = await make(server, author="model", model="scripted")
    added = await server.post(f"{path}/versions", {"parent": 1, "text": "Mine."})
    assert (added.status, added.body["version"]["number"], added.body["conflict"]) == (201, 2, None)
    named = await server.call("PATCH", f"{path}/versions/1", {"name": " Draft "})
    assert named.body["name"] == "Draft"
    found = (await server.get(path)).body
    assert (found["canvas"]["title"], found["canvas"]["current"], found["text"]) == ("A letter", 2, "Mine.")
    assert [(each["author"], each["model"], each["name"]) for each in found["versions"]] == [
        ("model", "scripted", "Draft"),
        ("person", None, ""),
    ]
    assert (await server.get(f"{path}/versions/1")).body["text"] == TEXT
    edited = await server.call("PATCH", path, {"title": "A note", "language": "html"})
    assert (edited.body["title"], edited.body["language"]) == ("A note", "html")
    listed = (await server.get(path.rpartition("/")[0])).body["canvases"]
    assert [each["id"] for each in listed] == [id]
    assert (await server.call("DELETE", path)).status == 204
    assert (await server.get(path)).status == 404


async def test_an_empty_canvas_names_no_ai_until_a_model_writes_in_it(server: Server) -> None:
    path, _ = await make(server, text="")
    found = (await server.get(path)).body
    assert (found["text"], found["versions"][0]["author"], found["versions"][0]["model"]) == ("", "person", None)
    assert b"trainedAlgorithmicMedia" not in (await server.get(f"{path}/export?format=markdown")).raw
    written = (await server.post("/api/edits", {"text": "", "instruction": "script: say=Bread."})).body
    version = {"parent": 1, "text": written["text"], "author": "model", "model": written["model"]}
    assert (await server.post(f"{path}/versions", version)).status == 201
    assert b"trainedAlgorithmicMedia" in (await server.get(f"{path}/export?format=markdown")).raw


async def test_a_write_on_an_old_version_is_kept_and_told_in_one_sentence(server: Server) -> None:
    path, _ = await make(server)
    await server.post(f"{path}/versions", {"parent": 1, "text": "Theirs."})
    mine = await server.post(f"{path}/versions", {"parent": 1, "text": "Mine."})
    assert mine.status == 201
    assert mine.body["conflict"] == "This canvas was changed elsewhere meanwhile; what you wrote is kept as version 3."
    assert mine.body["canvas"]["current"] == 2
    assert (await server.get(path)).body["text"] == "Theirs."
    assert (await server.get(f"{path}/versions/3")).body["text"] == "Mine."


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"title": " "}, 400, "title"),
        ({"title": "x" * 121}, 400, "title"),
        ({"text": "a\0"}, 400, "text"),
        ({"text": "x" * (1 << 20 | 1)}, 413, "text"),
        ({"language": "C plus plus"}, 400, "language"),
        ({"author": "nobody"}, 400, "author"),
    ],
)
async def test_a_wrong_canvas_is_named(server: Server, body: dict[str, str], status: int, param: str) -> None:
    path, _ = await make(server)
    reply = await server.post(path.rpartition("/")[0], {"title": "A", "text": "b", **body})
    assert (reply.status, reply.error["param"]) == (status, param)


async def test_a_canvas_of_another_conversation_is_not_found(server: Server) -> None:
    path, id = await make(server)
    other, _ = await make(server)
    assert (await server.get(f"{other.rpartition('/')[0]}/{id}")).status == 404
    assert (await server.post(f"{path}/versions", {"parent": 7, "text": "Mine."})).status == 404


async def test_changes_stream_as_they_are_known(server: Server) -> None:
    say = "script: say=[1] A first line.⏎[4] The end."
    reply = await server.post("/api/edits", {"text": TEXT, "instruction": say, "stream": True})
    frames = [
        frame.partition("\ndata: ") for frame in reply.raw.decode().strip().split("\n\n") if not frame.startswith(":")
    ]
    kinds = [kind.removeprefix("event: ") for kind, _, _ in frames]
    assert kinds == ["change", "edit"]
    assert orjson.loads(frames[0][2]) == {"start": 0, "end": 9, "text": "A first line."}
    assert orjson.loads(frames[1][2])["text"] == TEXT.replace("One line", "A first line").replace("The last", "The end")


async def test_a_stream_that_fails_says_why(server: Server) -> None:
    body = {"text": TEXT, "instruction": "script: say=It is fine.", "stream": True}
    reply = await server.post("/api/edits", body)
    assert reply.status == 200
    assert 'event: error\ndata: {"error":{' in reply.raw.decode()
    assert "no usable changes" in reply.raw.decode()


async def test_an_archive_holds_canvases_and_gives_them_back(server: Server) -> None:
    path, id = await make(server, author="model", model="scripted")
    await server.post(f"{path}/versions", {"parent": 1, "text": "Mine.", "name": "Second"})
    before = (await server.get(path)).body
    data = (await server.get("/api/export")).raw
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        records = orjson.loads(archive.read("everything.json"))
    canvases = [each["value"] for each in records if each["eclair_record"] == "canvas"]
    [record] = [each for each in canvases if each["canvas"]["id"] == id]
    assert [text for _, text in record["versions"]] == [TEXT, "Mine."]
    assert (await server.call("DELETE", path)).status == 204
    staged = await server.call(
        "POST", "/api/imports?name=all.zip", data=data, headers={"Content-Type": "application/json"}
    )
    assert staged.status < 300, staged
    stored = await server.post(f"/api/imports/{staged.body['id']}")
    assert stored.status < 300, stored
    assert (await server.get(path)).body == before
