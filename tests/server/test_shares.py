"""What whoever has the link is sent: what the page shows, and nothing that was erased."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.schema.images import ImageRequest
from eclair.schema.messages import (
    AnswerNotice,
    Attachment,
    Citation,
    Conversation,
    Doubt,
    Fault,
    LibraryName,
    Message,
    Part,
    Passage,
    Step,
    Usage,
)
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSAGE = Passage(
    number=1,
    file="file_tower",
    name="tower.pdf",
    page=3,
    label=None,
    heading=("Height",),
    start=10,
    end=90,
    text="It is 330 metres high. PRIVATE-TEXT",
)
QUESTION = Message(
    id="msg_q",
    conversation="conv_a",
    parent=None,
    role="user",
    parts=(Part("text", "How high?"),),
    created=1,
    files=(Attachment("file_tower", "tower.pdf", 1234, "application/pdf"),),
    libraries=(LibraryName("lib_a", "PRIVATE-LIBRARY"),),
)
ANSWER = Message(
    id="msg_a",
    conversation="conv_a",
    parent="msg_q",
    role="assistant",
    parts=(
        Part("reasoning", "PRIVATE-REASONING"),
        Part("tool_call", "PRIVATE-CALL", "call_a", "draw_picture"),
        Part("text", "It is 330 metres high. It is old."),
    ),
    created=2,
    run="run_a",
    model="PRIVATE-MODEL",
    finish_reason="stop",
    usage=Usage(1, 1, 1, 1.0, 1, None),
    fault=Fault("unavailable", "PRIVATE-FAULT at http://10.0.0.5:8000"),
    remarks=(AnswerNotice("unread", "PRIVATE-REMARK"),),
    steps=(Step("1", "fetch", "https://PRIVATE-STEP.example/"),),
    passages=(
        PASSAGE,
        replace(PASSAGE, number=2, file="file_secret", name="PRIVATE-UNUSED.pdf"),
        replace(PASSAGE, number=3, file="page_a", name="The wiki", label="", url="http://wiki.PRIVATE-HOST.lan/tower"),
        replace(
            PASSAGE, number=4, file="page_b", name="News", label="", url="https://me:PRIVATE@news.example/a?key=PRIVATE"
        ),
    ),
    citations=(
        Citation(2, 0, 22, 1, "It is 330 metres high.", 10, 32, 1.0, 3),
        Citation(2, 0, 22, 3, "330 m", 10, 15, 0.5),
        Citation(2, 0, 22, 4, "330 metres", 10, 20, 0.5),
    ),
    doubts=(Doubt(2, 23, 33, "old", 2),),
    wish=ImageRequest(style="PRIVATE-WISH"),
)


async def shared(server: Server, *messages: Message) -> str:
    """Store a branch and share it; the id of the share comes back."""
    conversation = Conversation("conv_a", LOCAL_PRINCIPAL.id, "Tower", 1, 1, messages[-1].id)
    assert await server.app.storage.conversations.add_tree(LOCAL_PRINCIPAL, conversation, messages)
    return str((await server.post("/api/conversations/conv_a/shares", {"days": 1})).body["id"])


async def test_nothing_is_sent_but_what_the_page_shows(fresh: Server) -> None:
    server = fresh
    reply = await server.get(f"/api/shared/{await shared(server, QUESTION, ANSWER)}")
    sent = reply.raw.decode()
    for word in ("PRIVATE", "msg_", "conv_", "file_", "page_", "lib_", "run_", "10.0.0.5", "1234"):
        assert word not in sent, word
    question, answer = reply.body["messages"]
    assert [file["name"] for file in question["files"]] == ["tower.pdf"]
    assert answer["parts"] == [
        {"kind": "text", "text": "It is 330 metres high. It is old.", "id": None, "name": None, "round": 0}
    ]
    assert [(each["number"], each["name"], each["url"], each["text"]) for each in answer["passages"]] == [
        (1, "tower.pdf", None, ""),
        (3, "The wiki", None, ""),
        (4, "News", "https://news.example/a?key=…", ""),
    ]
    assert [(each["index"], each["quote"]) for each in answer["citations"]] == [
        (0, "It is 330 metres high."),
        (0, "330 m"),
        (0, "330 metres"),
    ]
    assert [(each["index"], each["about"]) for each in answer["doubts"]] == [(0, "old")]


async def test_what_an_earlier_version_stored_is_not_sent_either(fresh: Server) -> None:
    server = fresh
    from pydantic import TypeAdapter

    share = await shared(server, QUESTION, ANSWER)
    body = TypeAdapter(list[Message]).dump_json([QUESTION, ANSWER]).decode()
    database = server.app.storage.shares.database  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    await database.write(lambda db: db.execute("UPDATE share SET body = ?", (body,)))  # pyright: ignore[reportUnknownMemberType, reportUnknownLambdaType]
    assert "PRIVATE" not in (await server.get(f"/api/shared/{share}")).raw.decode()


async def test_an_erased_message_is_gone_from_its_share(fresh: Server) -> None:
    server = fresh
    more = [replace(QUESTION, id="msg_q2", parent="msg_a"), replace(ANSWER, id="msg_a2", parent="msg_q2")]
    share = await shared(server, QUESTION, ANSWER, *more)
    assert len((await server.get(f"/api/shared/{share}")).body["messages"]) == 4
    await server.call("DELETE", "/api/conversations/conv_a/messages/msg_q2")
    left = (await server.get(f"/api/shared/{share}")).body["messages"]
    assert [message["role"] for message in left] == ["user", "assistant"]
    await server.call("DELETE", "/api/conversations/conv_a/messages/msg_q")
    assert (await server.get(f"/api/shared/{share}")).status == 404
    assert (await server.get("/api/shares")).body == {"shares": []}


async def test_an_erased_file_is_gone_from_the_shares_that_quote_it(fresh: Server) -> None:
    server = fresh
    reply = await server.post("/api/files?name=tower.md", data=b"It is 330 metres high.")
    file = reply.body["id"]
    mine = replace(PASSAGE, file=file, name="tower.md")
    answer = replace(ANSWER, passages=(mine, *ANSWER.passages[1:]))
    question = replace(QUESTION, files=(Attachment(file, "tower.md", 1, "text/markdown"),))
    share = await shared(server, question, answer)
    assert "330 metres high" in (await server.get(f"/api/shared/{share}")).raw.decode()
    assert (await server.call("DELETE", f"/api/files/{file}")).status == 204
    question, answer = (await server.get(f"/api/shared/{share}")).body["messages"]
    assert question["files"] == []
    assert [each["number"] for each in answer["passages"]] == [3, 4]
    assert [each["passage"] for each in answer["citations"]] == [3, 4]


async def test_a_share_expires_unless_no_end_is_chosen(fresh: Server) -> None:
    server = fresh
    await shared(server, QUESTION)
    path = "/api/conversations/conv_a/shares"
    unsaid = (await server.post(path, {})).body
    assert unsaid["expires"] - unsaid["created"] == 7 * 86_400_000
    assert (await server.post(path, {"days": None})).body["expires"] is None


async def test_its_owner_sees_how_often_it_was_opened(fresh: Server) -> None:
    server = fresh
    share = await shared(server, QUESTION)
    for _ in range(3):
        await server.get(f"/api/shared/{share}")
    await server.get("/api/shared/share_none")
    assert [each["readings"] for each in (await server.get("/api/shares")).body["shares"]] == [3]


@pytest.mark.parametrize("picture", ["picture_none", "../conv_a"])
async def test_only_its_pictures_are_sent(settings: Settings, picture: str) -> None:
    async with serving(settings) as server:
        share = await shared(server, QUESTION, ANSWER)
        assert (await server.get(f"/api/shared/{share}/pictures/{picture}")).status == 404
