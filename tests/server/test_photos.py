"""Photos that go along with messages, through the HTTP door: shown to who sees, described to who does not."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from eclair.schema.messages import Attachment, Message
from eclair.schema.models import Model
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import EngineSettings, Settings
from tests.documents import files, photos
from tests.llm.servers import Speaking
from tests.llm.standin import standing_in
from tests.server.test_documents import add, ready, sentence
from tests.support import JSON, Server, serving, text_of

pytestmark = pytest.mark.asyncio

NOTED = photos.exif(place=(48.8584, 2.2945), serial="SN-4711-0815")


@asynccontextmanager
async def seeing(settings: Settings, *names: str) -> AsyncGenerator[tuple[Server, Speaking]]:
    """Éclair before models of those names, or one that sees; what they were shown is remembered."""
    async with standing_in() as stand:
        model = Speaking(stand)
        model.lists = model.has = list(names or ["pixtral-12b"])
        model.says = "It shows four coloured squares."
        engines = {"one": EngineSettings(model.url, context=32_000)}
        async with serving(replace(settings, engines=engines, model=model.lists[0], embedder="off")) as server:
            yield server, model


def shown(model: Speaking) -> list[JSON]:
    """The messages that the model was shown for the last answer, leaving out its look at doubts."""
    asked = (call for call in reversed(model.standin.calls) if "chat" in call.path)
    call = next(call for call in asked if "response_format" not in call.json)
    return list(call.json["messages"])


def pictures(message: JSON) -> list[Image.Image]:
    content: list[JSON] = message["content"]
    assert isinstance(content, list)
    found: list[Image.Image] = []
    for part in content:
        if part["type"] == "image_url":
            head, _, data = part["image_url"]["url"].partition(",")
            assert head in ("data:image/jpeg;base64", "data:image/png;base64")
            found.append(Image.open(io.BytesIO(base64.b64decode(data))))
    return found


def words(message: JSON) -> str:
    content: Any = message["content"]
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content if "text" in part)


def codes(message: JSON) -> list[str]:
    return [remark["code"] for remark in message["remarks"]]


async def test_a_model_that_sees_is_shown_the_photo(settings: Settings) -> None:
    async with seeing(settings) as (server, model):
        data = photos.encoded(photos.quarters(3000), "JPEG", exif=NOTED)
        file = await ready(server, await add(server, data, "photo.jpg"))
        assert file["state"] == "ready"
        message = await server.say(await server.begin(), "What is this?", files=[file["id"]])
        assert text_of(message) == model.says
        (picture,) = pictures(shown(model)[-1])
        assert picture.size == (1024, 1024)
        assert picture.getpixel((900, 100))[1] > 150  # pyright: ignore[reportIndexIssue, reportOptionalSubscript]
        assert words(shown(model)[-1]).endswith("What is this?")


async def test_the_amounts_of_a_photographed_receipt_are_summed(settings: Settings) -> None:
    rows = ["Bakery Rossi", "Bread            4.20", "Butter           2.35", "Coffee           2.90"]
    async with seeing(settings, "reader") as (server, model):
        receipt = photos.encoded(files.picture_of_text(rows), "PNG")
        file = await ready(server, await add(server, receipt, "receipt.png"))
        model.says = "The butter cost 2.35. Bread and butter together cost 6.55."
        message = await server.say(await server.begin(), "What did I pay for bread and butter?", files=[file["id"]])
        assert message["doubts"] == []
        computed = {sentence(message, citation): citation["computation"] for citation in message["citations"]}
        assert computed == {
            "The butter cost 2.35.": None,
            "Bread and butter together cost 6.55.": "4.20 + 2.35 = 6.55",
        }
        model.says = "Bread and butter together cost 6.75."
        message = await server.say(await server.begin(), "What did I pay for bread and butter?", files=[file["id"]])
        assert [doubt["about"] for doubt in message["doubts"]] == ["6.75"]


async def test_several_photos_stay_where_they_came(settings: Settings) -> None:
    async with seeing(settings) as (server, model):
        every = photos.every()
        names = ["photo.jpg", "photo.heic", "photo.avif"]
        given = [await ready(server, await add(server, every[name], name)) for name in names]
        conversation = await server.begin()
        await server.say(conversation, "Which differ?", files=[file["id"] for file in given])
        before = shown(model)
        assert len(pictures(before[-1])) == 3
        await server.say(conversation, "And why?")
        after = shown(model)
        assert after[: len(before)] == before  # what was read of them once need not be read again
        assert isinstance(after[-1]["content"], str)


async def test_what_stays_here_is_said_where_the_model_is_elsewhere(settings: Settings) -> None:
    async with seeing(settings) as (server, _):
        file = await ready(server, await add(server, photos.every(NOTED)["photo.jpg"], "photo.jpg"))
        conversation = await server.begin()
        await server.say(conversation, "What is this?", files=[file["id"]])
        asked = Message("m", "c", None, "user", (), 0, files=(Attachment(file["id"], "photo.jpg", 1, "image/jpeg"),))
        far = Model("far", "Far", "one", vision_pixels=512, location="US")
        seen = await server.app.vision.prepare_images(LOCAL_PRINCIPAL, [asked], far)
        assert [(remark.code, remark.message) for remark in seen.notices] == [
            (
                "left_out",
                "photo.jpg was shown to a model on another machine without what its file says beside the image: "
                "the place where it was taken and the serial number of the camera.",
            )
        ]
        assert b"SN-4711" not in seen.images[file["id"]].data
        near = await server.app.vision.prepare_images(LOCAL_PRINCIPAL, [asked], replace(far, location="machine"))
        assert near.notices == ()


async def test_a_model_that_was_seen_to_see(settings: Settings) -> None:
    async with standing_in() as stand, serving(replace(settings, scripted=False, embedder="off")) as server:
        model = Speaking(stand)
        added = await server.post("/api/engines", {"name": "own", "url": model.url})
        assert added.status == 201, added
        (muse,) = (await server.get("/api/models")).body["models"]
        assert muse["sees"] is None
        tried = await server.post("/api/engines/own/probe", {})
        assert b'"vision"' in tried.raw
        (muse,) = (await server.get("/api/models")).body["models"]
        assert muse["sees"] == 1540


async def test_a_model_that_does_not_see_is_told(settings: Settings) -> None:
    async with seeing(settings, "reader") as (server, model):
        image = files.picture_of_text(["The meeting is on Tuesday at nine."])
        file = await ready(server, await add(server, photos.encoded(image, "PNG"), "note.png"))
        message = await server.say(await server.begin(), "When is the meeting?", files=[file["id"]])
        assert "not_seen" in codes(message)
        assert all(isinstance(each["content"], str) for each in shown(model))
        assert "The meeting is on Tuesday at nine." in words(shown(model)[-1])


async def test_a_mode_chooses_who_sees_where_there_is_something_to_see(settings: Settings) -> None:
    async with seeing(settings, "reader", "pixtral-12b") as (server, model):
        conversation = await server.begin()
        assert (await server.say(conversation, "Hello?", mode="flash"))["model"] == "reader"
        file = await ready(server, await add(server, photos.every()["photo.jpg"], "photo.jpg"))
        asked = await server.say(conversation, "What is this?", mode="flash", files=[file["id"]])
        assert (asked["model"], codes(asked)) == ("pixtral-12b", [])
        assert len(pictures(shown(model)[-1])) == 1
        assert (await server.say(conversation, "And the colours?", mode="auto"))["model"] == "pixtral-12b"
        assert (await server.say(await server.begin(), "Hello?", mode="flash"))["model"] == "reader"


async def test_what_was_prepared_goes_with_the_file(settings: Settings) -> None:
    async with seeing(settings) as (server, _):
        file = await ready(server, await add(server, photos.every()["photo.jpg"], "photo.jpg"))
        await server.say(await server.begin(), "What is this?", files=[file["id"]])
        kept = settings.data_dir / "files"
        assert await asyncio.to_thread(lambda: list(kept.rglob("*.seen-1024")))
        assert (await server.call("DELETE", f"/api/files/{file['id']}")).status == 204
        assert not await asyncio.to_thread(lambda: [each for each in kept.rglob("*") if len(each.name) >= 64])


async def test_a_hundred_malformed_pictures(settings: Settings) -> None:
    """Each is read or refused with a sentence, and the server goes on as ever."""
    async with seeing(settings) as (server, _):
        sent = [await add(server, data, name) for name, data in photos.malformed() if "bomb.svg" not in name]
        failed = 0
        for file in sent:
            file = await ready(server, file)
            if file["state"] == "failed":
                failed += 1
                assert file["fault"]["message"].endswith(".")
                assert file["name"] in file["fault"]["message"]
        assert failed > 30
        file = await ready(server, await add(server, photos.every()["photo.png"], "photo.png"))
        assert (await server.say(await server.begin(), "What is this?", files=[file["id"]]))["status"] == "finished"


def given(name: str = "photo.jpg") -> str:
    """A picture as a `data:` URL."""
    return f"data:image/jpeg;base64,{base64.b64encode(photos.every(NOTED)[name]).decode()}"


def asking(dialect: str, address: str) -> tuple[str, JSON]:
    """The path and the body by which a picture is asked about in a foreign dialect."""
    asked = "What is this?"
    match dialect:
        case "chat":
            content: list[JSON] = [
                {"type": "text", "text": asked},
                {"type": "image_url", "image_url": {"url": address}},
            ]
            return "/v1/chat/completions", {"messages": [{"role": "user", "content": content}]}
        case "responses":
            content = [{"type": "input_text", "text": asked}, {"type": "input_image", "image_url": address}]
            return "/v1/responses", {"input": [{"role": "user", "content": content}]}
        case _:
            head, _, data = address.partition(",")
            source = {"type": "base64", "media_type": head[5:].partition(";")[0], "data": data}
            content = [{"type": "image", "source": source}, {"type": "text", "text": asked}]
            return "/v1/messages", {"messages": [{"role": "user", "content": content}], "max_tokens": 50}


@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
async def test_pictures_in_foreign_dialects(settings: Settings, dialect: str) -> None:
    async with seeing(settings) as (server, model):
        path, body = asking(dialect, given())
        reply = await server.post(path, {"model": "pixtral-12b", **body})
        assert reply.status == 200, reply
        (picture,) = pictures(shown(model)[-1])
        assert picture.size == (128, 128)
        assert not picture.getexif()
        assert words(shown(model)[-1]) == "What is this?"


@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
async def test_pictures_in_foreign_dialects_are_told(settings: Settings, dialect: str) -> None:
    async with seeing(settings, "reader") as (server, model):
        path, body = asking(dialect, given())
        reply = await server.post(path, {"model": "reader", **body})
        assert reply.status == 200, reply
        told = shown(model)[-1]["content"]
        assert "This is a picture of 128 × 128 pixels (JPEG)." in told
        assert "48.85" not in told
        assert told.endswith("What is this?")
        assert not await asyncio.to_thread(lambda: list(settings.data_dir.rglob("*.seen-*")))


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("data:image/png;base64,", 400, "empty or not base64"),
        ("data:image/png,abc", 400, "empty or not base64"),
        ("ftp://example.org/a.png", 400, "neither a base64 data: URL"),
        (
            f"data:image/png;base64,{base64.b64encode(photos.every()['photo.png'][:60]).decode()}",
            400,
            "Image 1 is damaged",
        ),
        ("http://127.0.0.1:9/a.png", 403, "127.0.0.1"),
    ],
)
async def test_pictures_that_cannot_be_shown(settings: Settings, address: str, status: int, said: str) -> None:
    async with seeing(settings) as (server, _):
        path, body = asking("chat", address)
        reply = await server.post(path, {"model": "pixtral-12b", **body})
        assert said in reply.error["message"]
        assert reply.status == status


async def test_where_it_was_taken_is_told_to_who_asks(settings: Settings) -> None:
    async with seeing(settings, "reader") as (server, model):
        file = await ready(server, await add(server, photos.every(NOTED)["photo.jpg"], "photo.jpg"))
        conversation = await server.begin()
        message = await server.say(conversation, "Which colours has it?", files=[file["id"]])
        assert "48.85840" not in str(shown(model)) + str(message["passages"])
        model.says = "It was taken at 48.85840° N, 2.29450° E."
        message = await server.say(conversation, "Wo wurde es aufgenommen?")
        assert "48.85840° N" in words(shown(model)[-1])
        assert message["citations"]


async def test_what_is_told_is_a_page_that_can_be_opened(settings: Settings) -> None:
    async with seeing(settings, "reader") as (server, _):
        file = await ready(server, await add(server, photos.every(NOTED)["photo.heic"], "photo.heic"))
        assert (file["pages"], file["pages_read"]) == (3, 3)
        page = (await server.get(f"/api/files/{file['id']}/pages/2")).body
        assert (page["label"], page["picture"]) == ("simple description", None)
        assert "17 May 2024" in page["text"]
        picture = await server.get(f"/api/files/{file['id']}/pages/1/picture?width=100")
        assert Image.open(io.BytesIO(picture.raw)).size == (100, 100)
