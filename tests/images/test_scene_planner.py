"""Clip art laid out by a capable language model: its plan is used, bounded, and done without where it fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import orjson
import pytest
import pytest_asyncio
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from eclair.images.backends.clipart import scene_planner
from eclair.images.backends.clipart.book import book
from eclair.images.backends.clipart.scene import MAX_PICTURES
from eclair.images.backends.clipart.scene_planner import scene_of, schema
from eclair.settings import EngineSettings, Settings
from tests.images.support import SMALL, drawn
from tests.llm.standin import Call, standing_in
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

BIG, SMALL_MODEL = "Qwen/Qwen3-32B", "Qwen/Qwen3-0.6B"
PROMPT = "un bateau à voile près d'un phare, le soir"
PLAN: JSON = {
    "items": [
        {"name": "sailboat", "count": 1, "color": None, "size": "large", "row": 0},
        {"name": "cats", "count": 2, "color": "blue", "size": "medium", "row": 1},
    ],
    "missing": ["le soir"],
}


class Planner:
    """A server with one model, which answers every question with `said`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.model = BIG
        self.said: str | Callable[[Call], Awaitable[None]] = orjson.dumps(PLAN).decode()
        self.asked: list[JSON] = []

    async def models(self, call: Call) -> None:
        row = {"id": self.model, "owned_by": "vllm", "max_model_len": 32768}
        await call.reply(200, orjson.dumps({"data": [row]}))

    async def answer(self, call: Call) -> None:
        self.asked.append(call.json)
        if not isinstance(self.said, str):
            await self.said(call)
            return
        row = {"choices": [{"index": 0, "delta": {"content": self.said}, "finish_reason": "stop"}]}
        await call.stream(b"data: " + orjson.dumps(row) + b"\n\n", b"data: [DONE]\n\n")


@pytest_asyncio.fixture(loop_scope="module")
async def planner() -> AsyncGenerator[Planner]:
    async with standing_in() as standin:
        planner = Planner(standin.url)
        standin.routes["/v1/models"] = planner.models
        standin.routes["/v1/chat/completions"] = planner.answer
        yield planner


@pytest_asyncio.fixture(loop_scope="module")
async def drawing(planner: Planner, settings: Settings, request: pytest.FixtureRequest) -> AsyncGenerator[Server]:
    planner.model = getattr(request, "param", BIG)
    engines = {"rack": EngineSettings(f"{planner.url}/v1")}
    more: dict[str, Any] = {"engines": engines, "embedded": False, "scripted": False, "titles": False}
    async with serving(Settings(data_dir=settings.data_dir, port=0, embedder="off", **more)) as server:
        yield server


async def caption(server: Server, prompt: str = PROMPT, **wish: Any) -> str:
    """What is said to be drawn of each picture, which is the same."""
    events = await drawn(server, prompt, model="eclair-drawing", **wish)
    (said,) = {body["revised_prompt"] for name, body in events if name == "picture"}
    return said


async def test_a_capable_model_lays_out_what_the_words_do_not_tell(drawing: Server, planner: Planner) -> None:
    assert await caption(drawing) == "Drawn: large sailboat, 2 blue cats. Not drawn: le soir."
    (asked,) = planner.asked
    assert asked["model"] == BIG
    assert asked["response_format"]["json_schema"]["schema"] == schema()
    assert PROMPT in asked["messages"][-1]["content"]


async def test_what_no_picture_shows_is_named_though_the_plan_leaves_it_out(drawing: Server, planner: Planner) -> None:
    items = [{"name": name, "count": 1, "color": None, "size": "medium", "row": 0} for name in ("dog", "guitar")]
    planner.said = orjson.dumps({"items": items, "missing": []}).decode()
    said = await caption(drawing, "Ein Hund spielt Gitarre für einen Zwerg")
    assert said == "Drawn: dog, guitar. Not drawn: spielt."


async def test_several_pictures_have_one_plan(drawing: Server, planner: Planner) -> None:
    assert await caption(drawing, count=3) == "Drawn: large sailboat, 2 blue cats. Not drawn: le soir."
    assert len(planner.asked) == 1


