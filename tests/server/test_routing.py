"""Flash, auto and think over HTTP; and that a conversation remembers who answers in it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from eclair.schema.ids import new_id
from eclair.settings import EngineSettings, Settings
from tests.llm.standin import Call, StandIn, standing_in
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLAIN = "Qwen/Qwen2.5-Coder-1.5B-Instruct"
SMALL, BIG, EMBEDDINGS = "acme/small-1b", "Qwen/Qwen3-32B", "bge-m3"


class Rack(StandIn):
    """A server with a small model and a large one that thinks."""

    def __init__(self, standin: StandIn, models: Sequence[str] = (SMALL, BIG, EMBEDDINGS)) -> None:
        super().__init__(standin.url)
        rows = [{"id": id, "owned_by": "vllm", "max_model_len": 32768} for id in models]
        standin.routes["/v1/models"] = lambda call: call.reply(200, orjson.dumps({"data": rows}))
        standin.routes["/v1/chat/completions"] = self._answer
        self.asked: list[JSON] = []

    async def _answer(self, call: Call) -> None:
        self.asked.append(call.json)
        reason = "length" if call.json.get("max_tokens") == 1 else "stop"
        row = {"choices": [{"index": 0, "delta": {"content": call.json["model"]}, "finish_reason": reason}]}
        await call.stream(b"data: " + orjson.dumps(row) + b"\n\n", b"data: [DONE]\n\n")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rack() -> AsyncGenerator[Rack]:
    async with standing_in() as standin:
        yield Rack(standin)


def settings_of(folder: Path, **more: object) -> Settings:
    return Settings(data_dir=folder / "data", embedded=False, port=0, titles=False, **more)  # pyright: ignore[reportArgumentType]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(rack: Rack, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    engines = {"rack": EngineSettings(f"{rack.url}/v1")}
    async with serving(settings_of(tmp_path_factory.mktemp("modes"), engines=engines, max_tokens=500)) as server:
        yield server


@pytest.fixture(autouse=True)
def forgetful(rack: Rack) -> None:
    rack.asked.clear()


def thinking(asked: JSON) -> object:
    return asked.get("chat_template_kwargs", asked.get("reasoning_effort"))


async def test_who_answers_in_which_mode(server: Server, rack: Rack) -> None:
    id = await server.begin()
    plain = await server.say(id, "Hello?")
    assert (plain["model"], plain["remarks"], thinking(rack.asked[-1])) == (SMALL, [], None), "as it always was"
    flash = await server.say(id, "Hello?", mode="flash")
    assert (flash["model"], flash["remarks"]) == (SMALL, [])
    think = await server.say(id, "Hello?", mode="think")
    assert (think["model"], think["remarks"]) == (BIG, [])
    assert thinking(rack.asked[-1]) == {"enable_thinking": True}
    assert rack.asked[-1]["max_tokens"] == 4 * rack.asked[-2]["max_tokens"], "thoughts have room beside the answer"


async def test_auto_says_why(server: Server, rack: Rack) -> None:
    id = await server.begin()
    short = await server.say(id, "Hello?", mode="auto")
    assert short["model"] == SMALL
    assert short["remarks"] == [
        {"code": "routed_short", "message": f"Flash, with {SMALL}: a short question.", "language": None}
    ]
    sums = await server.say(id, "What is 17 * 23?", mode="auto")
    assert sums["model"] == BIG
    assert [remark["code"] for remark in sums["remarks"]] == ["routed_numbers"]
    easy = await server.say(id, "What is 2+2?", mode="auto")
    assert easy["model"] == SMALL
    proof = await server.say(id, "Plan a trip step by step, and prove which way is cheaper", mode="auto")
    assert proof["model"] == BIG
    assert proof["remarks"][0]["message"] == f"Think, with {BIG}: a question to think through."


async def test_auto_is_flash_in_a_conversation_by_voice(server: Server, rack: Rack) -> None:
    spoken = await server.say(await server.begin(), "What is 17 * 23?", mode="auto", spoken=True)
    assert (spoken["model"], spoken["remarks"]) == (SMALL, [])
    chosen = await server.say(await server.begin(), "What is 17 * 23?", mode="think", spoken=True)
    assert chosen["model"] == BIG


async def test_auto_says_nothing_where_both_modes_are_the_same(tmp_path: Path) -> None:
    """One model that cannot think is asked the same way in either mode."""
    async with standing_in() as standin:
        rack = Rack(standin, [PLAIN])
        engines = {"rack": EngineSettings(f"{rack.url}/v1")}
        async with serving(settings_of(tmp_path, engines=engines)) as server:
            id = await server.begin()
            for question in ("Hello?", "Plan a trip step by step, and prove which way is cheaper"):
                answer = await server.say(id, question, mode="auto")
                assert (answer["model"], answer["remarks"]) == (PLAIN, [])
            assert [asked.get("max_tokens") for asked in rack.asked] == [None, None], "the window is the limit"
            await server.say(id, "Hello?", max_tokens=7)
            assert rack.asked[-1]["max_tokens"] == 7


async def test_a_named_model_is_only_told_whether_to_think(server: Server, rack: Rack) -> None:
    id = await server.begin()
    for mode, wish in (("flash", False), ("think", True), ("auto", False)):
        answer = await server.say(id, "Hello?", mode=mode, model=BIG)
        assert answer["model"] == BIG
        assert thinking(rack.asked[-1]) == {"enable_thinking": wish}
        assert bool(answer["remarks"]) == (mode == "auto")


async def test_what_is_taken_up_is_taken_up_by_the_same_and_without_thinking(server: Server, rack: Rack) -> None:
    id = await server.begin()
    begun = await server.ask(id, "Hello?", mode="think", max_tokens=1)
    answer = await server.answered(begun["run"])
    assert (answer["model"], thinking(rack.asked[-1])) == (BIG, {"enable_thinking": True})
    begun = await server.turn(id, **{"continue": answer["id"]}, mode="auto")
    answer = await server.answered(begun["run"])
    assert (answer["model"], answer["remarks"]) == (BIG, [])
    assert thinking(rack.asked[-1]) == {"enable_thinking": False}


async def test_what_the_page_is_told(server: Server) -> None:
    listed = (await server.get("/api/models")).body
    assert listed["picks"] == {"flash": SMALL, "think": BIG}
    assert {model["id"]: model["thinks"] for model in listed["models"]}[BIG] == "enable_thinking"


async def test_an_engine_elsewhere_is_not_chosen_by_itself(rack: Rack, tmp_path: Path) -> None:
    far = EngineSettings("https://api.example.org/v1", models=("giant-900b",))
    engines = {"rack": EngineSettings(f"{rack.url}/v1"), "far": far}
    async with serving(settings_of(tmp_path, engines=engines)) as server:
        assert (await server.get("/api/models")).body["picks"] == {"flash": SMALL, "think": BIG}


async def test_a_mode_that_is_none_is_refused(server: Server) -> None:
    reply = await server.post("/api/conversations", {"turn": {"text": "Hello?", "mode": "fast"}})
    assert reply.status == 400
    assert "mode" in reply.error["message"]


# /v1


async def test_v1_takes_a_mode_for_a_model(server: Server, rack: Rack) -> None:
    ids = [model["id"] for model in (await server.get("/v1/models")).body["data"]]
    assert ids == [SMALL, BIG, EMBEDDINGS, "flash", "auto", "think", "multilingual-e5-small"]
    embedding = (await server.get(f"/v1/models/{EMBEDDINGS}")).body["capabilities"]
    assert (embedding["completion_chat"], embedding["embeddings"]) == (False, True)
    assert (await server.get("/v1/models/think")).body["owned_by"] == "eclair"
    for name, model in (("flash", SMALL), ("think", BIG), ("auto", SMALL)):
        body = {"model": name, "messages": [{"role": "user", "content": "Hello?"}]}
        reply = await server.post("/v1/chat/completions", body)
        assert (reply.status, reply.body["model"]) == (200, model)
    assert thinking(rack.asked[1]) == {"enable_thinking": True}
    code = {"model": "auto", "messages": [{"role": "user", "content": "```\nx\n```"}]}
    assert (await server.post("/v1/chat/completions", code)).body["model"] == BIG
    assert (await server.post("/v1/responses", {"model": "think", "input": "Hello?"})).body["model"] == BIG
    message = {"model": "think", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello?"}]}
    assert (await server.post("/v1/messages", message)).body["model"] == BIG


@pytest.mark.parametrize(("effort", "wish"), [("none", False), ("minimal", False), ("low", False), ("high", True)])
async def test_v1_honours_the_effort(server: Server, rack: Rack, effort: str, wish: bool) -> None:
    body = {"model": BIG, "messages": [{"role": "user", "content": "Hello?"}], "reasoning_effort": effort}
    assert (await server.post("/v1/chat/completions", body)).status == 200
    assert thinking(rack.asked[-1]) == {"enable_thinking": wish}


async def test_the_effort_goes_before_the_mode(server: Server, rack: Rack) -> None:
    body = {"model": "think", "messages": [{"role": "user", "content": "Hello?"}], "reasoning_effort": "none"}
    assert (await server.post("/v1/chat/completions", body)).body["model"] == BIG
    assert thinking(rack.asked[-1]) == {"enable_thinking": False}


# What a conversation remembers


async def test_a_conversation_remembers_who_answers(server: Server, rack: Rack) -> None:
    id = await server.begin()
    changed = await server.call("PATCH", f"/api/conversations/{id}", {"model": BIG, "mode": "flash"})
    assert (changed.body["model"], changed.body["mode"]) == (BIG, "flash")
    assert (await server.say(id, "Hello?"))["model"] == BIG
    assert thinking(rack.asked[-1]) == {"enable_thinking": False}
    assert (await server.say(id, "Hello?", model=SMALL))["model"] == SMALL, "for this once"
    kept = (await server.tree(id))["conversation"]
    assert (kept["model"], kept["mode"]) == (BIG, "flash")
    await server.call("PATCH", f"/api/conversations/{id}", {"title": "Bread"})
    kept = (await server.tree(id))["conversation"]
    assert (kept["title"], kept["model"], kept["mode"]) == ("Bread", BIG, "flash")
    cleared = await server.call("PATCH", f"/api/conversations/{id}", {"model": None, "mode": None})
    assert (cleared.body["model"], cleared.body["mode"]) == (None, None)
    assert (await server.say(id, "Hello?"))["model"] == SMALL


async def test_it_goes_before_what_the_person_prefers_while_it_is_there(server: Server) -> None:
    id = await server.begin(model=BIG)
    assert (await server.say(id, "Hello?"))["model"] == BIG
    await server.call("PUT", "/api/preferences", {"version": 0, "model": SMALL})
    assert (await server.say(id, "Hello?"))["model"] == BIG
    other = await server.begin()
    assert (await server.say(other, "Hello?", mode="think"))["model"] == SMALL, "what is preferred is chosen"
    await server.call("PUT", "/api/preferences", {"version": 1, "model": None})


async def test_a_conversation_begins_with_it(server: Server) -> None:
    body = {"id": new_id("conv"), "model": BIG, "mode": "think", "turn": {"text": "Hello?", "model": SMALL}}
    begun = await server.post("/api/conversations", body)
    assert (begun.status, begun.body["model"]) == (202, SMALL)
    kept = (await server.tree(begun.body["conversation"]))["conversation"]
    assert (kept["model"], kept["mode"]) == (BIG, "think")


async def test_a_model_that_is_not_there_is_not_remembered(server: Server) -> None:
    id = await server.begin()
    reply = await server.call("PATCH", f"/api/conversations/{id}", {"model": "gpt-9"})
    assert reply.status == 404
    assert "There is no model 'gpt-9'" in reply.error["message"]
    assert (await server.post("/api/conversations", {"model": "gpt-9"})).status == 404
    assert (await server.tree(id))["conversation"]["model"] is None


async def test_it_is_exported_and_comes_back(server: Server) -> None:
    id = await server.begin(model=BIG, mode="auto")
    await server.say(id, "Hello?")
    exported = await server.get(f"/api/conversations/{id}/export?format=json")
    await server.call("DELETE", f"/api/conversations/{id}?forever=true")
    staged = await server.post("/api/imports?name=a.json", data=exported.raw)
    await server.post(f"/api/imports/{staged.body['id']}")
    kept = (await server.tree(id))["conversation"]
    assert (kept["model"], kept["mode"]) == (BIG, "auto")
