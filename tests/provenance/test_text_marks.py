"""Exports say in the terms of the IPTC that AI wrote them, and the check finds it in each format."""

from __future__ import annotations

import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.provenance.certificates import KnownSigners
from eclair.provenance.provenance_report import ProvenanceReport
from eclair.provenance.service import Provenance
from eclair.provenance.text_marks import MADE_BY_AI, read_text_mark
from eclair.provenance.worker import inspect_file
from eclair.sandbox.protocol import Rejected
from eclair.schema.messages import Conversation, Message, Part
from eclair.settings import Settings
from eclair.transfer.export_service import render_conversation
from eclair.transfer.export_view import ExportedConversation
from eclair.transfer.exporters import EXPORTERS, ExportFormat

TEXTS = ("markdown", "json", "html", "docx")


def conversation(*models: str) -> ExportedConversation:
    messages = [Message("msg_q", "conv_1", None, "user", (Part("text", "Why does water boil?"),), 1)]
    for number, model in enumerate(models):
        answer = (Part("text", 'Heat. "---" and <meta itemprop="digitalSourceType" content="none">'),)
        messages.append(Message(f"msg_{number}", "conv_1", messages[-1].id, "assistant", answer, 2, model=model))
    about = Conversation("conv_1", "local", "---", 1, 2, messages[-1].id)
    return ExportedConversation(about, tuple(messages), 3)


def checked(data: bytes) -> ProvenanceReport:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        return inspect_file(path, KnownSigners())


@pytest.fixture
def marks(tmp_path: Path) -> Provenance:
    return Provenance.configured(Settings(data_dir=tmp_path))


@pytest.mark.parametrize("format", TEXTS)
async def test_the_check_finds_the_mark_of_every_export(marks: Provenance, format: ExportFormat) -> None:
    _, data = await render_conversation(conversation("mini", 'a "b" c'), format, marks)
    report = checked(data)
    assert report.media is not None
    assert report.media.partition(";")[0] == EXPORTERS[format].media_type.partition(";")[0]
    assert (report.made, report.metadata.source) == ("created", "trainedAlgorithmicMedia")
    assert (report.credentials.state, report.watermark.state) == ("unread", "unread")


async def test_a_pdf_is_signed_too_and_a_change_shows(marks: Provenance, tmp_path: Path) -> None:
    _, data = await render_conversation(conversation("mini", "m" * 300), "pdf", marks)
    path = tmp_path / "export.pdf"
    path.write_bytes(data)
    report = await marks.check(path, path.name)
    assert (report.made, report.altered, report.metadata.source) == ("created", False, "trainedAlgorithmicMedia")
    assert (report.credentials.state, report.credentials.trust) == ("found", "own")
    assert report.credentials.model is not None
    assert report.credentials.model.startswith("mini, mmm")
    path.write_bytes(data.replace(b"/Title", b"/Titel", 1))
    assert (await marks.check(path, path.name)).altered


async def test_a_conversation_without_answers_is_not_signed(marks: Provenance) -> None:
    _, data = await render_conversation(conversation(), "pdf", marks)
    assert checked(data).credentials.state == "absent"


async def test_markdown_begins_with_front_matter(marks: Provenance) -> None:
    name, data = await render_conversation(conversation("mini"), "markdown", marks)
    assert name == "conversation.md"
    lines = data.decode().splitlines()
    assert lines[:2] == ["---", f"digital_source_type: {MADE_BY_AI}"]
    assert lines[3:7] == ['models: ["mini"]', "---", "", "# ---"]


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (b"<!DOCTYPE html><title>Mine</title>", "text/html"),
        (b'{"name": "mine", "digital_source_type": 7}', "application/json"),
        (b"---\ntitle: Mine\n---\nText", "text/markdown"),
        (b"Only words.", "text/plain"),
        (b"{not json", "text/plain"),
        ("é".encode() * 40_000, "text/plain"),
    ],
)
def test_texts_without_a_mark_say_nothing(data: bytes, media: str) -> None:
    report = checked(data)
    assert (report.media, report.made, report.metadata.state) == (media, None, "absent")


@pytest.mark.parametrize("data", [b"PK\x03\x04 broken", b"caf\xe9", b"a\0b"])
def test_what_bears_no_mark_is_refused(data: bytes) -> None:
    with pytest.raises(Rejected, match="bears none of the marks"):
        checked(data)


def test_other_office_documents_and_terms_are_read() -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("docProps/custom.xml", f"<p>{MADE_BY_AI.replace('trained', 'compositeWithTrained')}</p>")
    assert checked(out.getvalue()).metadata.source == "compositeWithtrainedAlgorithmicMedia".replace("Witht", "WithT")
    page = b'<html><meta name="digitalSourceType" content="https://schema.org/AlgorithmicMediaDigitalSource">'
    assert checked(page).made == "drawn"


@given(st.sampled_from([b"%PDF-", b"PK\x03\x04", b"<html", b"{", b"---\n", b"\xef\xbb\xbf{"]), st.binary(max_size=300))
def test_no_file_stops_the_reader(start: bytes, rest: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(start + rest)
        found = read_text_mark(path)
    assert found is None or found[1].state in ("found", "absent")
