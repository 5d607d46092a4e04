"""Clip art through the doors: what was drawn and what was not is said alike everywhere, and refusals are sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import Eclair
from tests.images.support import SMALL, drawn
from tests.support import JSON, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = "eclair-drawing"
PROMPT = "3 cats, a red apple and a time machine"
CAPTION = "Drawn: 3 cats, red apple. Not drawn: time machine."


async def test_the_caption_is_the_same_at_every_door(server: Server) -> None:
    events = await drawn(server, PROMPT, model=MODEL)
    (made,) = [body for name, body in events if name == "picture"]
    assert (made["prompt"], made["revised_prompt"]) == (PROMPT, CAPTION)
    kept = (await server.get(f"/api/pictures/{made['id']}")).body
    listed = (await server.get("/api/pictures")).body["pictures"][0]
    assert kept["revised_prompt"] == listed["revised_prompt"] == CAPTION

    reply = await server.post("/v1/images/generations", {"prompt": PROMPT, "model": MODEL, "size": "64x64"})
    assert reply.body["data"][0]["revised_prompt"] == CAPTION

    conversation = await server.begin()
    answer = await server.say(conversation, PROMPT, draw={**SMALL, "model": MODEL})
    assert [part["text"] for part in answer["parts"]] == [CAPTION]


async def test_a_model_that_says_nothing_of_the_prompt_has_no_revised_one(server: Server) -> None:
    events = await drawn(server, "a blue apple", model="scripted-picture")
    (made,) = [body for name, body in events if name == "picture"]
    assert made["revised_prompt"] is None


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a bateau and some epistemology", "“bateau”, “epistemology”"),
        ("une voile et un bateau", "“voile”"),
        ("eine Bank", "“Bank”"),
        ("una vela", "“vela”"),
    ],
)
async def test_a_refusal_is_a_sentence_at_every_door(server: Server, prompt: str, words: str) -> None:
    sentence = (
        f"There is no clip art of {words}; name other things, or pull a model that draws anything with "
        "`eclair pull flux-1-schnell`."
    )
    conversation = await server.begin()
    for path, body in (
        ("/api/pictures", {"prompt": prompt, "model": MODEL, **SMALL}),
        ("/v1/images/generations", {"prompt": prompt, "model": MODEL, "size": "64x64"}),
        (f"/api/conversations/{conversation}/turns", {"text": prompt, "draw": {"model": MODEL, **SMALL}}),
    ):
        reply = await server.post(path, body)
        fault = reply.body["error"]
        assert (reply.status, fault["message"], fault["param"]) == (400, sentence, "prompt")
    assert (await server.tree(conversation))["messages"] == []


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"width": 65}, "width"),
        ({"width": 4096, "height": 4096}, "width"),
        ({"style": "photo"}, "style"),
        ({"steps": 4}, "steps"),
    ],
)
async def test_what_clip_art_does_not_have_is_refused_by_its_name(
    server: Server, wish: dict[str, Any], param: str
) -> None:
    body: JSON = {"prompt": "a cat", "model": MODEL, **SMALL, **wish}
    reply = await server.post("/api/pictures", body)
    assert (reply.status, reply.body["error"]["param"]) == (400, param)


async def test_the_terminal_says_what_was_drawn(tmp_path: Path) -> None:
    run, out = Eclair(tmp_path / "home"), tmp_path / "out.png"
    done = run("draw", PROMPT, "--model", MODEL, "-o", str(out))
    assert (done.returncode, done.stdout) == (0, f"{out}\n")
    refused = run("draw", "une", "voile", "--model", MODEL, "-o", str(out))
    assert refused.returncode == 2
    assert "There is no clip art of “voile”" in refused.stderr
