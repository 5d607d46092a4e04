"""Computes the answer to a question from the tables of files, over all rows, as a passage that can be cited."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence, Set

from eclair.documents.data_table import DataTable, read_data_tables
from eclair.documents.table_choice import choose_query
from eclair.documents.table_query import TableQuery, TableResult, compute, describe_query, describe_result
from eclair.documents.table_question import TableQuestion, TableReading, read_query, read_question
from eclair.errors import UpstreamError
from eclair.generation.usage import AskModel
from eclair.llm.base import Engine
from eclair.schema.events import StepFinished, StepStarted
from eclair.schema.messages import Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.files import FileState
from eclair.text.intent import MAX_QUESTION_CHARS
from eclair.text.language import identify_language

MAX_FILES = 20
MAX_LISTED_FILES = 300
"""Files of a library among which its sheets are looked for, the newest first."""
MIN_MODEL_ROWS = 3
"""A smaller table is shown to the model, which is not asked how to compute."""

MAX_PAGES = 50
"""Longer documents are not looked through for tables, unless they are sheets."""

_DELIMITED = ("text/csv", "text/tab-separated-values")
_DELIMITED_ENDINGS = (".csv", ".tsv")
_WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xls", ".ods")

MIN_COMPUTED_ROWS = 2

log = logging.getLogger(__name__)


class TableCalculator:
    """Computes the answer to one question. `passage`, unnumbered, is the result; None if nothing is computed."""

    def __init__(
        self, storage: Storage, ask: AskModel, principal: Principal, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.passage: Passage | None = None
        self._storage = storage
        self._ask = ask
        self._principal = principal
        self._clock = clock

    async def calculate(
        self, text: str, files: Sequence[FileState], libraries: Sequence[str], engine: Engine, model: Model
    ) -> AsyncGenerator[StepStarted | StepFinished, None]:
        """Compute the answer from the best table, if it is computed from one; yield the step.

        Tables are those of the files, and of the libraries' sheets as far as there is room for them.
        """
        if not (files or libraries) or len(files) > MAX_FILES:
            return
        question = read_question(text[:MAX_QUESTION_CHARS])
        if question is None:
            return
        began = self._clock()
        sheets = await self._library_sheets(libraries, MAX_FILES - len(files))
        attached = {each.file.id for each in files}
        added = [each for each in sheets if each.file.id not in attached]
        tables = [table for file in (*files, *added) for table in await self._tables(file)]
        if not tables:
            return
        chosen = await self._choose(question, tables, attached, engine, model)
        if chosen is None:
            return
        table, query = chosen
        result = await asyncio.to_thread(compute, table, query)
        counts = table.is_sheet and query.operation in ("count", "distinct")
        if len(result.rows) < MIN_COMPUTED_ROWS and not counts:
            return  # the row itself says more, and the text of a document more than none
        language = identify_language(text)
        self.passage = result_passage(table, result, language)
        yield StepStarted("compute", "read", describe_query(table, result, language))
        yield StepFinished("compute", round((self._clock() - began) * 1000, 1), count=len(result.rows))

    async def _library_sheets(self, libraries: Sequence[str], limit: int) -> list[FileState]:
        """Return the newest sheets of the libraries that are read to their end."""
        found: list[FileState] = []
        for library in libraries:
            listed = await self._storage.files.list_files(self._principal, MAX_LISTED_FILES, library=library)
            found += [each for each in listed.files if _is_sheet(each) and each.document.state == "ready"]
        return found[:limit]

    async def _tables(self, file: FileState) -> list[DataTable]:
        """Return the tables of a file."""
        if not _is_sheet(file) and file.document.pages_read > MAX_PAGES:
            return []
        pages = await self._storage.documents.list_pages(file.document.sha256)
        return await asyncio.to_thread(
            read_data_tables, file.file.id, file.file.name, pages, has_plain_numbers=_is_workbook(file)
        )

    async def _choose(
        self, question: TableQuestion, tables: Sequence[DataTable], attached: Set[str], engine: Engine, model: Model
    ) -> tuple[DataTable, TableQuery] | None:
        """Return the best table and what is computed: by the rule, or where that leaves something open by the model.

        A small model takes about ten seconds to choose, so it is asked for sheets alone: other tables are shown to it.
        A question that has no word of a library's sheet may be about anything else there.
        """
        readings = await asyncio.to_thread(_read_all, question, tables)
        best = max(readings, key=lambda reading: (reading.score, len(reading.table.rows)), default=None)
        if best is not None and best.is_complete:
            return best.table, best.query
        if model.only_quotes:
            return None
        sheets = [
            table for table in tables if table.is_sheet and table.file in attached and len(table.rows) >= MIN_MODEL_ROWS
        ]
        if best is None and not sheets:
            return None
        if best is not None and model.tier == "small" and not best.table.is_sheet:
            return None
        table = best.table if best is not None else max(sheets, key=lambda each: len(each.rows))
        known = best.query if best is not None else None
        try:
            query = await choose_query(question, table, known, self._ask, self._principal, engine, model)
        except UpstreamError as error:
            log.warning("the model did not choose a computation: %s", error.message)
            return None
        return (table, query) if query is not None else None


def result_passage(table: DataTable, result: TableResult, language: str | None) -> Passage:
    """Return the result as a passage of the table, from its first used row to the last on the same page.

    It is in the language of the question, or else in English.
    """
    used = [table.rows[at] for at in result.rows] or list(table.rows)
    return Passage(
        number=0,
        file=table.file,
        name=table.name,
        page=table.page,
        label=table.label,
        heading=(),
        start=used[0].start,
        end=used[-1].end,
        text=describe_result(table, result, language),
        computation=describe_query(table, result, language),
    )


def _is_sheet(file: FileState) -> bool:
    is_delimited = file.file.media in _DELIMITED or file.file.name.lower().endswith(_DELIMITED_ENDINGS)
    return is_delimited or _is_workbook(file)


def _is_workbook(file: FileState) -> bool:
    """Tell by the media type, or by the name where a client sent none, as some do for a CSV that Excel may open."""
    media, name = file.file.media, file.file.name.lower()
    if media in _DELIMITED or name.endswith(_DELIMITED_ENDINGS):
        return False
    return "sheet" in media or "excel" in media or name.endswith(_WORKBOOK_ENDINGS)


def _read_all(question: TableQuestion, tables: Sequence[DataTable]) -> list[TableReading]:
    return [reading for table in tables if (reading := read_query(question, table)) is not None]
