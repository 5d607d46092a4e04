from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from eclair.documents.document_parser import Parser
from eclair.schema.documents import Opened, Page, UnreadPart


@dataclass(frozen=True)
class Told:
    """All that was said of a file."""

    opened: Opened
    pages: list[Page]
    remarks: list[str]

    @property
    def text(self) -> str:
        return "".join(page.text + "\n" for page in self.pages)

    def blocks(self, kind: str) -> list[str]:
        """The texts of the blocks of that kind."""
        return [page.text[b.start : b.end] for page in self.pages for b in page.blocks if b.kind == kind]


Reading = Callable[..., Awaitable[Told]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parser() -> AsyncGenerator[Parser]:
    """One for a file of tests, which are marked with this scope of their loop: loading OCR takes a second each time."""
    parser = Parser()
    yield parser
    await parser.close()


async def read(parser: Parser, path: Path, name: str, after: int = 0) -> Told:
    """The file through its door. What holds for every page of every file is looked at here."""
    kept = [Page(number, "") for number in range(1, after + 1)]
    said = [piece async for piece in parser.read(path, name, kept)]
    opened = said[0]
    assert isinstance(opened, Opened)
    pages = [piece for piece in said if isinstance(piece, Page)]
    remarks = [piece.message for piece in said if isinstance(piece, UnreadPart)]
    assert len(pages) + len(remarks) == len(said) - 1
    assert [page.number for page in pages] == list(range(after + 1, after + 1 + len(pages)))
    for page in pages:
        look(page)
    return Told(opened, pages, remarks)


def look(page: Page) -> None:
    """A page's places are in its text, and its text is what it says it is."""
    assert "\0" not in page.text
    page.text.encode("utf-8")
    end = 0
    for block in page.blocks:
        assert end <= block.start < block.end <= len(page.text)
        assert page.text[block.start : block.end].strip()
        end = block.end
    assert not page.text or end == len(page.text)
    before = 0
    for word in page.words:
        assert before <= word.start < word.end <= len(page.text)
        assert " " not in page.text[word.start : word.end]
        assert word.left <= word.right
        assert word.top <= word.bottom
        before = word.end
    if page.width is None:
        assert page.words == ()
        assert page.height is None


@pytest.fixture
def reading(parser: Parser, tmp_path: Path) -> Reading:
    """Reads a file of these bytes and that name."""

    async def told(data: bytes, name: str, after: int = 0) -> Told:
        path = tmp_path / "file"
        path.write_bytes(data)
        return await read(parser, path, name, after)

    return told
