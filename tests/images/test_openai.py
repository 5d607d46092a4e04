"""OpenAI's images, spoken by OpenAI's own client."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio
from openai.types import ImagesResponse
from PIL import Image

from tests.documents import photos
from tests.images.support import generator, marks, opened, png, until
from tests.provenance.made import encoded, malformed, photo
from tests.server.test_v1 import client_of, exact
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZE: Any = "64x64"


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with client_of(server) as client:
        yield client


def image(number: int = 1, side: int = 64, name: str = "photo.png") -> tuple[str, bytes]:
    return name, encoded(photo(side, side, number))


def decoded(response: ImagesResponse) -> list[bytes]:
    assert response.data is not None
    return [base64.b64decode(each.b64_json or "") for each in response.data]


async def test_pictures_are_made(client: openai.AsyncOpenAI, server: Server, tmp_path: Path) -> None:
    response = await client.images.generate(
        prompt="a blue apple\nscript: says=An_apple", model="scripted-picture", n=2, size=SIZE, extra_body={"seed": 4}
    )
    one, other = decoded(response)
    assert (opened(one).format, opened(one).size) == ("PNG", (64, 64))
    assert one != other
    assert (await marks(server, one, tmp_path)).made == "created"
    assert response.data is not None
    assert [each.revised_prompt for each in response.data] == ["An apple", "An apple"]
    assert (response.size, response.output_format) == ("64x64", "png")
    assert [job.seed for job in generator(server).requested[-2:]] == [4, 5]


async def test_the_reply_is_as_the_reference_has_it(server: Server) -> None:
    body = {"prompt": "x", "size": "64x64", "quality": "high", "user": "someone", "moderation": "low"}
    reply = await server.post("/v1/images/generations", body)
    response = exact(ImagesResponse, reply.body)
    assert (response.background, response.quality) == ("opaque", "high")


@pytest.mark.parametrize(("form", "kind"), [("jpeg", "JPEG"), ("webp", "WEBP"), ("png", "PNG")])
async def test_in_the_form_that_is_asked_for(
    client: openai.AsyncOpenAI, server: Server, tmp_path: Path, form: Any, kind: str
) -> None:
    response = await client.images.generate(prompt="x", size=SIZE, output_format=form)
    (data,) = decoded(response)
    assert (opened(data).format, response.output_format) == (kind, form)
    assert (await marks(server, data, tmp_path)).metadata.how == "created"


async def test_less_is_kept_where_that_is_asked_for(client: openai.AsyncOpenAI) -> None:
    sizes = [
        len(decoded(await client.images.generate(prompt="x", output_format="jpeg", output_compression=compression))[0])
        for compression in (90, 10)
    ]
    assert sizes[1] < sizes[0]


async def test_by_address(client: openai.AsyncOpenAI, server: Server) -> None:
    response = await client.images.generate(prompt="x", size=SIZE, response_format="url")
    assert response.data is not None
    address = response.data[0].url
    assert address is not None
    assert address.startswith(server.address)
    assert opened((await server.get(address.removeprefix(server.address))).raw).size == (64, 64)


async def test_partial_pictures_are_streamed(client: openai.AsyncOpenAI) -> None:
    stream = await client.images.generate(prompt="x", size=SIZE, stream=True, partial_images=2)
    events = [event async for event in stream]
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert [event.partial_image_index for event in events if event.type == "image_generation.partial_image"] == [0, 1]
    assert opened(base64.b64decode(events[0].b64_json)).size == (64, 64)
    last = events[-1]
    assert last.type == "image_generation.completed"
    assert (last.size, last.output_format, last.usage.total_tokens) == ("64x64", "png", 0)


async def test_a_fault_ends_a_stream(client: openai.AsyncOpenAI) -> None:
    stream = await client.images.generate(prompt="script: fail=2", size=SIZE, stream=True)
    with pytest.raises(openai.APIError, match="broke off"):
        _ = [event async for event in stream]


async def test_who_leaves_a_stream_stops_the_work(client: openai.AsyncOpenAI, server: Server) -> None:
    drawer = generator(server)
    stream = await client.images.generate(
        prompt="script: pause=0.2", size=SIZE, stream=True, partial_images=3, extra_body={"steps": 100}
    )
    assert await anext(aiter(stream))
    await stream.close()
    await until(lambda: not server.app.images.running)
    made = drawer.steps_made
    await asyncio.sleep(0.5)
    assert drawer.steps_made == made


async def test_pictures_are_edited(client: openai.AsyncOpenAI, server: Server, tmp_path: Path) -> None:
    mask = Image.new("RGBA", (64, 64), "white")
    mask.paste((0, 0, 0, 0), (0, 0, 32, 32))
    (data,) = decoded(
        await client.images.edit(
            image=[image(1), image(2)], mask=("mask.png", png(mask)), prompt="x", model="scripted-picture"
        )
    )
    assert opened(data).size == (64, 64)
    assert (await marks(server, data, tmp_path)).made == "edited"
    job = generator(server).requested[-1]
    assert len(job.sources) == 2
    assert job.mask is not None
    assert opened(job.mask).getchannel("A").getextrema() == (0, 255)


async def test_an_edit_is_streamed(client: openai.AsyncOpenAI) -> None:
    stream = await client.images.edit(image=image(), prompt="x", stream=True, partial_images=1)
    events = [event.type async for event in stream]
    assert events == ["image_edit.partial_image", "image_edit.completed"]


async def test_a_photo_is_turned_upright_and_stripped(client: openai.AsyncOpenAI, server: Server) -> None:
    noted = photos.exif(place=(48.8, 2.2), serial="SN-4711-0815")
    taken = photos.encoded(photos.quarters(128), "JPEG", exif=noted)
    await client.images.edit(image=("photo.jpg", taken), prompt="x")
    job = generator(server).requested[-1]
    assert b"SN-4711-0815" not in job.sources[0]
    assert not opened(job.sources[0]).getexif()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x", "size": "77x64"}, "width"),
        ({"prompt": "x", "size": "large"}, "size"),
        ({"prompt": "x", "n": 11}, "n"),
        ({"prompt": "x", "model": "dall-e-3"}, "model"),
        ({"prompt": "x", "background": "transparent"}, "background"),
        ({"prompt": "x", "output_format": "svg"}, "output_format"),
        ({"prompt": "x", "output_compression": 50}, "output_compression"),
        ({"prompt": "x", "style": "vivid"}, "style"),
        ({"prompt": "x", "stream": True, "response_format": "url"}, "stream"),
        ({"prompt": "x", "frame_count": 3}, "frame_count"),
    ],
)
async def test_what_is_not_honored_is_refused_by_name(server: Server, body: dict[str, Any], param: str) -> None:
    reply = await server.post("/v1/images/generations", body)
    assert (reply.status // 100, reply.error["param"]) == (4, param)
    assert reply.error["type"] == "invalid_request_error"


async def test_a_form_that_is_none_is_refused(client: openai.AsyncOpenAI, server: Server) -> None:
    reply = await server.post("/v1/images/edits", {"prompt": "x"})
    assert (reply.status, reply.error["param"]) == (400, "image")
    for fields, param in (
        ({"image": image(), "prompt": "x", "extra_body": {"markup": "x"}}, "markup"),
        ({"image": image(), "prompt": "x", "n": 0}, "n"),
        ({"image": image(), "prompt": "x", "extra_body": {"colour": "x"}}, "colour"),
        ({"image": ("none.png", b""), "prompt": "x"}, "image"),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            await client.images.edit(**fields)  # pyright: ignore[reportArgumentType, reportCallIssue]
        assert refused.value.param == param


async def test_malformed_pictures_are_each_a_sentence(server: Server) -> None:
    for name, data in malformed(30):
        form = io.BytesIO()
        for part in (
            b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nscript: nothing=1\r\n',
            b'--x\r\nContent-Disposition: form-data; name="size"\r\n\r\n64x64\r\n',
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="%b"\r\n\r\n%b\r\n' % (name.encode(), data),
            b"--x--\r\n",
        ):
            form.write(part)
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        reply = await server.post("/v1/images/edits", data=form.getvalue(), headers=headers)
        assert reply.status in (404, 413, 422, 502), (name, reply)
        assert reply.error["message"]
