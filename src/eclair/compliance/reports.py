"""All compliance reports by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from eclair.compliance.duties import report_duties
from eclair.compliance.impact_sheet import report_impact
from eclair.compliance.installation_facts import InstallationFacts
from eclair.compliance.literacy import report_literacy
from eclair.compliance.model_cards import report_models
from eclair.compliance.processing_records import report_processing
from eclair.compliance.report import ComplianceReport, ReportName, write_markdown
from eclair.compliance.report_texts import ReportTexts

_WRITERS: Mapping[ReportName, Callable[[InstallationFacts, ReportTexts, str], ComplianceReport]] = {
    "ai-act": report_duties,
    "literacy": report_literacy,
    "models": report_models,
    "records": report_processing,
    "impact": report_impact,
}


def make_report(
    name: ReportName, facts: InstallationFacts, language: str, now: datetime | None = None
) -> ComplianceReport:
    """Make a report in a language, as far as it is translated."""
    generated = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%MZ")
    return _WRITERS[name](facts, ReportTexts(language), generated)


def report_markdown(report: ComplianceReport) -> str:
    """Write a report as Markdown, with labels in its language."""
    return write_markdown(report, ReportTexts(report.language).label)
