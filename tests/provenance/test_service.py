"""What is marked says so in every form, and no file makes what reads marks say what is not so."""

from __future__ import annotations

import asyncio
import io
import socket
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import c2pa  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
import psutil
import pytest
import pytest_asyncio
from PIL import Image

from eclair.errors import InvalidInput, TooBusy, UnreadableFile
from eclair.provenance import service
from eclair.provenance.certificates import Certificates
from eclair.provenance.provenance_report import Origin, ProvenanceReport
from eclair.provenance.service import Provenance
from eclair.settings import Settings
from tests.provenance.made import bomb, decoded, encoded, photo
from tests.support import live_children

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREATED = Origin("created", "FLUX.1 schnell")
EDITED = Origin("edited", 'Kontext <dev> & "co"')
FORMS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")
DEEP = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000110000000006aee47160000000b49444154789c6360"
    "60000000030001b8ad3a630000000049454e44ae426082"
)
"""A PNG of one pixel with sixteen bits."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def marks(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Provenance]:
    marks = Provenance.configured(Settings(data_dir=tmp_path_factory.mktemp("marks")), stay=True)
    yield marks
    await marks.close()


async def look(marks: Provenance, data: bytes, name: str = "picture") -> ProvenanceReport:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        return await marks.check(path, name)


async def test_what_reads_files_stays_is_replaced_and_ends_with_the_rest(tmp_path: Path) -> None:
    marks, before = Provenance.configured(Settings(data_dir=tmp_path), stay=True), set(_hosts())
    picture = encoded(photo(), "PNG")
    try:
        await marks.mark(picture, CREATED)
        (host,) = set(_hosts()) - before
        marked = await asyncio.gather(*(marks.mark(picture, CREATED) for _ in range(3)))
        assert set(_hosts()) - before == {host}
        while host.children():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        host.kill()
        assert (await look(marks, marked[0])).made == "created"
        assert len(set(_hosts()) - before - {host}) == 1
    finally:
        await marks.close()
    assert set(_hosts()) == before


def _hosts() -> list[psutil.Process]:
    return [each for each in live_children() if "eclair.provenance.worker" in " ".join(each.cmdline())]


async def test_what_no_model_made_says_so_and_bears_no_watermark(marks: Provenance) -> None:
    found = await look(marks, await marks.mark(encoded(photo(), "PNG"), Origin("drawn", "eclair-drawing")))
    assert (found.made, found.credentials.how, found.metadata.how) == ("drawn", "drawn", "drawn")
    assert (found.metadata.source, found.watermark.state, found.altered) == ("algorithmicMedia", "absent", False)


@pytest.mark.parametrize("form", FORMS)
async def test_a_picture_bears_all_three_marks(marks: Provenance, form: str) -> None:
    for made, data in ((CREATED, encoded(photo(), form)), (EDITED, encoded(photo()[:, :, 0].copy(), form))):
        marked = await marks.mark(data, made)
        with Image.open(io.BytesIO(marked)) as image:
            assert (image.format, image.size) == (form, (640, 480))
        found = await look(marks, marked)
        assert found.media == f"image/{form.lower()}"
        assert (found.made, found.altered) == (made.how, False)
        signed = found.credentials
        assert (signed.state, signed.how, signed.trust, signed.signer) == ("found", made.how, "own", "Éclair")
        assert (signed.product, signed.model, signed.problems) == (made.tool, made.model, ())
        assert (found.metadata.state, found.metadata.how, found.metadata.tool) == ("found", made.how, made.tool)
        assert found.watermark.state == "found"
        assert found.watermark.chance is not None
        assert found.watermark.chance <= 1e-6


async def test_nothing_of_what_stood_beside_the_picture_is_left_but_its_colours(marks: Provenance) -> None:
    beside = Image.Exif()
    beside[0x0112] = 6  # it lies on its side
    beside[0x010E] = "a secret place"
    profile = b"\0" * 36 + b"acsp" + b"\0" * 88
    data = encoded(photo(), "JPEG", exif=beside, icc_profile=profile, comment=b"a secret prompt")
    marked = await marks.mark(data, CREATED)
    assert b"secret" not in marked
    with Image.open(io.BytesIO(marked)) as image:
        assert image.size == (480, 640)
        assert image.info["icc_profile"] == profile
        assert "exif" not in image.info


async def test_what_lets_something_through_goes_on_doing_so(marks: Provenance) -> None:
    clear = np.dstack([photo(), np.tile(np.linspace(0, 255, 640).astype(np.uint8), (480, 1))])
    marked = await marks.mark(encoded(clear), CREATED)
    with Image.open(io.BytesIO(marked)) as image:
        assert image.mode == "RGBA"
        assert (np.asarray(image)[:, :, 3] == clear[:, :, 3]).all()
    assert (await look(marks, marked)).watermark.state == "found"


async def test_marks_fail_each_by_itself(marks: Provenance) -> None:
    marked = await marks.mark(encoded(photo()), CREATED)
    found = await look(marks, encoded(decoded(marked), "JPEG", quality=60))
    assert (found.credentials.state, found.metadata.state, found.watermark.state) == ("absent", "absent", "found")
    assert found.made == "created"
    bare = await look(marks, encoded(photo(), "JPEG"))
    assert (bare.credentials.state, bare.metadata.state, bare.watermark.state) == ("absent", "absent", "absent")
    assert (bare.made, bare.altered) == (None, False)


async def test_a_change_shows(marks: Provenance) -> None:
    for form in FORMS:
        marked = await marks.mark(encoded(photo(), form), CREATED)
        spots = bytearray(marked)
        spots[len(spots) // 2] ^= 1
        found = await look(marks, bytes(spots))
        assert found.altered, form
        assert found.credentials.problems
        assert found.made == "created", "it still says so"


async def test_a_note_that_is_moved_to_another_picture_says_what_it_says(marks: Provenance) -> None:
    for source, made in (
        ("trainedAlgorithmicMedia", "created"),
        ("digitalCapture", None),
        ("compositeSynthetic", "edited"),
    ):
        note = (
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><e:DigitalSourceType>'
            f"http://cv.iptc.org/newscodes/digitalsourcetype/{source}</e:DigitalSourceType></rdf:Description></rdf:RDF>"
            "</x:xmpmeta>"
        )
        found = await look(marks, encoded(photo(), "WEBP", xmp=note.encode()))
        assert (found.metadata.source, found.made) == (source, made)
        found = await look(marks, b"%PDF-1.7\n" + note.encode() + b"\n%%EOF")
        assert (found.metadata.source, found.made, found.watermark.state) == (source, made, "unread")


async def test_others_credentials_are_told_as_theirs(marks: Provenance, tmp_path: Path) -> None:
    other = Provenance.configured(Settings(data_dir=tmp_path))
    found = await look(marks, await other.mark(encoded(photo()), CREATED))
    assert (found.credentials.state, found.credentials.trust) == ("found", "unknown")
    assert (found.made, found.altered) == ("created", False)


async def test_credentials_that_are_kept_elsewhere_are_not_fetched(marks: Provenance) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        data = away(f"http://127.0.0.1:{server.getsockname()[1]}/manifest")
        assert b"127.0.0.1" in data
        assert (await look(marks, data)).credentials.state == "elsewhere"
        with pytest.raises(BlockingIOError):
            server.accept()


def away(url: str) -> bytes:
    """A picture whose credentials are at an address."""
    with tempfile.TemporaryDirectory() as folder:
        made = Certificates(Path(folder) / "marks", (None, None)).signing()
    info = c2pa.C2paSignerInfo(made.algorithm.encode(), made.chain, made.key, None)
    out = io.BytesIO()
    action = {"action": "c2pa.created", "digitalSourceType": CREATED.digital_source_type}
    manifest: dict[str, Any] = {
        "claim_generator_info": [{"name": "a camera"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
    with c2pa.Signer.from_info(info) as signer, c2pa.Builder.from_json(manifest, context=c2pa.Context()) as builder:
        builder.set_no_embed()
        builder.set_remote_url(url)
        builder.sign(signer, "image/png", io.BytesIO(encoded(photo())), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"hello", "The image is not an image, or of a type that cannot be read here."),
        (b"", "The image is not an image, or of a type that cannot be read here."),
        (bomb(), "The image has more than 50 million pixels; make it smaller."),
        (encoded(photo(), "PNG")[:5000], "The image is damaged and cannot be read."),
        (encoded(photo(), "GIF"), "The image is of a kind that cannot bear all marks (GIF); make a PNG, JPEG, WebP,"),
        (DEEP, "The image has more than eight bits a color; make it with eight."),
    ],
)
async def test_what_cannot_be_marked_says_why(marks: Provenance, data: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        await marks.mark(data, CREATED)
    assert caught.value.message.startswith(sentence)
    assert caught.value.message.endswith(".")


async def test_what_moves_is_not_marked(marks: Provenance) -> None:
    out = io.BytesIO()
    first, second = (Image.fromarray(photo(64, 64, seed)) for seed in (1, 2))
    first.save(out, "WEBP", save_all=True, append_images=[second])
    with pytest.raises(UnreadableFile, match=r"has several pages or moves; mark each image by itself\.$"):
        await marks.mark(out.getvalue(), CREATED)


@pytest.mark.parametrize("model", ["", "a\nb", "m" * 201])
async def test_a_model_has_a_name_that_can_be_read(model: str) -> None:
    with pytest.raises(InvalidInput):
        Origin("created", model)


async def test_a_crowd_is_told_to_come_again(
    marks: Provenance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_WAITING_INSPECTIONS", 1)
    path = tmp_path / "file"
    path.write_bytes(encoded(photo(64, 64)))

    async def check() -> ProvenanceReport:
        with marks.reserve_check():
            return await marks.check(path, "file")

    tasks = [asyncio.create_task(check()) for _ in range(4)]
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(each, ProvenanceReport) for each in found) == 3
    (refused,) = [each for each in found if not isinstance(each, ProvenanceReport)]
    assert isinstance(refused, TooBusy)
