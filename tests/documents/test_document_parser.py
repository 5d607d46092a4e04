"""Files of every kind through the door that ingest uses, each in the real reading process."""

from __future__ import annotations

import asyncio
import email
import email.policy
import io
from collections.abc import AsyncGenerator
from datetime import date, datetime
from pathlib import Path

import pytest
from PIL import Image

from eclair.documents.document_parser import Parser
from eclair.errors import NotFound, UnreadableFile
from eclair.schema.documents import Page, UnreadPart
from eclair.speech.recognition import RecognitionOptions
from eclair.speech.recognition_protocol import RecognitionResult, SoundHeard, SoundOpened, SpokenSegment
from tests.documents import files
from tests.documents.conftest import Reading

pytestmark = pytest.mark.asyncio(loop_scope="module")


def wav_of(data: bytes) -> bytes:
    """A file that begins as WAV does."""
    return b"RIFF\0\0\0\0WAVEfmt " + data


class Hearing:
    """Hears the last letter of a file, twice, a minute apart; b is damaged."""

    is_ready = True
    model_id = "whisper-base"

    async def recognize(
        self,
        path: Path,
        name: str,
        options: RecognitionOptions = RecognitionOptions(),  # noqa: B008
    ) -> AsyncGenerator[RecognitionResult]:
        said = (await asyncio.to_thread(path.read_bytes))[-1:].decode()
        if said == "b":
            raise UnreadableFile(f"{name} is damaged.")
        yield SoundOpened(120)
        for start in (0.0, 60.0):
            if start >= options.after_s:
                yield SpokenSegment(start, start + 1, f"{said} says {start:.0f}", "en", (), 0.0, 0.0, 0.0, 0.0)
                yield SoundHeard(start + 60)


def _words(page: Page) -> dict[str, tuple[float, float, float, float]]:
    return {page.text[w.start : w.end]: (w.left, w.top, w.right, w.bottom) for w in page.words}


