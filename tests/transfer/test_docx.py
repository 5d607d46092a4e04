"""A DOCX export is a well-formed document that our own reader, as a word processor would, finds everything in."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from eclair.documents.document_parser import Parser
from eclair.schema.messages import Citation, Conversation, Part, Passage
from eclair.transfer.export_view import ExportedConversation
from eclair.transfer.exporters import EXPORTERS
from tests.documents.conftest import Told, read
from tests.transfer.test_exporters import CONVERSATION, NOW, message

ALPHABETS = "Zażółć gęślą jaźń · Žluťoučký kůň · Ξεσκεπάζω την ψυχοφθόρα · Ах чудна българска земьо · ħġċż · ő ű ț ș"
TEXT = rf"""# Heat

Water **boils** at $308\,\mathrm{{K}}$, see https://example.org/a?b=1&c and `code`. {ALPHABETS}

$$
\frac{{1}}{{2}}
$$

Unknown: $\ce{{H2O}}$

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

A bell: {chr(7)} and ~~gone~~.
"""


@pytest.fixture
def exported() -> ExportedConversation:
    start = TEXT.index("Water")
    passage = Passage(1, "file_1", "report.pdf", 4, None, (), 0, 9, "It rose.", url="https://example.org/source")
    citation = Citation(0, start, TEXT.index("`code`.") + 7, 1, "Water boils", 0, 9, 1.0)
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(buffer, "PNG")
    picture = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    parts = (Part("text", TEXT), Part("picture", "A kettle", "pic_1", "painter"))
    messages = (
        message(1, "user", "Why does water boil?\n\nTell <me>."),
        message(2, "assistant", "", 1, parts=parts, model="mini", passages=(passage,), citations=(citation,)),
    )
    conversation = Conversation(CONVERSATION, "local", "Boiling & <more>", 1, 2, messages[-1].id)
    return ExportedConversation(conversation, messages, NOW, {"pic_1": picture}, "de")


def package(exported: ExportedConversation) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(EXPORTERS["docx"].render(exported)))


async def reread(exported: ExportedConversation, folder: Path) -> Told:
    path = folder / "export.docx"
    path.write_bytes(EXPORTERS["docx"].render(exported))
    parser = Parser()
    try:
        return await read(parser, path, path.name)
    finally:
        await parser.close()


def test_every_part_is_well_formed_and_every_relation_leads_somewhere(exported: ExportedConversation) -> None:
    with package(exported) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        texts = {name: archive.read(name).decode() for name in names if name.endswith((".xml", ".rels"))}
    trees = {name: ElementTree.fromstring(text) for name, text in texts.items()}
    relations = {str(node.get("Id")): node for node in trees["word/_rels/document.xml.rels"]}
    for node in relations.values():
        assert node.get("TargetMode") == "External" or f"word/{node.get('Target')}" in names
    document = texts["word/document.xml"]
    assert set(re.findall(r' r:(?:id|embed)="([^"]+)"', document)) <= set(relations)
    anchors = set(re.findall(r'w:anchor="([^"]+)"', document))
    assert anchors == {"source_1_1"}
    assert anchors <= set(re.findall(r'<w:bookmarkStart w:id="\d+" w:name="([^"]+)"', document))
    assert "word/media/image1.png" in names
    assert "\x07" not in document


def test_it_says_that_ai_wrote_it(exported: ExportedConversation) -> None:
    with package(exported) as archive:
        for name in ("word/document.xml", "word/footer1.xml", "docProps/core.xml"):
            assert "The answers were made by AI (mini)." in archive.read(name).decode()
        assert b"trainedAlgorithmicMedia" in archive.read("docProps/custom.xml")
        assert b'w:lang w:val="de"' in archive.read("word/styles.xml")


@pytest.mark.asyncio
async def test_our_reader_finds_everything(exported: ExportedConversation, tmp_path: Path) -> None:
    told = await reread(exported, tmp_path)
    assert told.remarks == []
    headings = told.blocks("heading")
    assert any(heading.startswith("AI · mini") for heading in headings)
    assert "Heat" in headings
    for words in (
        "Boiling & <more>",
        "Tell <me>.",
        ALPHABETS,
        "at 308 K, see",
        "1/2",
        r"\ce{H2O}",
        "1. First",
        "3. Third",
        "☑ done",
        "A quote",
        'return "<&>"',
        "report.pdf",
        "“Water boils”",
        "Picture made with AI (painter): A kettle",
    ):
        assert words in told.text, words
    assert any("Name" in table and "one" in table for table in told.blocks("table"))


@pytest.mark.asyncio
async def test_an_empty_conversation_is_a_document_too(exported: ExportedConversation, tmp_path: Path) -> None:
    empty = replace(exported, conversation=replace(exported.conversation, leaf=None), messages=())
    assert "Boiling" in (await reread(empty, tmp_path)).text
