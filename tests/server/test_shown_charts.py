"""Charts that Python made are in exports and on shared pages, where the answer shows them."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from urllib.parse import quote

import pytest
from PIL import Image

from tests.server.test_computed_figures import script
from tests.support import Server
from tests.transfer.test_pdf import count_images

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODE = "bar_chart(['North', 'South'], [270, 175], 'Revenue')\nprint('total', 445)"


async def charted(server: Server) -> str:
    """A conversation with a chart."""
    id = await server.begin()
    answer = await server.say(id, script("run_python", "The total is 445.", code=CODE))
    assert answer["calls"][0]["outcome"] == "done", answer
    return id


async def export(server: Server, id: str, format: str) -> bytes:
    reply = await server.get(f"/api/conversations/{id}/export?format={format}")
    assert reply.status == 200, reply
    return reply.raw


def drawn(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        colors = image.convert("RGB").getcolors(1 << 20)
        assert colors is None or len(colors) > 2, "more than a blank image"
        return image.size


async def test_every_export_that_has_images_has_the_chart(server: Server) -> None:
    id = await charted(server)
    page = (await export(server, id, "html")).decode()
    (found,) = set(re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page))
    size = drawn(base64.b64decode(found))
    with zipfile.ZipFile(io.BytesIO(await export(server, id, "docx"))) as word:
        assert drawn(word.read("word/media/image1.png")) == size
        assert "Chart made by Python: Revenue" in word.read("word/document.xml").decode()
    assert count_images(await export(server, id, "pdf")) == 1
    assert b"chart:" not in await export(server, id, "json"), "it has what was stored"


async def test_an_export_says_what_a_deleted_chart_showed(server: Server) -> None:
    id = await charted(server)
    assert (await server.call("DELETE", f"/api/conversations/{id}/workspace/chart.svg")).status == 204
    page = (await export(server, id, "html")).decode()
    assert "data:image/png" not in page
    with zipfile.ZipFile(io.BytesIO(await export(server, id, "docx"))) as word:
        assert "Chart made by Python: Revenue" in word.read("word/document.xml").decode()


async def test_a_shared_page_shows_the_chart_and_no_other_file(server: Server) -> None:
    id = await charted(server)
    share = (await server.post(f"/api/conversations/{id}/shares", {})).body["id"]
    shown = (await server.get(f"/api/shared/{share}")).body["messages"][-1]
    chart, text = shown["parts"]
    assert (chart["kind"], chart["text"].startswith("Revenue")) == ("picture", True)
    (figure,) = shown["computed_figures"]
    assert shown["parts"][figure["index"]] == text
    path = f"/api/shared/{share}/pictures/"
    picture = await server.get(path + quote(chart["id"]))
    assert (picture.status, picture.headers["Content-Type"]) == (200, "image/svg+xml")
    assert picture.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert picture.raw.startswith(b"<svg")
    await server.call("POST", f"/api/conversations/{id}/python", {"code": "open('other.svg', 'w').write('<svg/>')"})
    for other in ("chart:1:other.svg", "chart:2:chart.svg", "chart:x:chart.svg", "chart:1:"):
        assert (await server.get(path + quote(other))).status == 404
    await server.call("DELETE", f"/api/conversations/{id}/workspace/chart.svg")
    assert (await server.get(path + quote(chart["id"]))).status == 404
