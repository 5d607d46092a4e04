"""The records of processing activities (GDPR, Art. 30), from the settings in force."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eclair.compliance.installation_facts import InstallationFacts, is_outside_europe
from eclair.compliance.report import ComplianceReport, ReportSection, ReportTable
from eclair.compliance.report_texts import ReportTexts
from eclair.outgoing_data import OutgoingData, OutgoingKind

ARTICLE = "Regulation (EU) 2016/679, Art. 30"
FIELDS = ("purpose", "basis", "people", "data")


def report_processing(facts: InstallationFacts, texts: ReportTexts, generated: str) -> ComplianceReport:
    """Report each activity: purposes, people, data, recipients, periods; then the measures that protect it."""
    settings = facts.settings
    answers = _recipients(facts, "answers")
    activities = [
        _activity(texts, "conversations", answers, _kept(texts, "keep_days", settings.keep_days)),
        _activity(texts, "documents", [*answers, *_recipients(facts, "storage")], texts("kept_until_deleted")),
    ]
    searches = _recipients(facts, "search", "pages")
    if searches:
        activities.append(_activity(texts, "search", searches, texts("kept_with_conversation")))
    activities += [
        _activity(texts, "images", _recipients(facts, "storage"), texts("kept_until_deleted")),
        _activity(texts, "programs", answers, _kept(texts, "response_days", settings.response_days, none=True)),
        _activity(texts, "access", _recipients(facts, "identity"), texts("kept_access")),
        _activity(texts, "records", _recipients(facts, "traces", "audit"), "; ".join(_log_periods(facts, texts))),
    ]
    if settings.backup_folder is not None:
        kept = texts("kept_backups", count=settings.backup_keep, hours=f"{settings.backup_hours:g}")
        activities.append(_activity(texts, "backups", [], kept))
    return ComplianceReport(
        name="records",
        title=texts("title_records"),
        language=texts.language,
        text_language=texts.legal_language,
        as_of=None,
        generated=generated,
        introduction=(texts("records_introduction"),),
        sections=(
            controller_section(facts, texts),
            *activities,
            *_rules_sections(facts, texts),
            measures_section(facts, texts),
        ),
    )


def controller_section(facts: InstallationFacts, texts: ReportTexts) -> ReportSection:
    """Describe the controller; what the settings don't say is to be filled in."""
    settings = facts.settings
    named = ("organisation", "organisation_contact", "organisation_country", "data_protection_officer")
    values = [(name, getattr(settings, name)) for name in named]
    rows = tuple((texts(f"field_{name}"), value or texts("not_stated")) for name, value in values)
    missing = tuple(texts("state_setting", setting=name) for name, value in values if value is None)
    table = ReportTable((texts("column_field"), texts("column_value")), rows)
    return ReportSection("controller", texts("controller_heading"), table=table, todo=missing, source=ARTICLE)


def measures_section(facts: InstallationFacts, texts: ReportTexts) -> ReportSection:
    """Describe the technical and organisational measures in force, and those that are missing."""
    done, todo = [texts("measure_sandbox"), texts("measure_deletion"), texts("measure_audit")], list[str]()
    settings = facts.settings
    done.append(texts(f"measure_egress_{settings.egress}", hosts=", ".join(settings.egress_hosts)))
    done += [texts("measure_works_council")] if settings.works_council else []
    done.append(texts("measure_access_others" if facts.is_exposed else "measure_access_alone"))
    (todo if facts.is_unencrypted else done).append(
        texts("measure_unencrypted" if facts.is_unencrypted else "measure_encrypted")
    )
    if settings.backup_folder is None:
        todo.append(texts("measure_no_backup"))
    else:
        is_encrypted = settings.backup_passphrase_file is not None
        (done if is_encrypted else todo).append(
            texts("measure_backup_encrypted" if is_encrypted else "measure_backup_open")
        )
    todo.append(texts("measure_disk"))
    return ReportSection(
        "measures", texts("measures_heading"), done=tuple(done), todo=tuple(todo), source="Art. 30 (1) (g), 32"
    )


def recipients_table(recipients: Sequence[OutgoingData], texts: ReportTexts) -> ReportTable:
    """List recipients with what they get, and whether they are in a third country."""
    columns = ("recipient", "gets", "country", "third_country")
    rows = tuple(
        (
            ", ".join(each.hosts) or texts("any_host"),
            texts(f"gets_{each.kind}"),
            each.country or texts("country_unknown"),
            texts("yes_transfer" if is_outside_europe(each) or not each.hosts else "no_transfer"),
        )
        for each in recipients
    )
    return ReportTable(tuple(texts(f"column_{name}") for name in columns), rows)


def _activity(texts: ReportTexts, id: str, recipients: Sequence[OutgoingData], kept: str) -> ReportSection:
    lines = [f"{texts(f'field_{name}')}: {texts(f'{id}_{name}')}" for name in FIELDS]
    lines.append(f"{texts('field_kept')}: {kept}")
    if not recipients:
        lines.append(f"{texts('field_recipients')}: {texts('nobody')}")
    return ReportSection(
        id,
        texts(f"{id}_heading"),
        done=tuple(lines),
        table=recipients_table(recipients, texts) if recipients else None,
        todo=(texts("transfer_check"),) if any(map(is_outside_europe, recipients)) else (),
    )


def _rules_sections(facts: InstallationFacts, texts: ReportTexts) -> list[ReportSection]:
    """List the rules of retention and the number of legal holds, if there are any."""
    if not facts.rules and not facts.holds:
        return []
    columns = (texts("column_scope"), texts("column_kept"))
    rows = tuple(
        (
            texts(f"scope_{rule.scope}") + (f" ({rule.subject})" if rule.subject else ""),
            texts("rule_for_ever") if rule.days is None else texts("rule_days", days=rule.days),
        )
        for rule in facts.rules
    )
    return [
        ReportSection(
            "rules",
            texts("rules_heading"),
            paragraphs=(texts("rules_text"),),
            table=ReportTable(columns, rows) if rows else None,
            done=(texts("rules_holds", count=facts.holds),),
        )
    ]


def _recipients(facts: InstallationFacts, *kinds: OutgoingKind) -> list[OutgoingData]:
    return [each for each in facts.outgoing if each.kind in kinds]


def _kept(texts: ReportTexts, setting: str, days: int, *, none: bool = False) -> str:
    if days == 0:
        return texts("kept_none" if none else "kept_no_limit", setting=setting)
    return texts("kept_days", days=days, setting=setting)


def _log_periods(facts: InstallationFacts, texts: ReportTexts) -> Iterator[str]:
    for setting in ("egress_days", "audit_days", "run_log_days"):
        days: int = getattr(facts.settings, setting)
        yield texts("logs_for_ever" if days == 0 else "logs_days", setting=setting, days=days)
