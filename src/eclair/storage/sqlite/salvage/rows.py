"""Copies the rows of a damaged database into a new one, page by page, and counts what is lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import apsw

from eclair.storage.base import ReportSteps
from eclair.storage.sqlite.salvage.page_file import PageFile
from eclair.storage.sqlite.salvage.records import Cell, DamagedCell, StoredValue, TreePage, parse_page, read_cells
from eclair.storage.sqlite.salvage.shapes import TableShape

RENUMBERED = frozenset({"api_item", "attached", "egress", "entry", "message", "picture"})
"""Tables whose rows may get another number where theirs is taken, as nothing refers to it."""

SCHEMA_ROOT = 1


@dataclass(slots=True)
class TableSalvage:
    """The fate of one table's rows, by their rowids; rows without one are counted."""

    saved: set[int] = field(default_factory=set[int])
    known: set[int] = field(default_factory=set[int])
    """Rows that an index or a damaged cell tells of."""
    saved_count: int = 0
    broken_count: int = 0
    """Cells that tell no rowid."""

    @property
    def lost_count(self) -> int:
        return len(self.known - self.saved) + self.broken_count


@dataclass(frozen=True, slots=True)
class SchemaEntry:
    """A table or index of the damaged database, as its schema has it."""

    kind: str
    name: str
    table: str
    root: int
    sql: str


def read_schema(pages: PageFile) -> list[SchemaEntry]:
    """List the tables and indexes, as far as the schema can be read. Raises OSError."""
    found: list[SchemaEntry] = []
    for number in _walk(pages, SCHEMA_ROOT):
        page = parse_page(pages, number)
        for cell in read_cells(pages, page) if page is not None and page.kind == "table" else ():
            match cell:
                case Cell(values=(str(kind), str(name), str(table), int(root), str() | None as sql)):
                    found.append(SchemaEntry(kind, name, table, root, sql or ""))
                case _:
                    pass
    return found


class RowSalvage:
    """One pass through all pages: first those that the trees lead to, then those that a broken tree has lost."""

    def __init__(self, pages: PageFile, shapes: list[TableShape], target: apsw.Connection) -> None:
        self._pages = pages
        self._shapes = {shape.name: shape for shape in shapes}
        self._target = target
        self._owners: dict[int, SchemaEntry] = {}
        self.tables: defaultdict[str, TableSalvage] = defaultdict(TableSalvage)

    def run(self, progress: ReportSteps) -> None:
        """Copy all rows. Raises OSError and apsw.Error."""
        for entry in read_schema(self._pages):
            if entry.root > SCHEMA_ROOT:
                for number in _walk(self._pages, entry.root):
                    self._owners.setdefault(number, entry)
        skipped = self._pages.list_free() | set(_walk(self._pages, SCHEMA_ROOT)) | self._owners.keys()
        others = [number for number in range(1, self._pages.count + 1) if number not in skipped]
        numbers = [*sorted(self._owners), *others]
        for done, number in enumerate(numbers, 1):
            page = parse_page(self._pages, number)
            if page is not None:
                self._copy_page(page)
            if done % 1000 == 0 or done == len(numbers):
                progress(done, len(numbers))

    def _copy_page(self, page: TreePage) -> None:
        owner = self._owners.get(page.number)
        is_index = owner is not None and owner.kind == "index" and page.kind.startswith("index")
        for cell in read_cells(self._pages, page):
            if isinstance(cell, DamagedCell):
                if owner is not None and owner.table in self._shapes and not is_index:
                    self._note_broken(self.tables[owner.table], cell.rowid)
            elif is_index and owner is not None:
                if cell.values and isinstance(cell.values[-1], int) and owner.table in self._shapes:
                    self.tables[owner.table].known.add(cell.values[-1])
            else:
                self._copy_row(cell, owner)

    def _copy_row(self, cell: Cell, owner: SchemaEntry | None) -> None:
        shape = self._recognize(cell, owner)
        if shape is not None:
            salvage = self.tables[shape.name]
            if self._insert(shape, cell):
                salvage.saved_count += 1
                if cell.rowid is not None:
                    salvage.saved.add(cell.rowid)
            elif owner is not None:
                self._note_broken(salvage, cell.rowid)
        elif owner is not None and owner.table in self._shapes:
            self._note_broken(self.tables[owner.table], cell.rowid)

    def _recognize(self, cell: Cell, owner: SchemaEntry | None) -> TableShape | None:
        """Find the table of a row: that of its page if it fits, else the only one that it fits, or that of its id."""
        mine = self._shapes.get(owner.table) if owner is not None else None
        if mine is not None and mine.fits(cell.rowid, cell.values):
            return mine
        fitting = [shape for shape in self._shapes.values() if shape.fits(cell.rowid, cell.values)]
        if len(fitting) > 1:
            is_run = str(cell.values[0]).startswith("run_")
            fitting = [shape for shape in fitting if (shape.name == "run") == is_run]
        return fitting[0] if len(fitting) == 1 else None

    def _insert(self, shape: TableShape, cell: Cell) -> bool:
        """Insert a row; return False for a second one of the same key, and one that the table refuses."""
        values: dict[str, StoredValue] = dict(zip((column.name for column in shape.columns), cell.values, strict=False))
        if shape.alias is not None:
            values[shape.columns[shape.alias].name] = cell.rowid
        if self._try_insert(shape.name, values):
            return True
        if shape.alias is None or shape.name not in RENUMBERED:
            return False
        del values[shape.columns[shape.alias].name]
        return self._try_insert(shape.name, values)

    def _try_insert(self, table: str, values: dict[str, StoredValue]) -> bool:
        marks = ", ".join("?" * len(values))
        try:
            self._target.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
        except (apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError):
            return False
        return True

    @staticmethod
    def _note_broken(salvage: TableSalvage, rowid: int | None) -> None:
        if rowid is None:
            salvage.broken_count += 1
        else:
            salvage.known.add(rowid)


def _walk(pages: PageFile, root: int) -> Iterator[int]:
    """Yield the pages of a tree, as far as its interior pages can be read."""
    seen = set[int]()
    waiting = [root]
    while waiting:
        number = waiting.pop()
        if number in seen or not 1 <= number <= pages.count:
            continue
        seen.add(number)
        page = parse_page(pages, number)
        if page is not None:
            yield number
            waiting += page.children()
