"""The form of every compliance report, which the page, Markdown and JSON all show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

ReportName = Literal["ai-act", "literacy", "models", "records", "impact"]
REPORT_NAMES: tuple[ReportName, ...] = get_args(ReportName)

DutyState = Literal["met", "partly", "open", "yours", "later", "none"]
"""Met by this installation; met in part; something is to be set; the deployer's own; not due yet; doesn't apply."""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table: the names of its columns, and its rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section of a report. `done` says what is so here, `todo` what whoever runs Éclair has to do.

    `since` is the day from which a duty applies (ISO 8601), `source` the article that it is from.
    """

    id: str
    heading: str
    paragraphs: tuple[str, ...] = ()
    state: DutyState | None = None
    done: tuple[str, ...] = ()
    todo: tuple[str, ...] = ()
    table: ReportTable | None = None
    since: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class ComplianceReport:
    """A report about this installation, from its settings and state at the time `generated`.

    `as_of` is the day (ISO 8601) of the law that it speaks of. `language` is that of the title and the labels,
    `text_language` that of the text, which is English where there is no translation.
    """

    name: ReportName
    title: str
    language: str
    text_language: str
    as_of: str | None
    generated: str
    introduction: tuple[str, ...]
    sections: tuple[ReportSection, ...]


Label = Callable[[str], str]
"""Gives a label, such as `todo`, in the language of the report."""


def write_markdown(report: ComplianceReport, label: Label) -> str:
    """Write a report as Markdown."""
    return "\n".join(_lines(report, label)).rstrip() + "\n"


def _lines(report: ComplianceReport, label: Label) -> Iterator[str]:
    yield from (f"# {report.title}", "")
    yield f"{label('generated')}: {report.generated}"
    if report.as_of is not None:
        yield f"{label('as_of')}: {report.as_of}"
    yield ""
    for paragraph in report.introduction:
        yield from (paragraph, "")
    for section in report.sections:
        yield from _section(section, label)


def _section(section: ReportSection, label: Label) -> Iterator[str]:
    yield from (f"## {section.heading}", "")
    facts = [] if section.state is None else [f"**{label(f'state_{section.state}')}**"]
    facts += [] if section.since is None else [f"{label('since')} {section.since}"]
    facts += [] if section.source is None else [section.source]
    if facts:
        yield from (" · ".join(facts), "")
    for paragraph in section.paragraphs:
        yield from (paragraph, "")
    if section.done:
        yield from (*(f"- {line}" for line in section.done), "")
    if section.table is not None:
        yield from _table(section.table)
    if section.todo:
        yield from (f"{label('todo')}:", "", *(f"- [ ] {line}" for line in section.todo), "")


def _table(table: ReportTable) -> Iterator[str]:
    rows = (table.columns, tuple("---" for _ in table.columns), *table.rows)
    yield from (f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)
    yield ""


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
