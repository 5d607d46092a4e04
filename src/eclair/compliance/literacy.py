"""The literacy page (AI Act, Art. 4): what the assistant can and cannot do, for everyone and for each role."""

from __future__ import annotations

from eclair.compliance.installation_facts import InstallationFacts
from eclair.compliance.report import ComplianceReport, ReportSection
from eclair.compliance.report_texts import ReportTexts

PARTS = {"can": 3, "cannot": 5, "work": 5, "admins": 3, "auditors": 2}
"""The sections, and the number of their sentences."""


def report_literacy(_: InstallationFacts, texts: ReportTexts, generated: str) -> ComplianceReport:
    """Report what people should know before they work with the assistant."""
    return ComplianceReport(
        name="literacy",
        title=texts("title_literacy"),
        language=texts.language,
        text_language=texts.language,
        as_of=None,
        generated=generated,
        introduction=(texts("literacy_introduction"),),
        sections=tuple(
            ReportSection(
                part,
                texts(f"literacy_{part}"),
                done=tuple(texts(f"literacy_{part}_{number}") for number in range(1, count + 1)),
            )
            for part, count in PARTS.items()
        ),
    )
