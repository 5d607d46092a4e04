"""`eclair compliance`: prints a report: duties of the AI Act, literacy, models, records of processing, impact."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict
from pathlib import Path

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import list_answering_models
from eclair.compliance.compliance_settings import with_compliance_settings
from eclair.compliance.installation_facts import gather_facts
from eclair.compliance.report import ComplianceReport, ReportName
from eclair.compliance.reports import make_report, report_markdown
from eclair.errors import StoreError
from eclair.settings import Settings


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = with_compliance_settings(load_settings(arguments).settings)
    log_if_debugging(settings)
    report = asyncio.run(_make(settings, arguments.report, arguments.language))
    data = (
        orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2) + b"\n"
        if arguments.json
        else report_markdown(report).encode()
    )
    output: Path | None = arguments.output
    if output is None:
        terminal.write_bytes(data)
        return 0
    try:
        output.write_bytes(data)
    except OSError as error:
        raise StoreError(f"{output} cannot be written: {error.strerror}; choose another file.") from error
    terminal.line(f"Written to {output}.")
    return 0


async def _make(settings: Settings, name: ReportName, language: str) -> ComplianceReport:
    models = await list_answering_models(settings)
    async with opened_storage(settings) as storage:
        return make_report(name, await gather_facts(settings, models, storage), language)
