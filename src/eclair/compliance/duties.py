"""The duties of the AI Act: which is met here and how, and what whoever runs Éclair has to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from eclair.compliance.installation_facts import InstallationFacts
from eclair.compliance.report import ComplianceReport, DutyState, ReportSection
from eclair.compliance.report_texts import ReportTexts

AS_OF = "2026-11-28"
"""The day up to which the law was followed."""


@dataclass(frozen=True, slots=True)
class DutyFinding:
    """The state of a duty here: sentences on what is so, and on what is to do."""

    state: DutyState
    done: tuple[str, ...] = ()
    todo: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty: the day from which it applies, its article, and how it is found out whether it is met."""

    id: str
    since: str
    source: str
    find: Callable[[InstallationFacts, ReportTexts], DutyFinding]


def report_duties(facts: InstallationFacts, texts: ReportTexts, generated: str) -> ComplianceReport:
    """Report each duty with its state here."""
    return ComplianceReport(
        name="ai-act",
        title=texts("title_ai-act"),
        language=texts.language,
        text_language=texts.legal_language,
        as_of=AS_OF,
        generated=generated,
        introduction=(texts("duties_introduction"), texts("duties_not_advice")),
        sections=tuple(_section(duty, facts, texts, generated) for duty in DUTIES),
    )


def _section(duty: Duty, facts: InstallationFacts, texts: ReportTexts, generated: str) -> ReportSection:
    found = duty.find(facts, texts)
    is_due = date.fromisoformat(duty.since) <= date.fromisoformat(generated[:10])
    state = "later" if found.state == "open" and not is_due else found.state
    return ReportSection(
        id=duty.id,
        heading=texts(f"{duty.id}_heading"),
        paragraphs=(texts(f"{duty.id}_text"),),
        state=state,
        done=found.done,
        todo=found.todo,
        since=duty.since,
        source=duty.source,
    )


def _literacy(facts: InstallationFacts, texts: ReportTexts) -> DutyFinding:
    counts = facts.literacy
    done = (
        texts("literacy_page"),
        *(() if counts is None else (texts("literacy_counts", offered=counts.offered, read=counts.read),)),
    )
    return DutyFinding("partly", done, (texts("literacy_train"),))


def _prohibited(facts: InstallationFacts, texts: ReportTexts) -> DutyFinding:
    done = (texts("prohibited_absent"), texts("prohibited_images"))
    if facts.settings.use_warnings == "off":
        return DutyFinding("partly", done, (texts("prohibited_switch"), texts("prohibited_rules")))
    return DutyFinding(
        "partly", (*done, texts(f"warnings_{facts.settings.use_warnings}")), (texts("prohibited_rules"),)
    )


def _high_risk(facts: InstallationFacts, texts: ReportTexts) -> DutyFinding:
    if not facts.settings.high_risk_use:
        return DutyFinding("none", (texts("intended_use"),), (texts("high_risk_declare"),))
    done = (texts("high_risk_declared"), texts("high_risk_oversight"))
    todo = tuple(texts(f"high_risk_{name}") for name in ("assign", "input", "monitor", "inform", "register"))
    return DutyFinding("open", done, todo)


def _logs(facts: InstallationFacts, texts: ReportTexts) -> DutyFinding:
    done = tuple(
        texts("logs_for_ever" if log.days == 0 else "logs_days", setting=log.setting, days=log.days)
        for log in facts.logs
    )
    todo = tuple(texts("logs_too_short", setting=log.setting, days=log.days) for log in facts.short_logs)
    if not facts.settings.high_risk_use:
        return DutyFinding("none", done, (texts("logs_if_high_risk"),) if todo else ())
    return DutyFinding("open" if todo else "met", done, todo)


def _interaction(_: InstallationFacts, texts: ReportTexts) -> DutyFinding:
    done = tuple(texts(f"interaction_{name}") for name in ("page", "shares", "api"))
    return DutyFinding("met", done, (texts("interaction_own_pages"),))


def _marking(facts: InstallationFacts, texts: ReportTexts) -> DutyFinding:
    done = (texts("marking_images"), texts("marking_texts"), texts("marking_check"))
    todo = (texts("marking_removal"),)
    if facts.settings.text_watermark == "off":
        todo = (*todo, texts("marking_no_watermark"))
    else:
        done = (*done, texts("marking_watermark"))
    if facts.is_exposed and not facts.settings.public_checks:
        todo = (*todo, texts("marking_public"))
    return DutyFinding("met" if len(todo) == 1 else "partly", done, todo)


def _deep_fakes(_: InstallationFacts, texts: ReportTexts) -> DutyFinding:
    return DutyFinding("yours", (texts("deep_fakes_marked"),), (texts("deep_fakes_label"), texts("deep_fakes_review")))


def _general_purpose(facts: InstallationFacts, texts: ReportTexts) -> DutyFinding:
    unknown = [used.model.name for used in facts.models if used.model.license is None]
    done = (texts("general_purpose_models", count=len(facts.models)),)
    todo = (texts("general_purpose_tuning"),)
    if unknown:
        todo = (texts("general_purpose_unknown", names=", ".join(unknown)), *todo)
    return DutyFinding("partly" if unknown else "met", done, todo)


def _workers(_: InstallationFacts, texts: ReportTexts) -> DutyFinding:
    return DutyFinding("yours", (texts("workers_material"),), (texts("workers_tell"),))


def _penalties(_: InstallationFacts, texts: ReportTexts) -> DutyFinding:
    return DutyFinding("none", (texts("penalties_amounts"),))


DUTIES = (
    Duty("literacy", "2025-02-02", "Regulation (EU) 2024/1689, Art. 4", _literacy),
    Duty("prohibited", "2025-02-02", "Regulation (EU) 2024/1689, Art. 5", _prohibited),
    Duty("interaction", "2026-08-02", "Regulation (EU) 2024/1689, Art. 50 (1)", _interaction),
    Duty("marking", "2026-08-02", "Regulation (EU) 2024/1689, Art. 50 (2)", _marking),
    Duty("deep_fakes", "2026-08-02", "Regulation (EU) 2024/1689, Art. 50 (4)", _deep_fakes),
    Duty("general_purpose", "2025-08-02", "Regulation (EU) 2024/1689, Art. 53", _general_purpose),
    Duty("high_risk", "2027-12-02", "Regulation (EU) 2024/1689, Art. 6, 26, 27, Annex III", _high_risk),
    Duty("logs", "2027-12-02", "Regulation (EU) 2024/1689, Art. 26 (6)", _logs),
    Duty("workers", "2027-12-02", "Regulation (EU) 2024/1689, Art. 26 (7)", _workers),
    Duty("penalties", "2026-08-02", "Regulation (EU) 2024/1689, Art. 99", _penalties),
)
