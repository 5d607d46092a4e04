"""`run_python`: a model that answers runs code in the sandbox of the conversation, and reads what comes out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import partial

from pydantic import BaseModel, ConfigDict, Field

from eclair.generation.demanded_calls import GivesWayTo, ToolDemand
from eclair.generation.tools import LocalTool, ToolContext, ToolResult, define_function
from eclair.generation.untrusted import neutralize, neutralize_line
from eclair.llm.base import JSON, PromptMessage
from eclair.office.workbook import is_workbook_name
from eclair.python.python_protocol import MAX_CODE_CHARS, TIMEOUT_S, shorten
from eclair.python.python_service import FilePreview, PythonRun, PythonService
from eclair.schema.events import CallProgressed, Event
from eclair.schema.messages import CallAccess, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.tools.call_progress import report_printed

PYTHON_TOOL_NAME = "run_python"
CALL_LIMIT_S = TIMEOUT_S + 60.0
"""Time for a call, with the start of a session."""

MAX_SHOWN_CHARS = 16_000
MAX_ERROR_CHARS = 4_000

_DESCRIPTION = (
    "Runs Python in a sandbox without network and returns what it prints, with the value of a last expression. Use it "
    "to calculate, and to read or make tables and files. Variables stay for the next call. Files that the person "
    "attached are in the working directory under their names; the person sees the files that you write there. "
)
_PLAIN = (
    "Only Python's own modules are there: {modules}. There is no pandas, numpy, matplotlib or openpyxl; "
    "bar_chart(labels, values, title), line_chart(…) and pie_chart(…) draw and show a chart, "
    "write_workbook('table.xlsx', rows) writes an XLSX file, or several sheets with {{sheet: rows}}, and "
    "read_workbook(name, sheet_name=0) returns the rows of one."
)
_DATA = "These are there too: {modules}. Call plt.show() to show a chart; give it a title."

_CALL_WORDS = """\
These files are in the working directory:
{files}