class TestPdf:
    async def test_structure_of_a_book(self, reading: Reading) -> None:
        told = await reading(files.pdf([files.page_of_text(n) for n in range(1, 9)]), "rivers.pdf")
        assert told.opened.media == "application/pdf"
        assert told.opened.pages == 8
        page = told.pages[2]
        assert [(b.kind, page.text[b.start : b.end]) for b in page.blocks] == [
            ("furniture", "The Book of Rivers 3"),
            ("heading", "Chapter about river 3"),
            ("paragraph", "River number 3 begins in the mountains and ends in the sea, as rivers do."),
            ("paragraph", "Its water is cold in winter. Nobody swims in it before the first of May."),
            ("furniture", "3"),
        ]
        assert page.blocks[1].level == 2
        assert (page.width, page.height) == (595, 842)

    async def test_boxes_of_words(self, reading: Reading) -> None:
        told = await reading(files.pdf([files.page_of_text(1)]), "rivers.pdf")
        left, top, right, bottom = _words(told.pages[0])["River"]
        assert left == pytest.approx(72, abs=1)
        assert right == pytest.approx(72 + 28, abs=3)
        assert top < 150 - 6
        assert 150 - 1 < bottom < 156
        halves = [w for w in told.pages[0].words if told.pages[0].text[w.start : w.end] in ("moun", "tains")]
        assert len(halves) == 2  # "mountains" was broken at the end of a line
        assert halves[0].end == halves[1].start
        assert halves[0].top < halves[1].top

    async def test_a_page_on_its_side(self, reading: Reading) -> None:
        told = await reading(files.pdf([[(100, 300, 12, "Sideways")]], rotate=90), "side.pdf")
        page = told.pages[0]
        assert (page.width, page.height) == (842, 595)
        left, top, right, bottom = _words(page)["Sideways"]
        assert left == pytest.approx(842 - 300, abs=6)
        assert top == pytest.approx(100, abs=2)
        assert bottom - top > right - left  # it runs from top to bottom

    async def test_a_table(self, reading: Reading) -> None:
        rows = [
            ("Name", "Born", "River"),
            ("Anna", "1970", "Rhine"),
            ("Ben", "1985", "Seine"),
            ("Cleo", "1990", "Tiber"),
        ]
        texts = [(72 + 120 * x, 100 + 16 * y, 11, cell) for y, row in enumerate(rows) for x, cell in enumerate(row)]
        told = await reading(files.pdf([[*texts, (72, 200, 11, "After the table comes text.")]]), "table.pdf")
        assert told.blocks("table") == ["\n".join(" | ".join(row) for row in rows)]
        assert told.blocks("paragraph") == ["After the table comes text."]

    async def test_lists_code_and_bold(self, reading: Reading) -> None:
        body = [
            (72, 300 + 14 * n, 11, f"Line {n} of a text that is long enough to be the usual size.") for n in range(5)
        ]
        texts = [
            (72, 100, 11, "*What to bring"),
            (72, 118, 11, "• a boat"),
            (72, 132, 11, "• two oars"),
            (72, 170, 10, "`for boat in boats:"),
            (96, 182, 10, "`launch(boat)"),
        ]
        told = await reading(files.pdf([[*texts, *body]]), "boats.pdf")
        assert told.blocks("heading") == ["What to bring"]
        assert told.blocks("list") == ["• a boat\n• two oars"]
        assert told.blocks("code") == ["for boat in boats:\n    launch(boat)"]

    async def test_two_columns_written_across(self, reading: Reading) -> None:
        left = [f"left {n} is a line of prose with some words" for n in range(8)]
        right = [f"right {n} is a line of prose with more words" for n in range(8)]
        texts = [t for n in range(8) for t in ((50, 100 + 13 * n, 9, left[n]), (320, 100 + 13 * n, 9, right[n]))]
        told = await reading(files.pdf([texts]), "columns.pdf")
        assert told.text.index("left 7") < told.text.index("right 0")

    async def test_levels_from_the_table_of_contents(self, reading: Reading) -> None:
        data = files.pdf([files.page_of_text(1)], outline=[("Chapter about river 1", 1)])
        told = await reading(data, "rivers.pdf")
        assert [b.level for b in told.pages[0].blocks if b.kind == "heading"] == [1]

    async def test_labels(self, reading: Reading) -> None:
        labels = "/PageLabels<</Nums[0<</S/r>>2<</S/D>>]>>"
        told = await reading(files.pdf([files.page_of_text(n) for n in range(1, 5)], labels=labels), "l.pdf")
        assert [page.label for page in told.pages] == ["i", "ii", "1", "2"]

    @pytest.mark.parametrize("name", ["notes.txt", "notes.md", "notes.html", "notes.py", "notes.csv", "notes.eml"])
    async def test_what_has_no_pages_calls_none(self, reading: Reading, name: str) -> None:
        told = await reading(("A line of it, and more.\n\n" * 400).encode(), name)
        assert {page.label for page in told.pages} == {""}

    async def test_from_the_page_behind_the_known(self, reading: Reading) -> None:
        data = files.pdf([files.page_of_text(n) for n in range(1, 9)])
        whole = await reading(data, "rivers.pdf")
        rest = await reading(data, "rivers.pdf", after=5)
        assert rest.pages == whole.pages[5:]

    async def test_a_wrong_ending(self, reading: Reading) -> None:
        told = await reading(files.pdf([files.page_of_text(1)]), "rivers.docx")
        assert told.opened.media == "application/pdf"
        assert "ends in the sea" in told.text

    async def test_a_scan_is_read(self, reading: Reading) -> None:
        image = files.picture_of_text(["The ferry leaves at seven.", "Tickets cost four euros."])
        told = await reading(files.encoded(image, "PDF", resolution=150), "scan.pdf")
        assert told.pages[0].read == "ocr"
        assert "The ferry leaves at seven." in told.text
        left, _, right, _ = _words(told.pages[0])["ferry"]
        assert 30 < left < right < 200

    async def test_scans_between_pages_of_text_keep_their_places(self, reading: Reading) -> None:
        scans = [files.picture_of_text([f"The scan of platform {number}."]) for number in (1, 2, 3)]
        scanned = files.encoded(scans[0], "PDF", resolution=150, save_all=True, append_images=scans[1:])
        told = await reading(
            files.joined([scanned, files.pdf([files.page_of_text(n) for n in range(1, 6)]), scanned]), "m.pdf"
        )
        assert [page.number for page in told.pages] == list(range(1, 12))
        assert [page.read for page in told.pages] == ["ocr"] * 3 + ["text"] * 5 + ["ocr"] * 3
        for page, number in zip((*told.pages[:3], *told.pages[8:]), (1, 2, 3) * 2, strict=True):
            assert f"platform {number}" in page.text


