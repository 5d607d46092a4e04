"""The sheet for a data protection impact assessment (GDPR, Art. 35 (7)), from the settings in force.

It gathers what the installation knows. The assessment itself is the controller's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from eclair.compliance.installation_facts import InstallationFacts
from eclair.compliance.processing_records import controller_section, measures_section, recipients_table
from eclair.compliance.report import ComplianceReport, ReportSection, ReportTable
from eclair.compliance.report_texts import ReportTexts

RiskLevel = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Risk:
    """A risk for people, and its level with the settings in force."""

    id: str
    level: RiskLevel


def report_impact(facts: InstallationFacts, texts: ReportTexts, generated: str) -> ComplianceReport:
    """Report what is processed, why it is needed, the risks with what is done against them, and what is open."""
    return ComplianceReport(
        name="impact",
        title=texts("title_impact"),
        language=texts.language,
        text_language=texts.legal_language,
        as_of=None,
        generated=generated,
        introduction=(texts("impact_introduction"), texts("impact_needed")),
        sections=(
            controller_section(facts, texts),
            _description(facts, texts),
            ReportSection(
                "necessity",
                texts("necessity_heading"),
                done=(texts("necessity_local"), texts("necessity_minimal"), texts("necessity_rights")),
                todo=(texts("necessity_basis"), texts("necessity_alternatives")),
                source="Art. 35 (7) (b)",
            ),
            _risks(facts, texts),
            measures_section(facts, texts),
            ReportSection(
                "consultation",
                texts("consultation_heading"),
                todo=tuple(texts(f"consultation_{name}") for name in ("officer", "people", "authority", "decision")),
                source="Art. 35 (2), (9), 36",
            ),
        ),
    )


def _description(facts: InstallationFacts, texts: ReportTexts) -> ReportSection:
    settings = facts.settings
    lines = (
        texts("description_assistant"),
        texts("description_models", names=", ".join(used.model.name for used in facts.models) or "–"),
        texts("description_exposed" if facts.is_exposed else "description_alone"),
        texts("kept_no_limit", setting="keep_days")
        if settings.keep_days == 0
        else texts("kept_days", days=settings.keep_days, setting="keep_days"),
    )
    table = recipients_table(facts.recipients, texts) if facts.recipients else None
    done = lines if table is not None else (*lines, texts("description_inside"))
    return ReportSection("description", texts("description_heading"), done=done, table=table, source="Art. 35 (7) (a)")


def find_risks(facts: InstallationFacts) -> Iterator[Risk]:
    """Rate the risks by the settings in force."""
    answered_elsewhere = any(each.kind == "answers" for each in facts.outgoing)
    yield Risk("wrong_answers", "medium")
    yield Risk("transfer", "high" if facts.outside_europe else "low")
    yield Risk("disclosure", "medium" if answered_elsewhere else "low")
    yield Risk("interception", "high" if facts.is_unencrypted else "low")
    yield Risk("too_long", "low" if facts.has_limit else "medium")
    yield Risk("injection", "medium" if facts.settings.egress == "open" else "low")
    yield Risk("loss", "high" if facts.settings.backup_folder is None else "low")
    yield Risk("sensitive", "medium")
    is_watched = facts.is_exposed and not facts.settings.works_council
    yield Risk("surveillance", "medium" if is_watched else "low")


def _risks(facts: InstallationFacts, texts: ReportTexts) -> ReportSection:
    risks = list(find_risks(facts))
    rows = tuple(
        (texts(f"risk_{risk.id}"), texts(f"risk_{risk.id}_measure"), texts(f"level_{risk.level}")) for risk in risks
    )
    columns = tuple(texts(f"column_{name}") for name in ("risk", "measure", "level"))
    todo = tuple(texts(f"risk_{risk.id}_todo") for risk in risks if risk.level != "low")
    return ReportSection(
        "risks",
        texts("risks_heading"),
        paragraphs=(texts("risks_text"),),
        table=ReportTable(columns, rows),
        todo=todo,
        source="Art. 35 (7) (c), (d)",
    )