To work this out, first write a short Python program, without comments. It reads the files with {reading} and \
prints what the question asks for. What it makes goes into new files. {modules}"""
_CALL_PLAIN = "There are csv, json, re, math, datetime and collections, and no pandas or numpy."
_CALL_CHARTS = (
    " To draw a chart, call the built-in bar_chart(labels, values, title), line_chart(labels, values, title) or "
    "pie_chart(labels, values, title); name=… names its SVG file. They are there without an import or a definition."
)
_CALL_WORKBOOKS = (
    " To make an XLSX file, call the built-in write_workbook('table.xlsx', rows), where rows is a list of lists with "
    "the header first. It is there without an import or a definition."
)
_READ_TEXTS = "open"
_READ_WORKBOOKS = "open, and XLSX files with the built-in read_workbook(name), which returns a list of rows,"
_CALL_DATA = "pandas, numpy and matplotlib are there. Call plt.show() to show a chart; give it a title."
MADE_FILES_MARK = "Files made:"
"""The line of a result after which it lists the files."""
_MADE_FILE = re.compile(r" \(([\w.+/-]{1,100}), version (\d{1,9}), (\d{1,15}) bytes\)(?:: |$)")
_CALL_AGAIN = "Write the whole program again, without that mistake."


class PythonArguments(BaseModel):
    model_config = ConfigDict(extra="ignore")

    code: str = Field(min_length=1, max_length=MAX_CODE_CHARS, description="The Python code to run.")


class PythonTool(LocalTool):
    """Implements `Tool`: runs code for one conversation."""

    name = PYTHON_TOOL_NAME
    access: CallAccess = "compute"
    arguments: type[BaseModel] = PythonArguments
    timeout_s = CALL_LIMIT_S

    def __init__(self, service: PythonService, principal: Principal, conversation: str) -> None:
        self._service = service
        self._principal = principal
        self._conversation = conversation

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool with the modules that are there; None for a model that can't call tools."""
        if not model.can_call_tools:
            return None
        note = _DATA if self.has_data_tools else _PLAIN
        description = _DESCRIPTION + note.format(modules=", ".join(self._service.modules))
        return define_function(PYTHON_TOOL_NAME, description, PythonArguments)

    @property
    def has_data_tools(self) -> bool:
        return self._service.interpreter == "wasi"

    def demand(
        self,
        files: Sequence[FilePreview],
        control_tokens: tuple[str, ...],
        *,
        draws_chart: bool = False,
        makes_workbook: bool = False,
        gives_way_to: GivesWayTo = "nothing",
    ) -> ToolDemand:
        """Demand a program that works on the files.

        Unless it `draws_chart` or `makes_workbook`, it isn't told how: a small model would do so.
        """
        shown = "\n".join(_described_file(file, control_tokens) for file in files)
        has_workbook = any(is_workbook_name(file.name) for file in files)
        if self.has_data_tools:
            reading, modules = _READ_TEXTS, _CALL_DATA
        else:
            reading = _READ_WORKBOOKS if has_workbook else _READ_TEXTS
            charts, workbooks = _CALL_CHARTS if draws_chart else "", _CALL_WORKBOOKS if makes_workbook else ""
            modules = f"{_CALL_PLAIN}{charts}{workbooks}"
        words = _CALL_WORDS.format(files=shown, reading=reading, modules=modules)
        return ToolDemand(self, words, _CALL_AGAIN, gives_way_to=gives_way_to)

    def summary(self, arguments: PythonArguments) -> str:
        """See `Tool.summary`."""
        lines = len(arguments.code.strip().splitlines())
        return f"Run {lines} {'line' if lines == 1 else 'lines'} of Python"

    async def run(self, arguments: PythonArguments, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Run the code. Raises what the service raises."""
        run = partial(self._service.run, self._principal, self._conversation, arguments.code, model=context.model.id)
        async with contextlib.aclosing(report_printed(context.call, run)) as reports:
            async for each in reports:
                yield each if isinstance(each, CallProgressed) else await self._result(each)

    async def _result(self, found: PythonRun) -> ToolResult:
        names: Sequence[str] = ()
        if found.error is not None and "FileNotFoundError" in found.error:
            names = await self._service.list_names(self._principal, self._conversation)
        return ToolResult(describe_run(found, names), has_failed=found.error is not None)


def _described_file(file: FilePreview, control_tokens: tuple[str, ...]) -> str:
    name = neutralize_line(file.name, control_tokens)
    if not file.lines:
        return name
    begins = "\n".join(neutralize(line, control_tokens) for line in file.lines)
    return f"{name}, which begins:\n{begins}"


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that a result names. `size` is in bytes, and `alt` describes a chart."""

    name: str
    media: str
    version: int
    size: int
    alt: str


def read_made_files(result: str) -> list[MadeFile]:
    """Return the files that a result names, as `describe_run` wrote them; none of any other text."""
    made: list[MadeFile] = []
    _, mark, listed = result.rpartition(MADE_FILES_MARK)
    for line in listed.splitlines() if mark else ():
        if line.startswith("- ") and (found := _MADE_FILE.search(line)) is not None:
            made.append(MadeFile(line[2 : found.start()], found[1], int(found[2]), int(found[3]), line[found.end() :]))
    return made


def describe_run(found: PythonRun, names: Sequence[str] = ()) -> str:
    """Describe results for a model. The page reads this form too: the files come last, one on a line."""
    parts: list[str] = []
    if found.lost:
        parts.append("Note: The variables of earlier calls are gone; files are still there.")
    if found.output.strip() or found.error is None:
        parts.append(f"Output:\n{shorten(found.output.rstrip(), MAX_SHOWN_CHARS) or '(nothing)'}")
    if found.error is not None:
        line = f" in line {found.line}" if found.line is not None else ""
        parts.append(f"Error{line}:\n{shorten(found.error, MAX_ERROR_CHARS)}")
    if found.wants is not None:
        parts.append(
            f"Note: {found.wants} is not installed here. Do it without {found.wants} if you can; otherwise say that "
            "the person can install the data tools with the button below the code."
        )
    if names:
        parts.append(f"Note: The working directory has these files: {', '.join(names)}.")
    files = [
        f"- {file.name} ({file.media}, version {file.version}, {file.size} bytes){f': {file.alt}' if file.alt else ''}"
        for file in found.files
    ]
    parts.append("\n".join([MADE_FILES_MARK, *files]) if files else f"{MADE_FILES_MARK} none")
    return "\n\n".join(parts)