class TestPictures:
    """OCR, and pages as pictures."""

    LINES = ("The ferry leaves at seven.", "Tickets cost four euros.", "Dogs travel free of charge.")

    @pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
    async def test_kinds(self, reading: Reading, form: str) -> None:
        told = await reading(files.encoded(files.picture_of_text(self.LINES), form), "ferry")
        assert "Tickets cost four euros." in told.pages[0].text
        assert told.opened.pages == 2

    async def test_pages_of_a_tiff(self, reading: Reading) -> None:
        pages = [files.picture_of_text([line]) for line in self.LINES]
        told = await reading(files.encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "fax.tif")
        assert [page.text.strip() for page in told.pages] == list(self.LINES)

    @pytest.mark.parametrize("degrees", [4, 90, 180, 270])
    async def test_turned(self, reading: Reading, degrees: int) -> None:
        image = files.picture_of_text(self.LINES).rotate(degrees, expand=True, fillcolor="white")
        told = await reading(files.encoded(image, "PNG"), "turned.png")
        places = [told.text.find(line) for line in self.LINES]
        assert -1 not in places
        assert places == sorted(places)
        page = told.pages[0]
        assert page.width is not None
        assert page.height is not None
        scale = image.width / page.width
        for word in ("ferry", "free"):  # what is in the box of a word is written
            left, top, right, bottom = (side * scale for side in _words(page)[word])
            assert files.ink(image.crop((int(left), int(top), int(right), int(bottom))))
        ferry, free = _words(page)["ferry"], _words(page)["free"]
        if degrees == 90:  # turned to the left, the first line stands at the left
            assert ferry[0] < free[0]
        elif degrees == 180:
            assert ferry[1] > free[1]

    async def test_turned_by_its_camera(self, reading: Reading) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        image = files.picture_of_text(self.LINES).transpose(Image.Transpose.ROTATE_90)
        told = await reading(files.encoded(image, "JPEG", exif=exif), "photo.jpg")
        assert "Dogs travel free of charge." in told.text
        assert told.pages[0].width is not None
        assert told.pages[0].height is not None
        assert told.pages[0].width > told.pages[0].height

    async def test_words_broken_at_the_end_of_a_line(self, reading: Reading) -> None:
        lines = ["The river begins in the moun-", "tains and the north-", "South road follows it."]
        told = await reading(files.encoded(files.picture_of_text(lines, size=24), "PNG"), "river.png")
        assert "in the mountains and the north-South road" in told.text

    async def test_nothing_to_read(self, reading: Reading) -> None:
        told = await reading(files.encoded(Image.new("RGB", (300, 300), "white"), "PNG"), "white.png")
        assert [page.text for page in told.pages][:1] == [""]
        assert told.pages[1].text.endswith("No text was found in it.")

    async def test_picture_of_a_page(self, parser: Parser, reading: Reading, tmp_path: Path) -> None:
        await reading(files.pdf([files.page_of_text(1), files.page_of_text(2)]), "rivers.pdf")
        path = tmp_path / "file"
        image = Image.open(io.BytesIO(await parser.render_page(path, "rivers.pdf", 2, 600)))
        assert image.format == "PNG"
        assert image.width == 600
        assert image.height == pytest.approx(849, abs=1)
        assert files.ink(image)
        with pytest.raises(NotFound, match=r"rivers\.pdf has no page 3"):
            await parser.render_page(path, "rivers.pdf", 3, 600)

    async def test_picture_in_an_archive(self, parser: Parser, reading: Reading, tmp_path: Path) -> None:
        members = {"a.txt": b"text", "b.pdf": files.pdf([files.page_of_text(1)])}
        await reading(files.zipped(members), "all.zip")
        path = tmp_path / "file"
        assert Image.open(io.BytesIO(await parser.render_page(path, "all.zip", 2, 400))).width == 400
        with pytest.raises(NotFound, match="no fixed form"):
            await parser.render_page(path, "all.zip", 1, 400)


