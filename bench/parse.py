"""How fast documents are read, and whether the boxes of words hold those words: real books, through the door of ingest.

Books are PDFs given by path; with none given, three of Debian's packages are downloaded by `apt-get` and unpacked in a
temporary folder. Each is read by Éclair and by peers in turns: kreuzberg in a process of its own and, where it is
installed, pdfplumber on the first ten pages.
"""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pypdfium2 as pdfium  # pyright: ignore[reportMissingTypeStubs]
from harness import Goals, Others, median, options, run, shown, table

from eclair.documents.document_parser import Parser
from eclair.sandbox.pool import READING_NICENESS
from eclair.schema.documents import Page, Word

PACKAGES = ("debian-reference-de", "debian-reference-fr", "r-doc-pdf")
BOOKS = ("debian-reference.de.pdf", "debian-reference.fr.pdf", "R-intro.pdf", "R-exts.pdf", "fullrefman.pdf")
QUOTES = 200
PEERS = {
    "kreuzberg": "import sys, kreuzberg; kreuzberg.extract_file_sync(sys.argv[1], None, "
    "kreuzberg.ExtractionConfig(use_cache=False, pages=kreuzberg.PageConfig(extract_pages=True)))",
    "pdfplumber": "import sys, pdfplumber\n"
    "for page in pdfplumber.open(sys.argv[1], pages=range(1, 11)).pages: page.extract_words(); page.extract_text()",
}
"""What a peer runs; pdfplumber, which is slow, on ten pages."""

_WORD = re.compile(r"\w+")
_FILLED = re.compile("[\\s\ufffe\u00ad\x02-]")


@dataclass(slots=True)
class Book:
    path: Path
    pages: list[Page]
    seconds: list[float]
    first: list[float]


def fetch(folder: Path, packages: Sequence[str] = PACKAGES, books: Sequence[str] = BOOKS) -> list[Path]:
    """The books of Debian's packages."""
    subprocess.run(["apt-get", "download", *packages], cwd=folder, check=True, capture_output=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "unpacked"], check=True)
    found = {path.name: path for path in (folder / "unpacked").rglob("*.pdf") if not path.is_symlink()}
    return [found[name] for name in books if name in found]


async def read(parser: Parser, book: Book) -> None:
    """Read it once more."""
    began = time.perf_counter()
    book.pages.clear()
    async for piece in parser.read(book.path, book.path.name):
        if isinstance(piece, Page):
            if not book.pages:
                book.first.append(time.perf_counter() - began)
            book.pages.append(piece)
    book.seconds.append(time.perf_counter() - began)


async def peer(name: str, path: Path) -> float:
    """Seconds that the peer takes, less those in which its process starts and imports it; it gives way to others as
    ours does."""

    async def took(code: str) -> float:
        began = time.perf_counter()
        command = ("nice", "-n", str(READING_NICENESS), sys.executable, "-c", code, str(path))
        process = await asyncio.create_subprocess_exec(*command)
        if await process.wait():
            raise SystemExit(f"{name} does not read {path.name}")
        return time.perf_counter() - began

    return await took(PEERS[name]) - await took(f"import {name}")


def quotes(book: Book, count: int, chance: random.Random) -> list[tuple[Page, list[Word]]]:
    """Words that follow each other in a block, four to twenty of them, anywhere in the book but in its furniture."""
    found: list[tuple[Page, list[Word]]] = []
    while len(found) < count:
        page = chance.choice(book.pages)
        blocks = [block for block in page.blocks if block.kind != "furniture"] if page.read == "text" else []
        if blocks:
            block = chance.choice(blocks)
            words = [word for word in page.words if block.start <= word.start < block.end]
            if len(words) >= 4:
                begin = chance.randrange(len(words) - 3)
                found.append((page, words[begin : begin + chance.randint(4, 20)]))
    return found


def holds(document: pdfium.PdfDocument, page: Page, words: Sequence[Word]) -> bool:
    """Whether the boxes, those of a line as one, hold exactly the words by pdfium's own reckoning."""
    lines: list[list[float]] = []
    for word in words:
        last = lines[-1] if lines else None
        if last is not None and abs(last[1] - word.top) < 3 and -1 < word.left - last[2] < word.bottom - word.top:
            last[1:] = [min(last[1], word.top), word.right, max(last[3], word.bottom)]
        else:
            lines.append([word.left, word.top, word.right, word.bottom])
    sheet = document[page.number - 1]
    text = sheet.get_textpage()
    x, _, _, y = cast("tuple[float, float, float, float]", sheet.get_bbox())
    seen = "".join(text.get_text_bounded(x + left, y - low, x + right, y - top) for left, top, right, low in lines)
    said = "".join(page.text[word.start : word.end] for word in words)
    return _plain(seen) == _plain(said)


