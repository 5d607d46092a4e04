"""A PDF export opens in a PDF reader, and our own reader finds everything in it."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pypdfium2  # pyright: ignore[reportMissingTypeStubs]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from eclair.documents.document_parser import Parser
from eclair.errors import InvalidInput, TooLarge
from eclair.schema.messages import Citation, Conversation, Doubt, Part, Passage
from eclair.transfer import typesetter
from eclair.transfer.export_view import ExportedConversation
from eclair.transfer.exporters import EXPORTERS
from eclair.util.frames import MAX_FRAME_BYTES
from tests.documents.conftest import Told, read
from tests.transfer.test_exporters import CONVERSATION, NOW, message

ALPHABETS = (
    "Жълтата дюля беше щастлива",
    "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "Høj bly gom vandt fræk sexquiz på wc",
    "Zwölf Boxkämpfer jagen Viktor über den großen Deich",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
    "El pingüino Wenceslao comió años",
    "Põdur Zagrebi tšellomängija-följetonist Ciqo",
    "Törkylempijävongahdus",
    "Voix ambiguë d’un cœur qui préfère les jattes",
    "Chuaigh bé mhórshách le dlúthspád fíorfhinn",
    "Gojazni đačić s biciklom drži hmelj",
    "Árvíztűrő tükörfúrógép",
    "Pranzo d’acqua fa volti sghembi, perché è così",
    "Įlinkdama fechtuotojo špaga sublykčiojusi",
    "Glāžšķūņa rūķīši dzērumā čiepj",
    "Għaxar ġenituri ħasbu żgħir ċar",
    "Pchnąć w tę łódź jeża lub ośm skrzyń fig",
    "À noite, vovô Kowalsky vê o ímã cair",
    "Gheorghe, obezul, a reușit să obțină jucându-se",
    "Kŕdeľ ďatľov učí koňa žrať kôru",
    "Šerif bo za domačo vajo spet kuhal žgance",
    "Flygande bäckasiner söka hwila på mjuka tuvor",
)
TEXT = rf"""### Heat

Water **boils** at $308\,\mathrm{{K}}$, see https://example.org/a?b=1&c and `code`.

###### Deeper

$$
\oint \unknown{{q}}
$$

1. First
2. Second
   - nested

3. Third

- [x] done

> A quote

| Name | Value |
|---|--:|
| one | **1** |

```python
def f():
    return "<&>"
```

---

#