class TestOffice:
    async def test_docx(self, reading: Reading) -> None:
        body = (
            files.word_paragraph("Bericht", "berschrift1")
            + files.word_paragraph("Die Brücke ist 120 m lang.")
            + files.word_paragraph("Erstens", depth=0)
            + files.word_paragraph("Genauer", depth=1)
            + files.word_paragraph("Zweitens", depth=0)
            + files.word_table([["Jahr", "Länge"], ["2025", "118,5"]])
            + '<w:p><w:r><w:t xml:space="preserve">Hier endet die </w:t></w:r><w:r><w:lastRenderedPageBreak/>'
            "<w:t>Seite.</w:t></w:r></w:p>" + files.word_paragraph("Anhang", "Erbe")
        )
        told = await reading(files.docx(body), "bericht.docx")
        assert told.blocks("heading") == ["Bericht", "Anhang"]
        assert told.blocks("list") == ["1. Erstens\n  a) Genauer\n2. Zweitens"]
        assert told.blocks("table") == ["Jahr | Länge\n2025 | 118,5"]
        assert len(told.pages) == 2
        assert told.pages[1].text.startswith("Seite.")

    async def test_odt(self, reading: Reading) -> None:
        body = (
            '<text:h text:outline-level="2">Fluss</text:h><text:p>Er ist<text:s text:c="2"/>lang.</text:p>'
            "<text:list><text:list-item><text:p>Quelle</text:p></text:list-item></text:list>"
            "<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>"
            "<table:table-cell><text:p>b</text:p></table:table-cell></table:table-row></table:table>"
            "<text:p>Ende<text:soft-page-break/> hier</text:p>"
        )
        told = await reading(files.odf("text", body), "fluss.odt")
        assert told.blocks("heading") == ["Fluss"]
        assert told.blocks("list") == ["• Quelle"]
        assert told.blocks("table") == ["a | b"]
        assert [page.text.split("\n")[-1] for page in told.pages] == ["Ende", "hier"]

    async def test_ods(self, reading: Reading) -> None:
        def row(*cells: str) -> str:
            inner = "".join(f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in cells)
            return f"<table:table-row>{inner}</table:table-row>"

        body = f'<table:table table:name="Kosten">{row("Was", "Euro")}{row("Boot", "1.200,50")}</table:table>'
        told = await reading(files.odf("spreadsheet", body), "kosten.ods")
        assert told.blocks("row") == ["Was: Boot; Euro: 1.200,50"]
        assert told.pages[0].label == "Kosten"

    async def test_odp(self, reading: Reading) -> None:
        body = (
            '<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>Plan</text:p></draw:text-box>'
            "</draw:frame><draw:frame><draw:text-box><text:p>Bauen</text:p></draw:text-box></draw:frame></draw:page>"
            "<draw:page><draw:frame><draw:text-box><text:p>Ende</text:p></draw:text-box></draw:frame></draw:page>"
        )
        told = await reading(files.odf("presentation", body), "plan.odp")
        assert [page.text for page in told.pages] == ["Plan\nBauen", "Ende"]

    async def test_pptx(self, reading: Reading) -> None:
        data = files.pptx([("Plan", ["Build", "Sail"], "Speak slowly"), ("End", ["Thanks"], "")])
        told = await reading(data, "plan.pptx")
        assert told.opened.pages == 2
        assert told.blocks("heading") == ["Plan", "End"]
        assert told.blocks("list") == ["• Build\n• Sail"]
        assert told.blocks("table") == ["Year | Tons\n2025 | 17"]
        assert "Speak slowly" in told.pages[0].text

    async def test_xlsx(self, reading: Reading) -> None:
        rows = [
            ["Cost of boats"],
            [],
            ["Boat", "Euro", "Share", "Bought"],
            ["Anna", 1234.5, 0.125, date(2026, 3, 1)],
            ["Ben", 7, 1 / 3, datetime(2026, 3, 2, 14, 30)],
        ]
        forms = {"B4": '#,##0.00 "€"', "C4": "0.0%", "C5": "0.00%"}
        told = await reading(
            files.xlsx({"Boats": rows, "Empty": [], "More": [["x", "y"], [1, 2]]}, forms), "boats.xlsx"
        )
        assert told.blocks("row") == [
            "Boat: Anna; Euro: 1234.50 €; Share: 12.5%; Bought: 2026-03-01",
            "Boat: Ben; Euro: 7; Share: 33.33%; Bought: 2026-03-02 14:30:00",
            "x: 1; y: 2",
        ]
        assert [page.label for page in told.pages] == ["Boats", "More"]
        assert [b.ref for b in told.pages[0].blocks if b.kind == "row"] == ["A4:D4", "A5:D5"]

    async def test_many_rows_are_many_pages(self, reading: Reading) -> None:
        rows = [["n", "square"], *([n, n * n] for n in range(1, 1202))]
        told = await reading(files.xlsx({"S": rows}), "squares.xlsx")
        assert len(told.pages) == 3
        assert told.blocks("row")[1200] == "n: 1201; square: 1442401"

    async def test_rtf(self, reading: Reading) -> None:
        told = await reading(rb"{\rtf1\ansi Gr\'fc\'dfe aus M\u252?nchen.\par Zweiter Absatz.\par}", "brief.rtf")
        assert told.blocks("paragraph") == ["Grüße aus München.", "Zweiter Absatz."]

    async def test_epub(self, reading: Reading) -> None:
        chapters = {"1.xhtml": "<h1>One</h1><p>Begun.</p>", "2.xhtml": "<h1>Two</h1><p>Done &amp; over.</p>"}
        told = await reading(files.epub(chapters), "book.epub")
        assert [page.text for page in told.pages] == ["One\nBegun.", "Two\nDone & over."]