async def test_where_every_word_is_known_no_model_is_asked(drawing: Server, planner: Planner) -> None:
    assert await caption(drawing, "three cats and a red apple") == "Drawn: 3 cats, red apple."
    assert planner.asked == []


@pytest.mark.parametrize("drawing", [SMALL_MODEL], indirect=True)
async def test_a_small_model_is_not_asked(drawing: Server, planner: Planner) -> None:
    assert await caption(drawing, "a cat, a dog and a time machine") == "Drawn: cat, dog. Not drawn: time machine."
    assert planner.asked == []


@pytest.mark.parametrize(
    "said",
    [
        "I cannot do that.",
        "{}",
        '{"items": "cat"}',
        '{"items": [{"count": 1}]}',
        '{"items": []}',
        '{"items": [{"name": "epistemology"}]}',
        '{"items": [{"name": "cat"}], "missing": ["one", "two"]}',
        '{"items": [' + '{"name": "cat"},' * 5000,
    ],
)
async def test_a_plan_that_is_none_leaves_the_words(drawing: Server, planner: Planner, said: str) -> None:
    planner.said = said
    assert await caption(drawing, "a cat, a dog and a time machine") == "Drawn: cat, dog. Not drawn: time machine."
    refused = await drawing.post("/api/pictures", {"prompt": "epistemology", "model": "eclair-drawing", **SMALL})
    assert (refused.status, refused.body["error"]["param"]) == (400, "prompt")
    assert len(planner.asked) == 2


async def test_a_server_that_fails_leaves_the_words(drawing: Server, planner: Planner) -> None:
    planner.said = lambda call: call.reply(500, b'{"error": {"message": "out of memory"}}')
    assert await caption(drawing, "a cat, a dog and a time machine") == "Drawn: cat, dog. Not drawn: time machine."


async def test_a_server_that_is_too_slow_leaves_the_words(
    drawing: Server, planner: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = asyncio.Event()

    async def wait(call: Call) -> None:
        await released.wait()

    monkeypatch.setattr(scene_planner, "PLAN_TIMEOUT_S", 0.5)
    planner.said = wait
    assert await caption(drawing, "a cat, a dog and a time machine") == "Drawn: cat, dog. Not drawn: time machine."
    released.set()


async def test_a_plan_is_bounded() -> None:
    items = [
        {"name": "Red  Apple", "count": 500, "color": "ultraviolet", "size": "enormous", "row": 99},
        {"name": "cat", "count": -3, "color": "red", "row": -99},
        {"name": "bat\n" + "x" * 100},
    ]
    scene = scene_of(orjson.dumps({"items": items, "missing": ["a" * 100, " ", "two\nlines"]}).decode())
    (apple,) = scene.items
    assert (book().pictures[apple.picture][0], apple.words) == ("red-apple", "Red Apple")
    assert (apple.count, apple.color, apple.size, apple.row) == (MAX_PICTURES, None, 1.0, 2)
    assert scene.unknown == ("a" * 40, "two lines", "bat " + "x" * 36)


ITEM = st.fixed_dictionaries(
    {"name": st.sampled_from(["cat", "dogs", "bat", "blue apple", ""]) | st.text(max_size=50)},
    optional={
        "count": st.integers(),
        "color": st.none() | st.sampled_from(["red", "no color"]),
        "size": st.text(max_size=6),
        "row": st.integers(),
        "more": st.none(),
    },
)
JSON_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each, max_size=3)
)


@given(st.fixed_dictionaries({"items": st.lists(ITEM, max_size=20) | JSON_VALUE}, optional={"missing": JSON_VALUE}))
@example({"items": [{"name": "cat", "count": 10**400}]})
async def test_any_plan_is_a_scene_or_refused(plan: JSON) -> None:
    try:
        scene = scene_of(json.dumps(plan))
    except ValidationError:
        return
    assert sum(item.count for item in scene.items) <= MAX_PICTURES
    assert all(item.count > 0 and abs(item.row) <= 2 for item in scene.items)
    assert scene.caption