def _plain(text: str) -> str:
    for ligature, letters in (("ﬀ", "ff"), ("ﬁ", "fi"), ("ﬂ", "fl"), ("ﬃ", "ffi"), ("ﬄ", "ffl")):
        text = text.replace(ligature, letters)
    return _FILLED.sub("", text)


def fidelity(books: Sequence[Book], goals: Goals) -> None:
    chance = random.Random(5)
    held = tried = 0
    for book in books:
        document = pdfium.PdfDocument(book.path)
        results = [holds(document, page, words) for page, words in quotes(book, QUOTES, chance)]
        print(f"{book.path.name}: the boxes of {sum(results)} of {len(results)} quotes hold exactly their words.")
        held, tried = held + sum(results), tried + len(results)
        document.close()
    goals.at_least("quotes whose boxes hold exactly their words", 100 * held / tried, 99, " %")


async def ocr(parser: Parser, book: Book, count: int, folder: Path, goals: Goals) -> None:
    """Pages of a book as pictures of 150 dpi, read by OCR; what was read against the words that are in the PDF."""
    document = pdfium.PdfDocument(book.path)
    seconds: list[float] = []
    right = words = 0
    await _seen(parser, document, book.pages[1], folder)  # the models are loaded
    prose = [page for page in book.pages if sum(b.end - b.start for b in page.blocks if b.kind == "paragraph") > 1200]
    pages = random.Random(5).sample(prose, count)
    for page in pages:
        began = time.perf_counter()
        text = await _seen(parser, document, page, folder)
        seconds.append(time.perf_counter() - began)
        wanted, got = (Counter(_WORD.findall(each.casefold())) for each in (page.text, text))
        right, words = right + (wanted & got).total(), words + wanted.total()
    print(
        f"OCR, {len(pages)} pages of {book.path.name} with {words // len(pages)} words each: "
        f"{shown(median(seconds))} s a page, {100 * right / words:.1f} % of the words that are in the PDF."
    )
    goals.at_least("words of a picture that are read right", 100 * right / words, 95, " %")
    document.close()


async def _seen(parser: Parser, document: pdfium.PdfDocument, page: Page, folder: Path) -> str:
    path = folder / "page.png"
    sheet: Any = document[page.number - 1]
    sheet.render(scale=150 / 72).to_pil().save(path)
    return "\n".join([piece.text async for piece in parser.read(path, path.name) if isinstance(piece, Page)])


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("books", nargs="*", type=Path, help="PDFs; without any, books of Debian's packages")
    chosen = parser.parse_args()
    goals = Goals()
    reader = Parser()
    names = [name for name in PEERS if find_spec(name)]
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        paths: list[Path] = chosen.books or fetch(Path(folder))
        books = [Book(path, [], [], []) for path in (paths[:2] if chosen.quick else paths)]
        taken = {(name, book.path): list[float]() for name in names for book in books}
        others = Others()
        for _ in range(2 if chosen.quick else 4):
            for book in books:
                await read(reader, book)
                for name in names:
                    taken[name, book.path].append(await peer(name, book.path))
        rows: list[tuple[str, ...]] = []
        for book in books:
            count = len(book.pages)
            rates = [count / min(book.seconds)]
            rates += [(10 if name == "pdfplumber" else count) / min(taken[name, book.path]) for name in names]
            rows.append((book.path.name, str(count), *map(shown, rates), shown(1000 * min(book.first))))
        table(("book", "pages", "Éclair, pages/s", *(f"{name}, pages/s" for name in names), "first page, ms"), rows)
        fidelity(books, goals)
        await ocr(reader, books[0], 2 if chosen.quick else 5, Path(folder), goals)
        print(f"Other programs used {shown(others.cores())} cores meanwhile.")
    await reader.close()
    slowest = min(len(book.pages) / min(book.seconds) for book in books)
    goals.at_least("pages a second, the slowest book", slowest, 150)
    goals.print()


if __name__ == "__main__":
    run(main())