class TestText:
    async def test_html(self, reading: Reading) -> None:
        data = (
            "<!doctype html><title>T</title><script>evil()</script><h2>Head</h2><p>One <b>bold</b> word.<p>Next"
            "<ol start=3><li>three<ul><li>deep</ul><li>four</ol><table><tr><th>A<th>B<tr><td>1<td>2</table>"
            "<pre>x = 1\n  y = 2</pre><div>caf&eacute;</div>"
        )
        told = await reading(data.encode(), "page.html")
        assert told.blocks("heading") == ["Head"]
        assert told.blocks("paragraph") == ["One bold word.", "Next", "café"]
        assert told.blocks("list") == ["3. three\n  • deep\n4. four"]
        assert told.blocks("table") == ["A | B\n1 | 2"]
        assert told.blocks("code") == ["x = 1\n  y = 2"]
        assert "evil" not in told.text

    async def test_markdown(self, reading: Reading) -> None:
        data = "# Top\n\nSome *text* with [a link](http://x.y).\n\n- one\n- two\n  1. deep\n\n| a | b |\n|---|---|\n"
        told = await reading((data + "| 1 | 2 |\n\n```py\nx = 1\n```\n").encode(), "note.md")
        assert told.blocks("heading") == ["Top"]
        assert told.blocks("paragraph") == ["Some text with a link."]
        assert told.blocks("list") == ["• one\n• two\n  1. deep"]
        assert told.blocks("table") == ["a | b\n1 | 2"]
        assert told.blocks("code") == ["x = 1"]

    @pytest.mark.parametrize(
        ("coding", "text"),
        [
            ("utf-8", "Žluťoučký kůň — 漢字 العربية"),
            ("utf-8-sig", "Grüße"),
            ("utf-16", "Grüße aus Köln"),
            ("utf-16-le", "Gruesse aus dem Norden"),
            ("cp1252", "Die Straße führt über die Brücke, „sagte“ er für 5 €."),
            ("cp1251", "Река начинается в горах и впадает в холодное море."),
        ],
    )
    async def test_encodings(self, reading: Reading, coding: str, text: str) -> None:
        told = await reading((text + "\n\n" + text).encode(coding), "text.txt")
        assert told.blocks("paragraph") == [text, text]

    async def test_what_is_no_text_in_text(self, reading: Reading) -> None:
        told = await reading(
            "a\0b äöüßéèê \ud800 \x1b[31mred \ufeff\r\nnext".encode("utf-8", "surrogatepass"), "odd.txt"
        )
        assert told.text.startswith("ab äöüßéèê ")
        assert told.text.endswith("[31mred \nnext\n")

    async def test_long_text_becomes_pages(self, reading: Reading) -> None:
        paragraphs = [f"{n} {files.PARAGRAPH * 5}" for n in range(100)]
        told = await reading("\n\n".join(paragraphs).encode(), "long.txt")
        assert len(told.pages) > 5
        assert told.blocks("paragraph") == paragraphs

    async def test_one_endless_line(self, reading: Reading) -> None:
        told = await reading(b"x" * 300_000, "line.txt")
        assert sum(page.text.count("x") for page in told.pages) == 300_000
        assert all(len(page.text) <= 20_001 for page in told.pages)

    async def test_code(self, reading: Reading) -> None:
        told = await reading(b"def f():\n    return 1\n", "f.py")
        assert told.blocks("code") == ["def f():\n    return 1"]

    @pytest.mark.parametrize(("name", "mark"), [("a.csv", ";"), ("a.csv", ","), ("a.tsv", "\t"), ("no ending", ";")])
    async def test_csv(self, reading: Reading, name: str, mark: str) -> None:
        rows = [["Stadt", "Fluss", "km"], ["Köln", "Rhein", "1232"], ["Paris", "Seine", "777"]]
        told = await reading("\n".join(map(mark.join, rows)).encode("cp1252"), name)
        assert told.blocks("row") == ["Stadt: Köln; Fluss: Rhein; km: 1232", "Stadt: Paris; Fluss: Seine; km: 777"]
        assert told.pages[0].blocks[0].ref == "A2:C2"


