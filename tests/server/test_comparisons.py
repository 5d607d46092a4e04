"""Comparisons: several models answer one question side by side, each in a run of its own, until one is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from eclair.llm.registry import Registry
from eclair.schema.ids import new_id
from eclair.settings import EngineSettings, Settings
from tests.llm.standin import Call, StandIn, standing_in
from tests.support import JSON, Server, serving, text_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODELS = ["acme/one", "acme/two", "acme/three"]


class Trio(StandIn):
    """A server with three models, which say their names; what a question calls `held` waits for `go`."""

    def __init__(self, standin: StandIn) -> None:
        super().__init__(standin.url)
        rows = [{"id": id, "max_model_len": 32768} for id in MODELS]
        standin.routes["/v1/models"] = lambda call: call.reply(200, orjson.dumps({"data": rows}))
        standin.routes["/v1/chat/completions"] = self._answer
        self.go = asyncio.Event()
        self.all_busy = asyncio.Event()
        self.busy = set[str]()
        self.most = 0

    async def _answer(self, call: Call) -> None:
        model: str = call.json["model"]
        self.busy.add(model)
        self.most = max(self.most, len(self.busy))
        if self.most == len(MODELS):
            self.all_busy.set()
        try:
            if "held" in call.json["messages"][-1]["content"]:
                await self.go.wait()
            row = {"choices": [{"index": 0, "delta": {"content": f"I am {model}."}, "finish_reason": "stop"}]}
            await call.stream(b"data: " + orjson.dumps(row) + b"\n\n", b"data: [DONE]\n\n")
        finally:
            self.busy.discard(model)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trio() -> AsyncGenerator[Trio]:
    async with standing_in() as standin:
        yield Trio(standin)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(trio: Trio, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    folder: Path = tmp_path_factory.mktemp("comparisons")
    engines = {"trio": EngineSettings(f"{trio.url}/v1")}
    settings = Settings(data_dir=folder / "data", embedded=False, port=0, titles=False, engines=engines)
    async with serving(settings) as server:
        yield server


@pytest.fixture(autouse=True)
def waiting(trio: Trio) -> Iterator[None]:
    trio.go = asyncio.Event()
    trio.all_busy = asyncio.Event()
    trio.most = 0
    yield
    trio.go.set()


async def compare(server: Server, text: str, models: list[str] = MODELS[:2], **more: Any) -> tuple[str, JSON]:
    conversation = await server.begin()
    return conversation, await server.turn(conversation, text=text, models=models, **more)


def answers(turn: JSON) -> list[JSON]:
    return [turn, *turn["beside"]]


async def follow_all(server: Server, conversation: str) -> list[tuple[str, JSON]]:
    """Return every event of the answers that are being written, each with its run."""
    async with server.open(f"/api/conversations/{conversation}/events") as reply:
        frames = (await reply.read()).decode().split("\n\n")
    pairs = [frame.split("\n", 1) for frame in frames if frame.startswith("event: ")]
    return [(name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))) for name, data in pairs]


async def waits(server: Server, run: str) -> None:
    """Wait until the answer waits for its turn."""
    async with server.open(f"/api/runs/{run}/events") as reply:
        async for line in reply.content:
            if b"step.started" in line:
                return


async def test_models_answer_at_once_and_one_answer_is_kept(server: Server, trio: Trio) -> None:
    conversation, turn = await compare(server, "Who are you? held", MODELS)
    assert [answer["model"] for answer in answers(turn)] == MODELS
    followed = asyncio.create_task(follow_all(server, conversation))
    await trio.all_busy.wait()
    trio.go.set()
    events = await followed
    for answer in answers(turn):
        mine = [event for run, event in events if run == answer["run"]]
        assert [event["seq"] for event in mine] == list(range(1, len(mine) + 1))
        assert mine[-1]["type"] == "run.finished"
        assert text_of(await server.message(answer["run"])) == f"I am {answer['model']}."
    tree = await server.tree(conversation)
    question = tree["messages"][0]
    ids = [answer["answer"] for answer in answers(turn)]
    assert question["comparison"] == {"answers": ids, "blind": False, "kept": None, "decided": None}
    assert {message["parent"] for message in tree["messages"][1:]} == {question["id"]}
    path = f"/api/conversations/{conversation}/comparisons/{question['id']}"
    kept = (await server.call("PUT", path, {"answer": ids[1]})).body
    assert kept["comparison"]["kept"] == ids[1]
    tree = await server.tree(conversation)
    assert tree["conversation"]["leaf"] == ids[1]
    assert len(tree["messages"]) == 4  # nothing is lost
    assert (await server.call("PUT", path, {"answer": question["id"]})).status == 404
    lines = (await server.get("/api/ratings/export")).raw.splitlines()
    (pair,) = [line for line in map(orjson.loads, lines) if line["conversation"] == conversation]
    assert pair["kind"] == "preference"
    assert pair["prompt"] == [{"role": "user", "content": "Who are you? held"}]
    assert pair["chosen"] == {"message": ids[1], "model": MODELS[1], "text": "I am acme/two."}
    assert [answer["model"] for answer in pair["rejected"]] == [MODELS[0], MODELS[2]]
    assert (await server.get("/api/ratings")).body["ratings"] == []  # a choice is no rating
    exported = (await server.get(f"/api/conversations/{conversation}/export?format=json")).body
    assert exported["messages"][0]["comparison"]["kept"] == ids[1]


async def test_one_answer_is_stopped_and_keeping_the_other_ends_the_rest(server: Server, trio: Trio) -> None:
    conversation, turn = await compare(server, "held", MODELS)
    first, second, third = answers(turn)
    await trio.all_busy.wait()
    path = f"/api/conversations/{conversation}/comparisons/{turn['message']}"
    assert (await server.call("PUT", path, {"answer": first["answer"]})).status == 409  # it is being written
    await server.post(f"/api/runs/{first['run']}/stop")
    assert (await server.message(second["run"]))["status"] == "running"
    assert (await server.call("PUT", path, {"answer": first["answer"]})).status == 200
    statuses = [(await server.message(each["run"]))["status"] for each in (first, second, third)]
    assert statuses == ["stopped", "stopped", "stopped"]


async def test_models_of_the_embedded_engine_answer_one_after_another(
    server: Server, trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry: Registry = server.app.registry
    engine, _ = await registry.resolve(MODELS[0])
    monkeypatch.setattr(registry, "local", engine)
    _, turn = await compare(server, "held")
    first, second = answers(turn)
    await waits(server, second["run"])
    (step,) = (await server.message(second["run"]))["steps"]
    assert (step["kind"], step["title"], step["milliseconds"]) == ("wait", "Waiting for acme/one", None)
    trio.go.set()
    ended = [await server.answered(each["run"]) for each in (first, second)]
    assert [text_of(each) for each in ended] == ["I am acme/one.", "I am acme/two."]
    assert trio.most == 1


async def test_a_stopped_answer_gives_its_turn_to_the_next(
    server: Server, trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry: Registry = server.app.registry
    engine, _ = await registry.resolve(MODELS[0])
    monkeypatch.setattr(registry, "local", engine)
    _, turn = await compare(server, "held", MODELS)
    first, second, third = answers(turn)
    await waits(server, second["run"])
    await server.post(f"/api/runs/{second['run']}/stop")  # before it has begun
    await server.post(f"/api/runs/{first['run']}/stop")
    trio.go.set()
    assert text_of(await server.answered(third["run"])) == "I am acme/three."
    assert (await server.message(second["run"]))["status"] == "stopped"


async def test_the_same_question_again_is_the_same_comparison(server: Server) -> None:
    id = new_id("msg")
    conversation, turn = await compare(server, "Who?", id=id)
    for each in answers(turn):
        await server.answered(each["run"])
    again = await server.turn(conversation, text="Who?", models=MODELS[:2], id=id)
    assert [(each["run"], each["answer"], each["model"]) for each in answers(again)] == [
        (each["run"], each["answer"], each["model"]) for each in answers(turn)
    ]
    assert len((await server.tree(conversation))["messages"]) == 3


async def test_a_blind_comparison_has_an_order_by_chance(server: Server) -> None:
    orders = set[str]()
    while len(orders) < 2:
        _, turn = await compare(server, "Who?", MODELS, blind=True)
        orders.add(" ".join(answer["model"] for answer in answers(turn)))
        for each in answers(turn):
            await server.answered(each["run"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"models": MODELS[:1]},
        {"models": [MODELS[0], MODELS[0]]},
        {"models": [*MODELS, "acme/four"]},
        {"models": MODELS[:2], "model": MODELS[0]},
        {"models": MODELS[:2], "research": ["What?"]},
    ],
)
async def test_what_is_no_comparison_is_refused(server: Server, wrong: JSON) -> None:
    conversation = await server.begin()
    reply = await server.post(f"/api/conversations/{conversation}/turns", {"text": "Who?", **wrong})
    assert (reply.status, reply.error["param"]) == (400, "models")
    missing = {"text": "Who?", "models": [MODELS[0], "acme/none"]}
    assert (await server.post(f"/api/conversations/{conversation}/turns", missing)).status == 404
    assert (await server.tree(conversation))["messages"] == []
