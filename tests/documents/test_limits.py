"""Files that are made to hurt, and files that chance made: none takes more than its reading process."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.documents.document_parser import Parser
from eclair.documents.limits import Limits
from eclair.errors import TooLarge, UnreadableFile, UserError
from eclair.schema.documents import Opened, Page
from tests.documents import files
from tests.documents.conftest import look, read

SMALL = Limits(seconds=20, memory_mb=1200, pages=50, unpacked=20 << 20, members=20)


@pytest.fixture
async def parser() -> AsyncGenerator[Parser]:
    """One for each test, as processes die here."""
    parser = Parser()
    yield parser
    await parser.close()


@pytest.fixture
async def small() -> AsyncGenerator[Parser]:
    parser = Parser(SMALL)
    yield parser
    await parser.close()


SLOW_MODULE = "tests.documents.slow_worker"


def _children() -> list[psutil.Process]:
    """The reading processes of this one, which their hosts have forked."""
    return [child for host in _hosts() for child in host.children()]


def _hosts() -> list[psutil.Process]:
    modules = ("eclair.documents.worker", SLOW_MODULE)
    return [each for each in psutil.Process().children() if any(module in each.cmdline() for module in modules)]


async def _begun() -> None:
    async with asyncio.timeout(20):
        while not _children():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)


def _written(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


async def _still_reads(parser: Parser, folder: Path) -> None:
    told = await read(parser, _written(folder, b"all is well"), "after.txt")
    assert told.text == "all is well\n"


async def test_a_bomb(small: Parser, tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.txt", "w") as member:
        for _ in range(30):
            member.write(b"a line of text\n" * 70_000)
    with pytest.raises(TooLarge, match=r"bomb\.zip unpacks to more than is read of one file"):
        await read(small, _written(tmp_path, out.getvalue()), "bomb.zip")
    await _still_reads(small, tmp_path)


async def test_a_bomb_in_an_office_file(small: Parser, tmp_path: Path) -> None:
    data = files.docx(files.word_paragraph("x" * (30 << 20)))
    with pytest.raises(TooLarge, match=r"bomb\.docx unpacks to more"):
        await read(small, _written(tmp_path, data), "bomb.docx")
    await _still_reads(small, tmp_path)


async def test_entities_that_multiply(small: Parser, tmp_path: Path) -> None:
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    body = f"<!DOCTYPE x [{entities}]><w:document><w:t>&a11;</w:t></w:document>"
    data = files.zipped({"[Content_Types].xml": b"", "word/document.xml": body.encode()})
    with pytest.raises(UnreadableFile, match="is damaged"):
        await read(small, _written(tmp_path, data), "laughs.docx")
    await _still_reads(small, tmp_path)


@pytest.mark.parametrize(
    "row",
    [
        '<row r="99999999999"><c r="A99999999999"><v>5</v></c></row>',
        '<row r="x"><c r="A2"><v>5</v></c></row>',
        '<row r="2"><c r="ZZZZ2"><v>5</v></c></row>',
        '<row r="2"><c r="A2"><v>five</v></c></row>',
        '<row r="2"><c r="A2" s="99"><v>5</v></c></row>',
        '<row r="2"><c r="A2" t="s"><v>99</v></c></row>',
    ],
)
async def test_a_sheet_with_a_row_that_no_sheet_has(small: Parser, tmp_path: Path, row: str) -> None:
    data = files.xlsx({"S": [["a"]]})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    place = "xl/worksheets/sheet1.xml"
    members[place] = members[place].replace(b"</sheetData>", row.encode() + b"</sheetData>")
    with pytest.raises(UnreadableFile, match=r"sheet\.xlsx is damaged and cannot be read; save it again"):
        await read(small, _written(tmp_path, files.zipped(members)), "sheet.xlsx")
    await _still_reads(small, tmp_path)


async def test_too_many_files(small: Parser, tmp_path: Path) -> None:
    data = files.zipped({f"{n}.txt": b"x" for n in range(21)})
    with pytest.raises(TooLarge, match="holds 21 files and the limit is 20"):
        await read(small, _written(tmp_path, data), "many.zip")


async def test_too_many_pages(small: Parser, tmp_path: Path) -> None:
    data = files.pdf([[(72, 72, 12, "page")]] * 51)
    with pytest.raises(TooLarge, match=r"long\.pdf has 51 pages and the limit is 50; send it in parts\."):
        await read(small, _written(tmp_path, data), "long.pdf")
    text = "\n\n".join([files.PARAGRAPH * 70] * 60)
    told = await read(small, _written(tmp_path, text.encode()), "long.txt")
    assert len(told.pages) == 50
    assert told.remarks == ["long.txt was read up to page 50; send the rest as a file of its own."]


async def test_too_much_memory(tmp_path: Path) -> None:
    parser = Parser(Limits(seconds=60, memory_mb=300))
    try:
        huge = files.docx("<w:p/>" * 4_000_000)
        with pytest.raises(UserError, match="300 MB of memory") as raised:
            await read(parser, _written(tmp_path, huge), "huge.docx")
        assert raised.value.status in (413, 422)
        await _still_reads(parser, tmp_path)
    finally:
        await parser.close()


async def test_too_many_pixels(small: Parser, tmp_path: Path) -> None:
    side = (30_000).to_bytes(4, "little")
    head = b"BM" + (1 << 20).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    data = head + (40).to_bytes(4, "little") + side * 2 + b"\1\0\x18\0" + bytes(24)
    with pytest.raises(TooLarge, match=r"big\.bmp has 900 million pixels and the limit is 120"):
        await read(small, _written(tmp_path, data), "big.bmp")


@pytest.fixture
async def slow(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Parser]:
    """A parser whose reader never ends."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    parser = Parser(module=SLOW_MODULE)
    yield parser
    await parser.close()