class TestMailAndArchives:
    async def test_mail_with_attachments(self, reading: Reading) -> None:
        told = await reading(files.eml({"rivers.pdf": files.pdf([files.page_of_text(1)])}), "mail.eml")
        assert told.blocks("heading")[0] == "Grüße aus Köln"
        assert "der Zug kommt um 17:42 Uhr an." in told.pages[0].text
        assert told.pages[1].member == "rivers.pdf"
        assert told.pages[1].words

    async def test_archive(self, reading: Reading) -> None:
        inner = files.zipped({"deep.txt": b"deep text"})
        members = {
            "a/rivers.pdf": files.pdf([files.page_of_text(n) for n in (1, 2)]),
            "../../etc/passwd": b"root is nobody",
            "broken.pdf": b"%PDF-1.7 nothing",
            "inner.zip": inner,
            "__MACOSX/._x": b"left out",
            "last.md": b"# Last",
        }
        told = await reading(files.zipped(members), "all.zip")
        assert [page.member for page in told.pages] == [
            "a/rivers.pdf",
            "a/rivers.pdf",
            "etc/passwd",
            "inner.zip/deep.txt",
            "last.md",
        ]
        assert len(told.remarks) == 1
        assert "broken.pdf is damaged" in told.remarks[0]

    async def test_archive_from_the_page_behind_the_known(self, reading: Reading) -> None:
        pages = files.pdf([files.page_of_text(n) for n in range(1, 4)])
        data = files.zipped({"a.pdf": pages, "b.pdf": pages})
        whole = await reading(data, "all.zip")
        rest = await reading(data, "all.zip", after=4)
        assert rest.pages == whole.pages[4:]

    async def test_recordings_follow_the_rest(self, tmp_path: Path) -> None:
        path = tmp_path / "all.zip"
        sounds = {f"{name}.wav": wav_of(name.encode()) for name in ("a", "b", "c")}
        mail = email.message_from_bytes(files.eml(sounds), policy=email.policy.default)
        for part in mail.iter_attachments():
            part.replace_header("Content-Disposition", 'attachment; filename="memo.wav"')
        path.write_bytes(files.zipped({**sounds, "mail.eml": bytes(mail), "last.md": b"# Last"}))
        parser = Parser(recognizer=Hearing())
        try:
            said = [piece async for piece in parser.read(path, "all.zip")]
            whole = [piece for piece in said if isinstance(piece, Page)]
            members = ["a.wav", "c.wav", "mail.eml/memo.wav", "mail.eml/memo (3).wav"]
            assert [page.member for page in whole] == ["mail.eml", "last.md", *(each for each in members for _ in "12")]
            assert [page.number for page in whole] == list(range(1, len(whole) + 1))
            assert [page.text for page in whole[2:6]] == ["a says 0", "a says 60", "c says 0", "c says 60"]
            assert whole[8].text == "c says 0"
            assert [piece.message for piece in said if isinstance(piece, UnreadPart)] == [
                "In all.zip: b.wav is damaged.",
                "In all.zip: mail.eml/memo (2).wav is damaged.",
            ]
            for count in range(len(whole) + 1):
                rest = [piece async for piece in parser.read(path, "all.zip", whole[:count])]
                assert [piece for piece in rest if isinstance(piece, Page)] == whole[count:]
        finally:
            await parser.close()

    async def test_archives_in_archives(self, reading: Reading) -> None:
        data = b"at the bottom"
        for name in ("x.txt", "c.zip", "b.zip"):
            data = files.zipped({name: data})
        told = await reading(data, "a.zip")
        assert told.pages == []
        assert "archive in an archive" in told.remarks[0]


