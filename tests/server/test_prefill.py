"""Reading ahead: what an engine hears while a question is being written, and what it never hears."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import orjson
import pytest
import pytest_asyncio

from eclair.chat.chat_question import ChatQuestion
from eclair.chat.turn_options import TurnOptions
from eclair.generation.conversation_prompt import KEPT_REMARK
from eclair.generation.prompt import PASSAGES_INSTRUCTION, SPOKEN_INSTRUCTION
from eclair.llm.base import Engine
from eclair.schema.messages import Message, Part, Role
from eclair.schema.models import Model, Tier
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.settings import EngineSettings, Settings
from eclair.storage.sharing import AccessShare
from eclair.util.background import IDLE_DELAY_S
from tests.llm.standin import Answer, Call, StandIn, standing_in
from tests.support import JSON, Server, serving

TOWNS = ("Aarhus", "Bruges", "Cadiz", "Dover", "Esbjerg", "Ghent", "Hamburg", "Leith")
GUIDE = "# Towns\n\n" + "\n\n".join(
    f"## {town}\n\n{'Its market square has old houses, a well and a row of lime trees. ' * 6}The mayor of {town} is "
    f"elected every {year} years."
    for year, town in enumerate(TOWNS, 2)
)
"""More than a slow model reads while one waits, and not too much for it to be shown."""

LONG_GUIDE = f"{GUIDE}\n\n{GUIDE[: GUIDE.index('## Dover')].replace('# Towns', '# Other towns')}"
"""Too much for a slow model to be shown."""


@dataclass
class Rack:
    """A llama.cpp server on this machine: answers questions, and reads ahead for as long as `reading` says."""

    server: Server
    standin: StandIn
    heard: asyncio.Queue[list[str]] = field(default_factory=asyncio.Queue[list[str]])
    """What was to be read ahead, message by message."""
    asked: asyncio.Queue[str] = field(default_factory=asyncio.Queue[str])
    """Requests for a title."""
    finished: asyncio.Queue[None] = field(default_factory=asyncio.Queue[None])
    """Filled when something has been read ahead to its end."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    reading: bool = False
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether it says anything."""

    def __post_init__(self) -> None:
        self.answering.set()

    async def answer(self, call: Call) -> None:
        if call.json.get("max_tokens") == 1:
            self.heard.put_nowait([message["content"] for message in call.json["messages"]])
            if self.reading and await call.gone():
                self.closed.set()
                return
        elif "Write a short title" in (said := call.json["messages"][0]["content"]):
            self.asked.put_nowait(said)
        await self.answering.wait()
        delta = {"choices": [{"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}]}
        await call.stream(b"data: " + orjson.dumps(delta) + b"\n\n", b"data: [DONE]\n\n")
        if call.json.get("max_tokens") == 1:
            self.finished.put_nowait(None)

    async def upload(self, name: str, text: str, *, waits: bool = False) -> str:
        """The id of a document once it is read and embedded, unless embedding `waits`."""
        sent = {"Content-Type": "application/octet-stream"}
        file = (await self.server.post(f"/api/files?name={name}", data=text.encode(), headers=sent)).body
        async with asyncio.timeout(60):
            while file["state"] != "ready" or (file["embedded"] < file["chunks"] and not waits):
                await asyncio.sleep(0.02)
                file = (await self.server.get(f"/api/files/{file['id']}")).body
        return str(file["id"])

    def slow_down(self, tier: Tier | None = None) -> None:
        """Have the model read 60 tokens a second, as is known of it."""
        resolve = self.server.app.registry.resolve

        async def resolve_slow(name: str | None) -> tuple[Engine, Model]:
            engine, found = await resolve(name)
            return engine, replace(found, reading_rate=60.0, stated_tier=tier)

        self.server.app.registry.resolve = resolve_slow

    def prompts(self) -> list[list[JSON]]:
        """The messages of all answers that it was asked for."""
        calls = [call.json for call in self.standin.calls if "chat" in call.path]
        return [call["messages"] for call in calls if call.get("max_tokens") != 1]

    async def shown(self, conversation: str, question: str, *files: str) -> list[int]:
        """The towns whose passages belong to the answer."""
        message = await self.server.say(conversation, question, files=files)
        text = "".join(passage["text"] for passage in message["passages"])
        return [number for number, town in enumerate(TOWNS) if f"mayor of {town}" in text]

    async def prefill(self, **body: Any) -> list[str]:
        """What the engine reads for it."""
        assert (await self.server.post("/api/prefill", body)).status == 202
        return await asyncio.wait_for(self.heard.get(), 60)


def models(owner: str) -> Answer:
    body = orjson.dumps({"data": [{"id": "m", "owned_by": owner, "meta": {"n_ctx": 4096}}]})
    return lambda call: call.reply(200, body)


@asynccontextmanager
async def serving_rack(settings: Settings, *, titles: bool = False) -> AsyncGenerator[Rack]:
    async with standing_in() as standin:
        engines = {"rack": EngineSettings(f"{standin.url}/v1")}
        async with serving(replace(settings, scripted=False, engines=engines, titles=titles)) as server:
            rack = Rack(server, standin)
            standin.routes = {"/v1/models": models("llamacpp"), "/v1/chat/completions": rack.answer}
            yield rack


@pytest_asyncio.fixture
async def rack(settings: Settings) -> AsyncGenerator[Rack]:
    async with serving_rack(settings) as rack:
        yield rack


async def test_the_engine_reads_what_the_question_will_follow(rack: Rack) -> None:
    system = rack.server.app.settings.system_prompt
    assert await rack.prefill(model="m") == [system, "."]
    id = await rack.server.begin()
    await rack.server.say(id, "Is it so?")
    assert await rack.prefill(conversation=id) == [system, "Is it so?", "Yes.", "."]
    assert await rack.prefill(conversation=id, text="A long document.\n") == [
        *[system, "Is it so?", "Yes."],
        "A long document.",
    ]
    assert len((await rack.server.tree(id))["messages"]) == 2


async def test_a_question_ends_it_at_once(rack: Rack) -> None:
    rack.reading = True
    id = await rack.server.begin()
    await rack.prefill(conversation=id)
    assert (await rack.server.say(id, "Is it so?"))["status"] == "finished"
    await asyncio.wait_for(rack.closed.wait(), 60)
    assert rack.heard.empty()


async def test_of_two_wishes_the_later_counts(rack: Rack) -> None:
    rack.reading = True
    await rack.prefill(text="one")
    rack.reading = False
    assert (await rack.prefill(text="two"))[-1] == "two"
    await asyncio.wait_for(rack.closed.wait(), 60)


async def test_of_two_people_who_begin_each_is_read_for(rack: Rack) -> None:
    async def begin(person: str) -> None:
        principal = replace(LOCAL_PRINCIPAL, id=person)
        await rack.server.app.turns.prefill(principal, None, TurnOptions("m"), f"From {person}.")

    rack.reading = True
    await begin("anna")
    assert (await asyncio.wait_for(rack.heard.get(), 60))[-1] == "From anna."
    await begin("bert")
    assert (await asyncio.wait_for(rack.heard.get(), 60))[-1] == "From bert."
    assert not rack.closed.is_set()


async def test_nothing_is_read_while_an_answer_is_on_its_way(rack: Rack) -> None:
    rack.answering.clear()
    id = await rack.server.begin()
    begun = await rack.server.ask(id, "Is it so?")
    assert (await rack.server.post("/api/prefill", {"conversation": id})).status == 202
    rack.answering.set()
    await rack.server.answered(begun["run"])
    assert (await rack.prefill(conversation=id))[-2] == "Yes."
    assert rack.heard.empty()


async def test_a_server_that_may_cost_money_hears_nothing(rack: Rack) -> None:
    rack.standin.routes["/v1/models"] = models("somebody")
    assert (await rack.server.post("/api/prefill", {"text": "Not sent yet."})).status == 202
    assert (await rack.server.say(await rack.server.begin(), "Is it so?"))["status"] == "finished"
    assert [b"Not sent yet." in call.body for call in rack.standin.calls if call.body] == [False]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"conversation": "conv_none"}, 404),
        ({"model": "none"}, 404),
        ({"text": "word " * 9000}, 413),
        ({"txt": "x"}, 400),
    ],
)
async def test_what_cannot_be_asked_cannot_be_read_ahead(rack: Rack, body: dict[str, Any], status: int) -> None:
    reply = await rack.server.post("/api/prefill", body)
    assert (reply.status, bool(reply.error["message"])) == (status, True)


async def test_a_document_that_is_shown_whole_is_read_before_the_question(rack: Rack) -> None:
    server = rack.server
    file = await rack.upload("tower.txt", "The tower is 330 m high.\n")
    _, ahead = await rack.prefill(model="m", files=[file])
    assert "330 m high" in ahead
    answer = rack.standin.calls
    await server.say(await server.begin(), "How high is it?", files=[file])
    asked = answer[-1].json["messages"][-1]["content"]
    assert asked.startswith(ahead.removesuffix("."))


async def test_a_document_that_is_still_being_read_is_waited_for(rack: Rack) -> None:
    server = rack.server
    sent = {"Content-Type": "application/octet-stream"}
    file = (await server.post("/api/files?name=bridge.txt", data=b"The bridge is 76 m wide.\n", headers=sent)).body
    assert file["state"] != "ready"
    _, ahead = await rack.prefill(model="m", files=[file["id"]])
    assert "76 m wide" in ahead


async def test_a_slow_model_is_shown_the_passages_that_fit_and_those_of_earlier_answers(rack: Rack) -> None:
    rack.slow_down()
    file, conversation = await rack.upload("towns.md", GUIDE), await rack.server.begin()
    first = await rack.shown(conversation, "How often is the mayor of Ghent elected?", file)
    assert TOWNS.index("Ghent") in first
    assert len(first) < len(TOWNS)
    second = await rack.shown(conversation, "And how often is the mayor of Dover elected?")
    assert {*first, TOWNS.index("Dover")} <= {*second}
    assert await rack.shown(conversation, "Summarise the guide.") == [*range(len(TOWNS))]


async def test_what_the_model_has_read_ahead_is_shown(rack: Rack) -> None:
    rack.slow_down()
    file = await rack.upload("towns.md", GUIDE)
    question = "How often is the mayor of Ghent elected?"
    assert len(await rack.shown(await rack.server.begin(), question, file)) < len(TOWNS)
    async with asyncio.timeout(60):
        shown: list[int] = []
        while shown != [*range(len(TOWNS))]:  # a question that comes at once may interrupt the end of the reading
            ahead = await rack.prefill(model="m", files=[file])
            while len(ahead) > 2:  # what follows the last answer was read first
                ahead = await rack.heard.get()
            assert "mayor of Leith" in ahead[-1]
            await rack.finished.get()
            shown = await rack.shown(await rack.server.begin(), question, file)


async def test_the_beginning_that_was_read_ahead_is_shown_with_the_passages_that_fit(rack: Rack) -> None:
    rack.slow_down()
    file, question = await rack.upload("towns.md", GUIDE), "How often is the mayor of Leith elected?"
    documents = rack.server.app.documents
    assert documents is not None
    attached = await documents.get_attachments(LOCAL_PRINCIPAL, [file])
    retriever = documents.make_retriever(
        LOCAL_PRINCIPAL, [Message("msg_1", "conv_1", None, "user", (Part("text", question),), 0, files=attached)]
    )
    assert retriever is not None
    _, model = await rack.server.app.registry.resolve("m")
    await retriever.known_findings(model, has_draft=False)
    retriever.note_read_ahead(model, 8.0)
    shown = await rack.shown(await rack.server.begin(), question, file)
    assert {0, 1, TOWNS.index("Leith")} <= {*shown}
    assert len(shown) < len(TOWNS)


async def test_the_next_prompt_begins_with_the_last_one_and_its_answer(rack: Rack) -> None:
    rack.slow_down("small")
    file, conversation = await rack.upload("towns.md", GUIDE), await rack.server.begin()
    await rack.shown(conversation, "How often is the mayor of Ghent elected?", file)
    await rack.shown(conversation, "How often is the mayor of Dover elected?")
    first, second = rack.prompts()
    assert "<closest>" in first[-1]["content"]
    assert second[: len(first) + 1] == [*first, {"role": "assistant", "content": "Yes."}]
    assert "<closest>" in second[-1]["content"]


async def test_an_answer_that_goes_on_is_asked_for_with_the_notes_of_its_question(rack: Rack) -> None:
    async def break_off(call: Call) -> None:
        await call.stream(b'data: {"choices": [{"index": 0, "delta": {"content": "Every"}}]}\n\n')

    rack.slow_down("small")
    file, conversation = await rack.upload("towns.md", GUIDE), await rack.server.begin()
    rack.standin.routes["/v1/chat/completions"] = break_off
    broken = await rack.server.say(conversation, "How often is the mayor of Ghent elected?", files=[file])
    rack.standin.routes["/v1/chat/completions"] = rack.answer
    begun = await rack.server.turn(conversation, **{"continue": broken["id"]})
    assert (await rack.server.answered(begun["run"]))["status"] == "finished"
    first, resumed = rack.prompts()
    assert "<closest>" in first[-1]["content"]
    assert resumed == [*first, {"role": "assistant", "content": "Every"}]


async def test_notes_are_forgotten_with_their_conversation_and_not_kept_of_a_temporary_one(rack: Rack) -> None:
    rack.slow_down("small")
    file, conversation = await rack.upload("towns.md", GUIDE), await rack.server.begin()
    remembered = rack.server.app.answer_requests.shown_notes.by_question
    question = "How often is the mayor of Ghent elected?"
    messages: list[tuple[Role, str]] = [("user", question)]
    answering = rack.server.app.turns.ask_temporary(
        LOCAL_PRINCIPAL, messages, TurnOptions("m"), time.perf_counter(), files=(file,)
    )
    async with aclosing(await answering) as batches:
        assert [batch async for batch in batches]
    assert "<closest>" in rack.prompts()[-1][-1]["content"]
    assert not remembered
    await rack.shown(conversation, question, file)
    assert len(remembered) == 1
    assert (await rack.server.call("DELETE", f"/api/conversations/{conversation}")).status == 204
    assert not remembered


async def test_what_changes_with_each_question_stands_below_its_passages(rack: Rack) -> None:
    file = await rack.upload("tower.txt", "The tower is 330 m high.\n")
    _, ahead = await rack.prefill(model="m", files=[file])
    question = "Remember that I am afraid of heights. How high is the tower?"
    await rack.server.say(await rack.server.begin(memory="on"), question, files=[file])
    asked = rack.prompts()[-1][-1]["content"]
    assert asked.startswith(ahead.removesuffix("."))
    assert asked.endswith(f"{KEPT_REMARK}\n\n{question}")


async def test_a_change_between_voice_and_keyboard_leaves_what_was_read_before(rack: Rack) -> None:
    file, conversation = await rack.upload("tower.txt", "The tower is 330 m high.\n"), await rack.server.begin()
    for number, spoken in enumerate((False, True, True, False)):
        await rack.server.say(conversation, f"Is that much, {number}?", spoken=spoken, files=[] if number else [file])
    prompts = rack.prompts()
    assert [SPOKEN_INSTRUCTION in prompt[-1]["content"] for prompt in prompts] == [False, True, True, False]
    assert prompts[1][-1]["content"] == f"{SPOKEN_INSTRUCTION}\n\nIs that much, 1?"
    for before, after in pairwise(prompts):
        assert after[: len(before) + 1] == [*before, {"role": "assistant", "content": "Yes."}]


async def test_what_is_read_ahead_of_a_spoken_question_begins_as_its_prompt_does(rack: Rack) -> None:
    file = await rack.upload("tower.txt", "The tower is 330 m high.\n")
    _, ahead = await rack.prefill(model="m", files=[file], spoken=True)
    await rack.server.say(await rack.server.begin(), "How high is it?", files=[file], spoken=True)
    assert rack.prompts()[-1][-1]["content"] == f"{ahead.removesuffix('.')}How high is it?"
    assert ahead.endswith(f"</passages>\n\n{SPOKEN_INSTRUCTION}\n\n.")


async def test_what_no_model_has_read_is_not_shown_with_the_next_question(rack: Rack) -> None:
    rack.slow_down("small")
    file, conversation = await rack.upload("towns.md", GUIDE), await rack.server.begin()
    await rack.server.say(conversation, "Is the mayor of Ghent elected every seven years?", files=[file])
    assert rack.prompts() == [], "the sentence that tells is quoted"
    shown = await rack.shown(conversation, "How often is the mayor of Dover elected?")
    assert {TOWNS.index("Ghent"), TOWNS.index("Dover")} <= {*shown}
    first, _, second = (message["content"] for message in rack.prompts()[-1][-3:])
    assert "mayor of Ghent" in first
    assert "mayor of Ghent" not in second
    assert len([town for town in TOWNS if f"mayor of {town}" in first]) == 1, "the quoted passage alone"


async def test_after_an_answer_a_slow_model_reads_the_rest_of_the_files(rack: Rack) -> None:
    rack.slow_down("small")
    file, conversation = await rack.upload("towns.md", GUIDE), await rack.server.begin()
    first = await rack.shown(conversation, "How often is the mayor of Ghent elected?", file)
    ahead = await asyncio.wait_for(rack.heard.get(), 60)
    assert ahead[-3:-1] == [rack.prompts()[0][-1]["content"], "Yes."]
    assert [at for at, town in enumerate(TOWNS) if f"mayor of {town}" in ahead[-1]] == [
        at for at in range(len(TOWNS)) if at not in first
    ]
    await rack.finished.get()
    second = await rack.shown(conversation, "How often is the mayor of Dover elected?")
    assert second == [*range(len(TOWNS))]
    assert rack.prompts()[1][-1]["content"].startswith(ahead[-1])


async def test_all_above_the_closest_sentences_of_a_next_question_is_read_after_an_answer(rack: Rack) -> None:
    rack.slow_down("small")
    file, conversation = await rack.upload("towns.md", GUIDE), await rack.server.begin()
    for town in ("Ghent", "Dover"):
        await rack.shown(conversation, f"How often is the mayor of {town} elected?", *([file] * (town == "Ghent")))
        ahead = await asyncio.wait_for(rack.heard.get(), 60)
        await rack.finished.get()
    assert ahead[-1] == f"{PASSAGES_INSTRUCTION}\n\n<passages>\n\n</passages>\n\n<closest>\n"
    question = "How often is the mayor of Leith elected?"
    await rack.shown(conversation, question)
    asked = rack.prompts()[-1][-1]["content"]
    assert asked.startswith(ahead[-1])
    assert asked.endswith(f"\n</closest>\n\n{question}")


async def test_all_above_the_passages_of_a_question_on_a_long_document_is_read_before_it(rack: Rack) -> None:
    rack.slow_down("small")
    file, conversation = await rack.upload("towns.md", LONG_GUIDE), await rack.server.begin()
    _, ahead = await rack.prefill(model="m", files=[file])
    assert ahead == f"{PASSAGES_INSTRUCTION}\n\n<passages>\n"
    await rack.shown(conversation, "How often is the mayor of Ghent elected?", file)
    assert rack.prompts()[-1][-1]["content"].startswith(ahead)


async def test_a_slow_model_reads_what_fits_a_draft_and_the_question_begins_with_that(rack: Rack) -> None:
    rack.slow_down("small")
    file, conversation = await rack.upload("towns.md", LONG_GUIDE), await rack.server.begin()
    _, ahead = await rack.prefill(model="m", files=[file], text="How often is the mayor of Ghent")
    assert "mayor of Ghent is" in ahead
    await rack.finished.get()
    await rack.shown(conversation, "How often is the mayor of Ghent elected in the north?", file)
    asked = rack.prompts()[-1][-1]["content"]
    passages, closest = ahead.split("</passages>")
    assert asked.startswith(passages.rstrip())
    assert closest.startswith("\n\n<closest>\n[")
    assert closest.endswith("\n</closest>\n\nHow often is the mayor of Ghent")
    assert len(rack.server.app.answer_requests.shown_notes.by_question) == 1, "nothing is kept of a draft"


async def test_a_question_that_is_sent_as_it_was_drafted_has_been_read(rack: Rack) -> None:
    rack.slow_down("small")
    file, conversation = await rack.upload("towns.md", GUIDE), await rack.server.begin()
    question = "How often is the mayor of Leith elected?"
    _, ahead = await rack.prefill(model="m", files=[file], text=question)
    await rack.finished.get()
    shown = await rack.shown(conversation, question, file)
    assert rack.prompts()[-1][-1]["content"] == ahead
    assert TOWNS.index("Leith") in shown
    assert len(shown) < len(TOWNS)


async def test_what_was_read_for_another_draft_stays_before_what_the_question_needs(rack: Rack) -> None:
    rack.slow_down("small")
    file, conversation = await rack.upload("towns.md", GUIDE), await rack.server.begin()
    for town in ("Leith", "Aarhus"):
        _, ahead = await rack.prefill(model="m", files=[file], text=f"How often is the mayor of {town}")
        await rack.finished.get()
        assert ahead.index("mayor of Leith is") <= ahead.index(f"mayor of {town} is")
    shown = await rack.shown(conversation, "How often is the mayor of Dover elected?", file)
    assert {TOWNS.index(town) for town in ("Leith", "Aarhus", "Dover")} <= {*shown}
    asked = rack.prompts()[-1][-1]["content"]
    assert asked.startswith(ahead[: ahead.index("</passages>")].rstrip())


async def test_what_was_read_of_a_file_for_one_person_is_not_shown_to_another(rack: Rack) -> None:
    rack.slow_down("small")
    app, (_, model) = rack.server.app, await rack.server.app.registry.resolve("m")
    documents, bert = app.documents, replace(LOCAL_PRINCIPAL, id="bert")
    assert documents is not None
    library = (await rack.server.post("/api/libraries", {"name": "guides"})).body["id"]
    file = await rack.upload(f"towns.md&library={library}", LONG_GUIDE)
    await app.storage.libraries.share(LOCAL_PRINCIPAL, AccessShare(library, "everyone", "view", 1))

    async def first_passage(person: Principal, town: str) -> str:
        attached = await documents.get_attachments(person, [file])
        draft = Part("text", f"How often is the mayor of {town}")
        retriever = documents.make_retriever(
            person, [Message("msg_1", "conv_1", None, "user", (draft,), 0, files=attached)]
        )
        assert retriever is not None
        found = await retriever.known_findings(model, has_draft=True)
        retriever.note_read_ahead(model, math.inf)
        return found.passages[0].text

    ghent = await first_passage(LOCAL_PRINCIPAL, "Ghent")
    assert await first_passage(LOCAL_PRINCIPAL, "Leith") == ghent
    assert await first_passage(bert, "Leith") != ghent


async def test_what_was_read_for_a_draft_is_shown_in_one_stored_chat(rack: Rack) -> None:
    rack.slow_down("small")
    file, question = await rack.upload("towns.md", GUIDE), "How often is the mayor of Dover elected?"
    await rack.prefill(model="m", files=[file], text="How often is the mayor of Leith")
    await rack.finished.get()
    unstored = await rack.server.app.turns.ask_temporary(
        LOCAL_PRINCIPAL, [("user", question)], TurnOptions("m"), time.perf_counter(), files=(file,)
    )
    async with aclosing(unstored) as batches:
        assert [batch async for batch in batches]
    first, second = await rack.server.begin(), await rack.server.begin()
    for conversation in (first, second):
        await rack.shown(conversation, question, file)
    asked_first = (await rack.server.tree(first))["messages"][0]["id"]
    begun = await rack.server.turn(first, retry=asked_first)
    assert (await rack.server.answered(begun["run"]))["status"] == "finished"
    asked = [prompt[-1]["content"] for prompt in rack.prompts()]
    assert ["mayor of Leith is" in each for each in asked] == [False, True, False, True]
    assert asked[1] == asked[3]


async def test_a_draft_that_is_asked_meanwhile_is_not_read(rack: Rack) -> None:
    requests = rack.server.app.answer_requests
    check, is_checked, may_go_on = requests.check_draft, asyncio.Event(), asyncio.Event()

    async def check_slowly(question: ChatQuestion) -> bool:
        is_checked.set()
        await may_go_on.wait()
        return await check(question)

    requests.check_draft = check_slowly
    writing = asyncio.create_task(rack.server.post("/api/prefill", {"model": "m", "text": "Is it so?"}))
    await asyncio.wait_for(is_checked.wait(), 60)
    await rack.server.say(await rack.server.begin(), "Is it so?")
    may_go_on.set()
    assert (await writing).status == 202
    await asyncio.wait_for(rack.server.app.prefill.until_read(), 60)
    assert rack.heard.empty()


@pytest.mark.parametrize(
    ("tier", "attaches", "text", "follows"),
    [
        ("small", True, "How often is the mayor", True),
        ("small", True, "How often", True),
        ("small", False, "How often is the mayor", False),
        ("tiny", True, "How often is the mayor", False),
    ],
)
async def test_a_draft_is_wanted_where_a_slow_model_searches_files_for_it(
    rack: Rack, tier: Tier, attaches: bool, text: str, follows: bool
) -> None:
    rack.slow_down(tier)
    files = [await rack.upload("towns.md", LONG_GUIDE)] if attaches else []
    reply = await rack.server.post("/api/prefill", {"model": "m", "files": files, "text": text})
    assert (reply.status, reply.body) == (202, {"follows_drafts": follows})
    ahead = (await asyncio.wait_for(rack.heard.get(), 60))[-1]
    assert ("<closest>" in ahead) == (follows and len(text.split()) > 2)


async def test_a_fast_model_does_not_want_drafts(rack: Rack) -> None:
    file = await rack.upload("towns.md", LONG_GUIDE)
    reply = await rack.server.post("/api/prefill", {"model": "m", "files": [file], "text": "How often is the mayor"})
    assert reply.body == {"follows_drafts": False}


async def test_whoever_writes_elsewhere_is_read_for_first(rack: Rack) -> None:
    rack.slow_down("small")
    file, conversation = await rack.upload("towns.md", GUIDE), await rack.server.begin()
    rack.reading = True
    await rack.shown(conversation, "How often is the mayor of Ghent elected?", file)
    await asyncio.wait_for(rack.heard.get(), 60)
    rack.reading = False
    assert (await rack.prefill(model="m", text="Something else."))[-1] == "Something else."
    await asyncio.wait_for(rack.closed.wait(), 60)


async def test_a_title_is_asked_for_once_nothing_is_read_for_the_next_question(settings: Settings) -> None:
    async with serving_rack(settings, titles=True) as rack:
        rack.slow_down("small")
        file, conversation = await rack.upload("towns.md", GUIDE), await rack.server.begin()
        rack.reading = True
        await rack.shown(conversation, "How often is the mayor of Ghent elected?", file)
        await asyncio.wait_for(rack.heard.get(), 60)
        await asyncio.sleep(2 * IDLE_DELAY_S)
        assert rack.asked.empty()
        rack.reading = False
        await rack.prefill(conversation=conversation)
        assert "mayor of Ghent" in await asyncio.wait_for(rack.asked.get(), 60)


async def test_of_a_file_that_is_asked_about_at_once_a_slow_model_is_shown_what_is_nearest(rack: Rack) -> None:
    rack.slow_down("small")
    with rack.server.app.idle.answering():  # embedding in the background gives way
        file = await rack.upload("towns.md", GUIDE, waits=True)
        conversation = await rack.server.begin()
        shown = await rack.shown(conversation, "How often is the mayor of Ghent elected?", file)
        assert (await rack.server.get(f"/api/files/{file}")).body["embedded"] == 0
    assert TOWNS.index("Ghent") in shown
    assert len(shown) < len(TOWNS)
