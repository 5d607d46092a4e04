"""Pictures through the HTTP door: as they are wished, in turn, marked, kept, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import math
from contextlib import aclosing
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from eclair.images.styles import styles
from eclair.schema.images import ImageFinished, ImageRequest
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from tests.documents import photos
from tests.images.support import (
    SMALL,
    content,
    drawn,
    events,
    generator,
    marks,
    opened,
    picture,
    png,
    until,
)
from tests.provenance.made import malformed
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_draws_is_listed(server: Server) -> None:
    listed = (await server.get("/api/pictures/models")).body
    models = {model["id"]: model for model in listed["models"]}
    assert [id for id, model in models.items() if model["default"]] == ["scripted-picture"]
    assert models["scripted-drawing"]["drawn"]
    assert models["scripted-absent"]["state"] == "absent"
    assert {style["name"] for style in listed["styles"]} == set(styles())
    assert all(style["title"] for style in listed["styles"])


async def test_a_picture_comes_with_its_progress_and_is_kept(server: Server, tmp_path: Path) -> None:
    found = await drawn(server, "a blue apple", seed=7)
    *progress, (last, made) = found
    assert {name for name, _ in progress} == {"progress"}
    assert [body["done"] for _, body in progress] == [0, 1, 2, 3, 4]
    assert [body["preview"] for _, body in progress] == [None, 1, 2, 3, 4]
    assert {body["picture"] for _, body in progress} == {made["id"]}
    assert last == "picture"
    assert (made["prompt"], made["model"], made["seed"], made["media"]) == (
        "a blue apple",
        "scripted-picture",
        7,
        "image/png",
    )
    assert (made["width"], made["height"], made["conversation"]) == (64, 64, None)
    assert not {"owner", "blob", "thumbnail"} & made.keys()
    assert (await server.get(f"/api/pictures/{made['id']}")).body == made

    data = await content(server, made["id"])
    assert len(data) == made["size"]
    assert opened(data).size == (64, 64)
    report = await marks(server, data, tmp_path)
    assert (report.made, report.credentials.model, report.credentials.trust) == ("created", "scripted-picture", "own")
    assert report.metadata.how == "created"


async def test_it_is_shown_and_saved(server: Server) -> None:
    made = await picture(server, "Ein Apfel – blau", width=1024, height=512)
    shown = await server.get(f"/api/pictures/{made['id']}/content")
    assert shown.headers["content-type"] == "image/png"
    assert "immutable" in shown.headers["cache-control"]
    assert "content-disposition" not in shown.headers
    saved = await server.get(f"/api/pictures/{made['id']}/content?download=1")
    assert saved.headers["content-disposition"].startswith('attachment; filename="Ein-Apfel')
    small = await server.get(f"/api/pictures/{made['id']}/thumbnail")
    assert small.headers["content-type"] == "image/webp"
    assert opened(small.raw).size == (320, 160)
    assert b"trainedAlgorithmicMedia" in small.raw


async def test_the_same_seed_draws_the_same_and_several_have_seeds_in_a_row(server: Server) -> None:
    first = [body for name, body in await drawn(server, "two", count=2, seed=5) if name == "picture"]
    assert [each["seed"] for each in first] == [5, 6]
    jobs = generator(server).requested[-2:]
    again = await picture(server, "two", seed=6)
    assert opened(await content(server, again["id"])).tobytes() == (
        opened(await content(server, first[1]["id"])).tobytes()
    )
    assert [job.seed for job in jobs] == [5, 6]
    seeds = {(await picture(server, "by chance"))["seed"] for _ in range(3)}
    assert len(seeds) == 3


async def test_a_style_adds_words_that_the_model_reads(server: Server) -> None:
    made = await picture(server, "a blue apple.", style="watercolour", negative="people", guidance=2.5, steps=6)
    job = generator(server).requested[-1]
    assert job.prompt == f"a blue apple, {styles()['watercolour'].suffix}"
    assert (job.negative, job.guidance, job.steps) == ("people", 2.5, 6)
    assert (made["prompt"], made["style"], made["negative"]) == ("a blue apple.", "watercolour", "people")


@pytest.mark.parametrize(
    ("wish", "param", "sentence"),
    [
        ({"prompt": " "}, "prompt", "describe the image"),
        ({"prompt": "x" * 4001}, "prompt", "limit is 4,000"),
        ({"width": 77}, "width", "multiples of 8 from 64 to 1024 pixels, not 77 × 64; ask for 80 × 64"),
        ({"height": 4096}, "height", "ask for 64 × 1024"),
        ({"count": 11}, "count", "from 1 to 10"),
        ({"count": 0}, "count", "from 1 to 10"),
        ({"seed": -1}, "seed", "from 0"),
        ({"steps": 0}, "steps", "from 1"),
        ({"strength": 0.5}, "strength", "needs an image to edit"),
        ({"style": "nothing"}, "style", "There is no style 'nothing'"),
        ({"model": "scripted-drawing", "style": "photo"}, "style", "a style of its own"),
        ({"model": "scripted-drawing", "steps": 3}, "steps", "no setting for steps"),
        ({"model": "scripted-drawing", "negative": "red"}, "negative", "takes no negative prompt"),
        ({"model": "scripted-locked"}, "model", "needs a key"),
        ({"model": "dall-e-2"}, "model", "There is no image model 'dall-e-2'"),
        ({"model": "scripted-absent"}, None, "`eclair pull scripted-absent`"),
        ({"sources": ["pic_none"]}, None, "There is no image"),
        ({"sources": ["file_none"]}, None, "There is no file"),
        ({"colour": "red"}, "colour", "does not know the field"),
    ],
)
async def test_what_cannot_be_made_is_refused_in_a_sentence(
    server: Server, wish: dict[str, object], param: str | None, sentence: str
) -> None:
    before = len(generator(server).requested)
    reply = await server.post("/api/pictures", {"prompt": "x", **SMALL, **wish})
    assert reply.status in (400, 403, 404, 413, 503), reply
    assert sentence in reply.error["message"], reply.error
    assert reply.error["param"] == param
    assert len(generator(server).requested) == before


@pytest.mark.parametrize(
    ("script", "sentence"),
    [("fail=2", "broke off"), ("nothing=1", "ended without an image"), ("broken=1", "returned what can't be stored")],
)
async def test_a_generator_that_fails_is_a_fault_and_leaves_nothing(server: Server, script: str, sentence: str) -> None:
    count = len((await server.get("/api/pictures?limit=200")).body["pictures"])
    name, fault = (await drawn(server, f"script: {script}"))[-1]
    assert name == "fault"
    assert sentence in fault["message"]
    assert len((await server.get("/api/pictures?limit=200")).body["pictures"]) == count
    assert (await picture(server))["id"]  # the next one has its turn


async def test_a_picture_in_the_making_can_be_looked_at(server: Server) -> None:
    drawer = generator(server)
    async with aclosing(events(server, "script: pause=0.1", steps=8)) as making:
        async for name, body in making:
            if name == "progress" and body["preview"] == 2:
                drawer.unpaused.clear()
                look = await server.get(f"/api/pictures/{body['picture']}/preview")
                assert (look.status, look.headers["content-type"]) == (200, "image/png")
                assert opened(look.raw).size == (64, 64)
                assert look.headers["cache-control"] == "no-store"
                drawer.unpaused.set()
            if name == "picture":
                assert (await server.get(f"/api/pictures/{body['id']}/preview")).status == 404


async def test_closing_the_line_stops_the_work_within_a_step(server: Server) -> None:
    drawer = generator(server)
    count = len((await server.get("/api/pictures?limit=200")).body["pictures"])
    made = drawer.steps_made
    async with aclosing(events(server, "script: pause=0.2", steps=100)) as making:
        async for _, body in making:
            if body.get("done") == 2:
                break
    await until(lambda: not server.app.images.running)
    stopped = drawer.steps_made
    assert 2 <= stopped - made < 100
    await asyncio.sleep(1)
    assert drawer.steps_made == stopped
    assert len((await server.get("/api/pictures?limit=200")).body["pictures"]) == count


async def test_two_wait_for_each_other_and_hear_their_place(server: Server) -> None:
    drawer = generator(server)
    drawer.unpaused.clear()
    began = len(drawer.requested)
    first = asyncio.create_task(drawn(server, "first", count=2))
    await until(lambda: len(drawer.requested) == began + 1)
    second = asyncio.create_task(drawn(server, "second"))
    await until(lambda: server.app.images.waiting == 1)
    drawer.unpaused.set()
    found = await second
    assert found[0] == ("waiting", {"before": 1})
    assert found[-1][0] == "picture"
    assert [name for name, _ in await first].count("picture") == 2
    assert [job.prompt for job in drawer.requested[began:]] == ["first", "second", "first"]


async def test_who_leaves_while_waiting_leaves_the_queue(server: Server) -> None:
    drawer = generator(server)
    drawer.unpaused.clear()
    began = len(drawer.requested)
    first = asyncio.create_task(drawn(server, "first"))
    await until(lambda: len(drawer.requested) == began + 1)
    async with aclosing(events(server, "second")) as making:
        assert await anext(making) == ("waiting", {"before": 1})
    await until(lambda: server.app.images.waiting == 0)
    drawer.unpaused.set()
    assert (await first)[-1][0] == "picture"
    assert [job.prompt for job in drawer.requested[began:]] == ["first"]


async def test_one_who_wants_much_does_not_keep_others_waiting(server: Server) -> None:
    drawer, studio = generator(server), server.app.images
    drawer.unpaused.clear()
    began = len(drawer.requested)

    async def draws(owner: str, count: int) -> None:
        commission = await studio.prepare(Principal(owner), owner, ImageRequest(count, 64, 64))
        async with aclosing(studio.generate(commission)) as making:
            async for _ in making:
                pass

    greedy = [asyncio.create_task(draws("greedy", 2)) for _ in range(4)]
    await until(lambda: studio.waiting == 3)
    modest = asyncio.create_task(draws("modest", 1))
    await until(lambda: studio.waiting == 4)
    drawer.unpaused.set()
    await asyncio.gather(*greedy, modest)
    owners = [job.principal.id for job in drawer.requested[began:]]
    assert owners[1] == "modest"
    assert owners.count("greedy") == 8


async def test_models_elsewhere_draw_together(server: Server) -> None:
    drawer = generator(server)
    drawer.unpaused.clear()
    began = len(drawer.requested)
    several = [asyncio.create_task(drawn(server, "far", model="scripted-elsewhere")) for _ in range(3)]
    await until(lambda: len(drawer.requested) == began + 3)
    drawer.unpaused.set()
    assert all(found[-1][0] == "picture" for found in await asyncio.gather(*several))


async def test_a_picture_is_edited(server: Server, tmp_path: Path) -> None:
    before = await picture(server, "before", width=256, height=128)
    made = await picture(server, "after", sources=[before["id"]], strength=0.0, width=None, height=None)
    assert (made["width"], made["height"], made["source"]) == (256, 128, before["id"])
    old, new = opened(await content(server, before["id"])), opened(await content(server, made["id"]))
    assert _difference(old, new) < 12
    report = await marks(server, await content(server, made["id"]), tmp_path)
    assert (report.made, report.metadata.how) == ("edited", "edited")


async def test_a_file_is_edited_where_its_mask_lets_it(server: Server) -> None:
    photo = photos.encoded(photos.quarters(256), "JPEG", exif=photos.exif(place=(48.8, 2.2), orientation=6))
    mask = Image.new("RGBA", (128, 128), "white")
    mask.paste((0, 0, 0, 0), (0, 0, 64, 64))
    ids: list[str] = []
    for name, data in (("photo.jpg", photo), ("mask.png", png(mask))):
        ids.append((await server.post(f"/api/files?name={name}", data=data)).body["id"])
    made = await picture(server, "x", sources=ids[:1], mask=ids[1], strength=1.0, width=256, height=256)
    new = opened(await content(server, made["id"])).convert("RGB")
    upright = photos.quarters(256).rotate(-90)
    stays, changes = (128, 128, 256, 256), (0, 0, 128, 128)
    assert _difference(new.crop(stays), upright.crop(stays)) < 12
    assert _difference(new.crop(changes), upright.crop(changes)) > 30


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (Image.new("RGB", (64, 64)), "transparent nowhere"),
        (Image.new("RGBA", (64, 64), "white"), "transparent nowhere"),
        (Image.new("RGBA", (64, 32)), "is 64 × 32 and the image 64 × 64"),
    ],
)
async def test_a_mask_that_is_none_is_refused(server: Server, mask: Image.Image, sentence: str) -> None:
    source = await picture(server)
    id = (await server.post("/api/files?name=mask.png", data=png(mask))).body["id"]
    reply = await server.post("/api/pictures", {"prompt": "x", "sources": [source["id"]], "mask": id})
    assert reply.status == 422
    assert sentence in reply.error["message"]


async def test_files_that_are_no_pictures_are_refused(server: Server) -> None:
    for name, data in (("notes.txt", b"Hello, this is a text."), ("broken.png", b"\x89PNG\r\n\x1a\nnothing")):
        id = (await server.post(f"/api/files?name={name}", data=data)).body["id"]
        reply = await server.post("/api/pictures", {"prompt": "x", **SMALL, "sources": [id]})
        assert reply.status in (404, 422)
        assert name in reply.error["message"]


async def test_a_hundred_malformed_sources_are_each_a_sentence(server: Server) -> None:
    for name, data in malformed():
        id = (await server.post(f"/api/files?name={name}", data=data)).body["id"]
        wish = {"prompt": "script: nothing=1", **SMALL, "sources": [id]}
        reply = await server.post("/api/pictures", wish)
        if reply.status != 200:  # else it can be opened after all
            assert reply.status in (404, 413, 422), (name, reply)
            assert name in reply.error["message"]
    assert (await picture(server))["id"]


async def test_the_time_for_a_picture_is_bounded(server: Server) -> None:
    studio = server.app.images
    studio.timeout_s, before = 0.2, studio.timeout_s
    try:
        name, fault = (await drawn(server, "script: pause=5"))[-1]
    finally:
        studio.timeout_s = before
    assert (name, fault["code"]) == ("fault", "engine_unavailable")
    assert "ECLAIR_PICTURE_SECONDS" in fault["message"]


async def test_closing_waits_for_no_picture(server: Server) -> None:
    drawing = asyncio.create_task(drawn(server, "script: pause=1000"))
    await until(lambda: server.app.images.running == 1)
    server.app.images.stop()
    with contextlib.suppress(aiohttp.ClientError):
        await drawing
    await until(lambda: server.app.images.running == 0)


async def test_what_a_model_made_of_the_words_is_told(server: Server) -> None:
    commission = await server.app.images.prepare(
        LOCAL_PRINCIPAL, "x\nscript: says=A_blue_apple", ImageRequest(width=64, height=64)
    )
    async with aclosing(server.app.images.generate(commission)) as making:
        told = [each.picture.revised_prompt async for each in making if isinstance(each, ImageFinished)]
    assert told == ["A blue apple"]


def _difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of their colours."""
    pairs = zip(one.convert("RGB").tobytes(), other.convert("RGB").tobytes(), strict=True)
    return math.fsum(abs(a - b) for a, b in pairs) / (one.width * one.height * 3)