class TestNotRead:
    @pytest.mark.parametrize(
        ("data", "name", "said"),
        [
            (b"", "a.pdf", "a.pdf is empty; send one with something in it."),
            (b"\n \n", "a.txt", "is empty"),
            (b"%PDF-1.7\nbroken", "a.pdf", "a.pdf is damaged and cannot be read"),
            (b"PK\3\4broken", "a.docx", "is damaged"),
            (b"Rar!\x1a\7\0", "a.rar", "is a RAR archive; unpack it"),
            (b"\x7fELF" + bytes(range(256)), "a.bin", "is a program"),
            (bytes(range(1, 256)) * 50, "a.dat", "is not a document that can be read here"),
            (b"\x89PNG\r\n\x1a\n broken", "a.png", "is damaged"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "a.docx", "is locked"),
        ],
    )
    async def test_one_sentence(self, reading: Reading, data: bytes, name: str, said: str) -> None:
        with pytest.raises(UnreadableFile) as raised:
            await reading(data, name)
        assert raised.value.status == 422
        assert said in raised.value.message
        assert raised.value.message.startswith(name)

    async def test_locked_archive(self, reading: Reading) -> None:
        data = bytearray(files.zipped({"a.txt": b"secret"}))
        for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # the bit that says so
            data[data.index(mark) + at] |= 1
        told = await reading(bytes(data), "a.zip")
        assert "a.txt is locked with a password" in told.remarks[0]