async def test_closing_leaves_no_host(slow: Parser, tmp_path: Path) -> None:
    path = _written(tmp_path, b"%PDF-1.7")
    task = asyncio.create_task(read(slow, path, "slow.pdf"))
    await _begun()
    assert len(_hosts()) == len(_children()) == 1
    await slow.close()
    with pytest.raises(UnreadableFile):
        await task
    assert _hosts() == []


@pytest.mark.usefixtures("slow")
async def test_too_slow(tmp_path: Path) -> None:
    parser = Parser(Limits(seconds=0.5), module=SLOW_MODULE)
    try:
        with pytest.raises(UnreadableFile, match=r"slow\.pdf takes too long to read"):
            await read(parser, _written(tmp_path, b"%PDF-1.7"), "slow.pdf")
        assert _children() == []
    finally:
        await parser.close()


async def test_a_process_that_dies(parser: Parser, tmp_path: Path) -> None:
    path = _written(tmp_path, files.pdf([files.page_of_text(n) for n in range(2000)]))
    messages = parser.read(path, "rivers.pdf")
    assert isinstance(await anext(messages), Opened)
    (process,) = _children()
    process.kill()
    with pytest.raises(UnreadableFile, match=r"rivers\.pdf cannot be read: it is damaged, or takes more than"):
        async for _ in messages:
            pass
    await _still_reads(parser, tmp_path)


async def test_closing_ends_the_work(parser: Parser, tmp_path: Path) -> None:
    path = _written(tmp_path, files.pdf([files.page_of_text(n) for n in range(2000)]))
    messages = parser.read(path, "rivers.pdf")
    async for piece in messages:
        if isinstance(piece, Page):
            break
    assert len(_children()) == 1
    await messages.aclose()
    assert _children() == []
    await _still_reads(parser, tmp_path)


async def test_closing_does_not_wait_for_what_nobody_reads(parser: Parser, tmp_path: Path) -> None:
    path = _written(tmp_path, b"A line of a text that is much longer than a pipe holds.\n" * 300_000)
    stream = parser.read(path, "long.txt")
    assert isinstance(await anext(stream), Opened)
    await asyncio.sleep(1)  # until the process waits for somebody to read on
    async with asyncio.timeout(20):
        await stream.aclose()
    assert not _children()


async def test_cancelling_ends_the_work(slow: Parser, tmp_path: Path) -> None:
    path = _written(tmp_path, b"%PDF-1.7")
    task = asyncio.create_task(read(slow, path, "slow.pdf"))
    await _begun()
    assert len(_children()) == 1
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert _children() == []


async def test_the_process_is_kept_warm(parser: Parser, tmp_path: Path) -> None:
    await _still_reads(parser, tmp_path)
    before = _children()
    with pytest.raises(UnreadableFile):
        await read(parser, _written(tmp_path, b"%PDF-broken"), "a.pdf")
    await _still_reads(parser, tmp_path)
    assert _children() == before
    await parser.close()
    assert _hosts() == []