A bell: {chr(7)} and ~~gone~~.
"""


def picture(format: str, mode: str = "RGB") -> str:
    buffer = io.BytesIO()
    Image.new(mode, (40, 20)).save(buffer, format)
    return f"data:image/{format.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def conversation(answer: str, question: str = "Why does water boil?") -> ExportedConversation:
    messages = (message(1, "user", question), message(2, "assistant", answer, 1, model="mini"))
    return ExportedConversation(Conversation(CONVERSATION, "local", "Boiling", 1, 2, messages[-1].id), messages, NOW)


@pytest.fixture
def exported() -> ExportedConversation:
    start = TEXT.index("Water")
    passage = Passage(7, "file_1", "report.pdf", 4, None, (), 0, 9, "It rose.", url="https://example.org/source")
    citation = Citation(0, start, TEXT.index("`code`.") + 7, 7, "Water boils", 0, 9, 1.0)
    doubt = Doubt(0, TEXT.index("A bell"), len(TEXT) - 1, "")
    parts = (Part("text", TEXT), Part("picture", "A kettle", "pic_1", "painter"), Part("text", "\n\n".join(ALPHABETS)))
    messages = (
        message(1, "user", "Why does water boil?\n\nTell <me>."),
        message(2, "assistant", "", 1, parts=parts, model="mini", passages=(passage,), citations=(citation,)),
    )
    messages = (messages[0], replace(messages[1], doubts=(doubt,)))
    boiling = Conversation(CONVERSATION, "local", "Boiling & <more>", 1, 2, messages[-1].id)
    return ExportedConversation(boiling, messages, NOW, {"pic_1": picture("WEBP")}, "de")


async def pdf(exported: ExportedConversation) -> bytes:
    return await typesetter.typeset(EXPORTERS["pdf"].render(exported))


def text_of(data: bytes) -> str:
    with pypdfium2.PdfDocument(data) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document)


def count_images(data: bytes) -> int:
    with pypdfium2.PdfDocument(data) as document:
        kinds = [pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]
        pages = [list(cast(Iterator[object], page.get_objects(filter=kinds))) for page in document]
    return sum(map(len, pages))


def is_standard(data: bytes) -> bool:
    """The file says that it is PDF/UA-1 and PDF/A-2."""
    return b"<pdfuaid:part>1</pdfuaid:part>" in data and b"<pdfaid:part>2</pdfaid:part>" in data


async def reread(exported: ExportedConversation, folder: Path) -> Told:
    path = folder / "export.pdf"
    path.write_bytes(await pdf(exported))
    parser = Parser()
    try:
        return await read(parser, path, path.name)
    finally:
        await parser.close()


@pytest.mark.asyncio
async def test_our_reader_finds_everything(exported: ExportedConversation, tmp_path: Path) -> None:
    told = await reread(exported, tmp_path)
    assert told.remarks == []
    words = " ".join(told.text.split())
    for each in (
        *("Boiling & <more>", "You · 2023-11-14", "AI · mini · 2023-11-14", "Tell <me>.", "boils at 308 K, see"),
        *("Heat", "Deeper", r"\oint \unknown{q}", "1. First", "nested", "3. Third", "☑ done", "A quote"),
        *('return "<&>"', "Name", "Picture made with AI (painter): A kettle"),
        *("The answers were made by AI (mini).", "report.pdf, example.org: https://example.org/source “Water boils”"),
        *ALPHABETS,
    ):
        assert each in words, each


@pytest.mark.asyncio
async def test_it_is_a_tagged_pdf_for_archives_that_says_that_ai_wrote_it(exported: ExportedConversation) -> None:
    data = await pdf(exported)
    assert is_standard(data)
    with pypdfium2.PdfDocument(data) as document:
        assert len(document) == 2
        assert document.is_tagged()
        facts = document.get_metadata_dict()
        assert facts["Title"] == "Boiling & <more>"
        assert facts["Subject"].startswith("The answers were made by AI (mini).")
        assert "trainedAlgorithmicMedia" in facts["Keywords"]
        for page in document:
            assert "The answers were made by AI (mini)." in page.get_textpage().get_text_range().splitlines()[-1]
        headings = list(cast(Iterator[Any], document.get_toc()))
    assert [item.level for item in headings] == [0, 0, 1, 2]
    assert count_images(data) == 1


@pytest.mark.asyncio
async def test_marks_lead_to_the_numbered_sources_of_their_answer(exported: ExportedConversation) -> None:
    content = json.loads(EXPORTERS["pdf"].render(exported))
    blocks = content["messages"][1]["blocks"]
    runs = [run for block in blocks for run in block.get("runs", ())]
    assert [(run["text"], run["to"]) for run in runs if run["kind"] == "source"] == [("1", "source-1-1"), ("?", None)]
    named = [(block["number"], block["name"]) for block in blocks if block["kind"] == "reference"]
    assert named == [("1", "source-1-1"), ("?", None)]
    assert is_standard(await pdf(exported))


@pytest.mark.asyncio
async def test_an_empty_conversation_is_a_pdf_too(exported: ExportedConversation) -> None:
    empty = replace(exported, conversation=replace(exported.conversation, leaf=None, title=" "), messages=())
    assert "Conversation" in text_of(await pdf(empty))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "markup",
    [
        '#read("document.json") #panic() #while true {} *b* `#c` <label> @ref $x$ \\u{41} #import "@preview/a:1.0.0"',
        '[x](https://example.org/")#panic()) ![x](document.json) ![y](https://example.org/y.png) [z](javascript:z)',
        "[^1] a [1] \u2e4e7\u2e4e &#0; \ufdd0 \U0010ffff",
    ],
)
async def test_markup_of_the_typesetter_is_text(markup: str) -> None:
    data = await pdf(conversation(f"{markup}\n\n```\n{markup}\n```", markup))
    flat = re.sub(r"\s", "", text_of(data))
    assert flat.count(re.sub(r"[\s\ufdd0\U0010ffff\u2e4e]", "", markup)[:14]) >= 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "text",
    [
        "\n".join("  " * depth + f"- x{depth}" for depth in range(100)) + "\n\nx9",
        ">" * 500 + " x9",
        "> - " * 60 + "x9\n" + "> - " * 60 + "y",
        "*" * 2000 + "x9" + "*" * 2000,
        "| x9 |" + " a |" * 300 + "\n|" + "-|" * 301 + "\n",
        "| x9 |" + " international |" * 15 + "\n|" + "-|" * 16 + "\n",
        "| x9 | b |\n|-|-|\n" + "| c | d |\n" * 1500,
        "x9" + "y" * 3000 + "\n\n```\n" + "z" * 3000 + "\n```",
        "#\n\n- \n\n>\n\n999999999. x9\n\n|a|\n|-|\n",
    ],
    ids=["lists", "quotes", "both", "stars", "columns", "narrow", "rows", "words", "nothing"],
)
async def test_a_monstrous_answer_is_laid_out(text: str) -> None:
    data = await pdf(conversation(text))
    assert "x9" in text_of(data)
    assert is_standard(data)


@pytest.mark.asyncio
async def test_what_lies_too_deep_stays_as_written() -> None:
    deep = "\n".join("  " * depth + f"- item {depth}" for depth in range(40))
    text = text_of(await pdf(conversation(deep)))
    assert [f"item {depth}" for depth in range(40) if f"item {depth}" not in text] == []


@pytest.mark.asyncio
async def test_long_words_stay_on_the_page() -> None:
    with pypdfium2.PdfDocument(await pdf(conversation("y" * 500 + "\n\n```\n" + "z" * 500 + "\n```"))) as document:
        page = document[0]
        text = page.get_textpage()
        boxes = [text.get_rect(index) for index in range(text.count_rects())]
        assert max(right for _, _, right, _ in boxes) < page.get_width() - 50


@pytest.mark.asyncio
async def test_pictures_of_every_kind_are_shown_and_broken_ones_left_out() -> None:
    kinds = [("PNG", "RGBA"), ("PNG", "1"), ("PNG", "I;16"), ("PNG", "LA"), ("JPEG", "CMYK"), ("JPEG", "L")]
    urls = [picture(*kind) for kind in (*kinds, ("GIF", "P"), ("WEBP", "RGBA"))]
    cut = picture("PNG")[:-60]
    huge = bytearray(base64.b64decode(picture("PNG").partition(",")[2]))
    huge[16:24] = struct.pack(">II", 100_000, 100_000)
    bomb = f"data:image/png;base64,{base64.b64encode(huge).decode()}"
    text = "\n\n".join(f"![kind {url[11:15]}]({url})" for url in [*urls, cut, bomb])
    data = await pdf(conversation(text))
    assert count_images(data) == len(urls)
    assert is_standard(data)


@pytest.mark.asyncio
async def test_emoji_are_shown_or_named_and_foreign_letters_never_stop_it() -> None:
    data = await pdf(conversation("# Plan 🚀\n\n👩\u200d💻 works 👍🏽"))
    assert is_standard(data)
    assert "[rocket]" in text_of(data) or "🚀" in text_of(data)
    assert "Tibetan:" in text_of(await pdf(conversation("Tibetan: བོད་ and 漢字 and \U000e0001")))


@pytest.mark.asyncio
async def test_too_large_and_unreadable_conversations_are_refused_in_a_sentence() -> None:
    with pytest.raises(TooLarge, match=r"^This conversation is too large for a PDF; export it as a web page"):
        await typesetter.typeset(b" " * MAX_FRAME_BYTES)
    with pytest.raises(InvalidInput, match=r"^This conversation cannot be laid out as a PDF; export it as a web page"):
        await typesetter.typeset(b"{}")


@pytest.mark.asyncio
async def test_one_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typesetter, "TIMEOUT_S", 0.01)
    with pytest.raises(TooLarge):
        await pdf(conversation("word *and* more\n\n" * 20_000))


@given(st.text(st.characters(codec=None), max_size=400), st.text(max_size=100))
def test_any_text_becomes_content_that_json_holds(text: str, title: str) -> None:
    exported = conversation(text.encode("utf-8", "replace").decode(), title)
    content = json.loads(EXPORTERS["pdf"].render(exported))
    assert [message["is_question"] for message in content["messages"]] == [True, False]


def test_the_typesetter_is_loaded_by_the_sandbox_only() -> None:
    script = "import sys, eclair.cli.export, eclair.server.api.exports; sys.exit('typst' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], env=os.environ, check=False).returncode == 0


def test_the_sandbox_loads_none_of_the_exporters() -> None:
    script = "import sys, eclair.transfer.typeset_worker; sys.exit('eclair.transfer.exporters' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], env=os.environ, check=False).returncode == 0
