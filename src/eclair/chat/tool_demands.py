"""Decides by rule which tool a question needs, for models that call tools on demand: they aren't left to choose.

Every other question is asked without a tool, so that nothing is slower or worse for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import PurePosixPath

from eclair.documents.table_question import read_question
from eclair.generation.demanded_calls import GivesWayTo, ToolDemand
from eclair.generation.tools import Tool
from eclair.office.workbook import WORKBOOK_SUFFIX
from eclair.python.python_service import FilePreview
from eclair.schema.messages import Attachment, Message
from eclair.text.intent.calculation import (
    asks_for_chart,
    asks_for_file,
    asks_to_count_text,
    calculation_kind,
    names_format,
    written_days,
)
from eclair.text.intent.whole_document import wants_whole_document
from eclair.tools.calculate import (
    CalculateDatesTool,
    CalculateTool,
    demand_calculation,
    demand_date_calculation,
)
from eclair.tools.run_python import PythonTool

TABLES = frozenset({".csv", ".tsv"})
TEXTS = frozenset({*TABLES, ".txt", ".md", ".json", ".xml", ".html", ".log"})
WORKBOOKS = frozenset({WORKBOOK_SUFFIX, ".ods"})
"""Workbooks; only the data tools can read those of other suffixes than `WORKBOOK_SUFFIX`."""

Preview = Callable[[Sequence[Attachment]], Awaitable[list[FilePreview]]]


async def find_demand(
    asked: Sequence[Message], tools: Sequence[Tool], preview: Preview, control_tokens: tuple[str, ...]
) -> ToolDemand | None:
    """Return the tool that the last question needs, if it is among the `tools`. `preview` reads the attached files."""
    question = asked[-1].text
    python = next((tool for tool in tools if isinstance(tool, PythonTool)), None)
    if python is not None:
        files = [file for message in asked for file in message.files]
        suffixes = TEXTS | (WORKBOOKS if python.has_data_tools else {WORKBOOK_SUFFIX})
        readable = [file for file in files if _suffix(file) in suffixes]
        if readable and (gives_way_to := _needs_code(question, readable)) is not None:
            return python.demand(
                await preview(readable),
                control_tokens,
                draws_chart=asks_for_chart(question) or names_format(question, "svg", "png"),
                makes_workbook=names_format(question, "xlsx", "excel"),
                gives_way_to=gives_way_to,
            )
    match calculation_kind(question):
        case None:
            return None
        case "figures":
            return demand_calculation() if any(isinstance(tool, CalculateTool) for tool in tools) else None
        case kind:
            dates = CalculateDatesTool in map(type, tools)
            return demand_date_calculation(kind, written_days(question)) if dates else None


def _needs_code(question: str, files: Sequence[Attachment]) -> GivesWayTo | None:
    """Return what code on these files gives way to; None if a question needs no code at all."""
    has_table = any(_suffix(file) in TABLES or _is_workbook(file) for file in files)
    if has_table and asks_for_chart(question):
        return "nothing"
    if asks_for_file(question, [file.name for file in files]):
        return "nothing"
    if not has_table:
        return "nothing" if asks_to_count_text(question) else None
    if wants_whole_document(question) or calculation_kind(question) is not None:
        return None
    return "passages" if read_question(question) is None else "rules"


def _suffix(file: Attachment) -> str:
    return PurePosixPath(file.name).suffix.casefold()


def _is_workbook(file: Attachment) -> bool:
    return _suffix(file) in WORKBOOKS