async def test_two_at_once(tmp_path: Path) -> None:
    parser = Parser(workers=2)
    paths = [tmp_path / f"{n}" for n in range(6)]
    for n, path in enumerate(paths):
        path.write_bytes(files.pdf([files.page_of_text(n)] * 20))
    try:
        told = await asyncio.gather(*(read(parser, path, path.name) for path in paths))
        assert [each.pages[0].text.count(f"river {n}") for n, each in enumerate(told)] == [1] * 6
        assert len(_children()) == 2
    finally:
        await parser.close()


async def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    parser = Parser()
    path = tmp_path / "all.zip"
    path.write_bytes(files.zipped({f"{n}.pdf": files.pdf([files.page_of_text(n)] * 200) for n in range(5)}))
    messages = parser.read(path, "all.zip")
    async for piece in messages:
        if isinstance(piece, Page):
            break
    assert len(os.listdir(tmp_path)) == 2
    await messages.aclose()
    await parser.close()
    assert os.listdir(tmp_path) == ["all.zip"]


async def test_no_network_in_the_process() -> None:
    code = (
        "import sys, socket; from eclair.sandbox import worker; sys.addaudithook(worker.refuse_network)\n"
        "try: socket.create_connection(('127.0.0.1', 9))\n"
        "except PermissionError as error: print(error)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out == b"a file is read without network and other programs\n"


SAMPLES = {
    "a.pdf": files.pdf([files.page_of_text(1), files.page_of_text(2)]),
    "a.docx": files.docx(files.word_paragraph("Kopf", "berschrift1") + files.word_table([["a", "b"]])),
    "a.odt": files.odf("text", "<text:p>Hallo</text:p>"),
    "a.xlsx": files.xlsx({"S": [["a", "b"], [1, 2.5]]}),
    "a.pptx": files.pptx([("T", ["a", "b"], "n")]),
    "a.epub": files.epub({"1.xhtml": "<h1>One</h1>"}),
    "a.eml": files.eml({"a.txt": b"attached"}),
    "a.zip": files.zipped({"a.txt": b"text", "b.md": b"# x"}),
    "a.rtf": rb"{\rtf1\ansi Hallo \b Welt\b0\par}",
    "a.html": b"<html><table><tr><td>1<td>2</table><ul><li>a<li>b</ul><pre>x</pre>",
    "a.md": b"# h\n\n- a\n- b\n\n|a|b|\n|-|-|\n|1|2|\n",
    "a.csv": b"a;b;c\n1;2;3\n4;5;6\n",
    "a.json": b'{"a": [1, 2, 3]}',
}


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[str, bytes]:
    """A real file cut off, with bytes changed, or with a piece of it elsewhere."""
    name = draw(st.sampled_from(sorted(SAMPLES)))
    data = bytearray(SAMPLES[name])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["cut", "change", "insert", "repeat"])):
            case "cut":
                del data[at : at + draw(st.integers(1, len(data) + 1))]
            case "change":
                new = draw(st.binary(min_size=1, max_size=8))
                data[at : at + len(new)] = new
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=64))
            case _:
                data[at:at] = data[: draw(st.integers(1, 200))]
    return name, bytes(data)


anything = st.one_of(
    spoiled(),
    st.tuples(
        st.sampled_from([*sorted(SAMPLES), "a", "a.txt", "a.py", "a.png", ".."]),
        st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))),
    ),
)


def test_whatever_comes_in(tmp_path: Path) -> None:
    """Pages or one sentence: nothing else comes out, nothing hangs, and the process that read it reads the next."""

    said: list[tuple[str, str]] = []

    async def attempt(parser: Parser, name: str, data: bytes) -> None:
        try:
            async for piece in parser.read(_written(tmp_path, data), name):
                if isinstance(piece, Page):
                    look(piece)
        except (UnreadableFile, TooLarge) as error:
            said.append((name, error.message))

    with asyncio.Runner() as runner:
        parser = runner.run(_made())

        @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
        @given(anything)
        def one(named: tuple[str, bytes]) -> None:
            runner.run(attempt(parser, *named))

        one()
        runner.run(_still_reads(parser, tmp_path))
        runner.run(parser.close())
    assert said
    assert all(name in message and message.endswith(".") for name, message in said)


async def _made() -> Parser:
    return Parser(Limits(seconds=20))
