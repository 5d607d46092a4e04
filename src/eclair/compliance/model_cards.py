"""The models in use: maker, country, license and what it restricts, model card, and the place where each answers."""

from __future__ import annotations

from eclair.compliance.installation_facts import InstallationFacts, UsedModel
from eclair.compliance.report import ComplianceReport, ReportSection, ReportTable
from eclair.compliance.report_texts import ReportTexts

UNKNOWN = "–"


def report_models(facts: InstallationFacts, texts: ReportTexts, generated: str) -> ComplianceReport:
    """Report every model that can be asked."""
    rows = tuple(_row(used, texts) for used in facts.models)
    columns = ("model", "maker", "license", "weights", "place", "card")
    restricted = tuple(
        f"{used.model.name}: {used.entry.restricts}" for used in facts.models if used.entry and used.entry.restricts
    )
    return ComplianceReport(
        name="models",
        title=texts("title_models"),
        language=texts.language,
        text_language=texts.legal_language,
        as_of=None,
        generated=generated,
        introduction=(texts("models_introduction"),),
        sections=(
            ReportSection(
                "models",
                texts("models_heading"),
                table=ReportTable(tuple(texts(f"column_{name}") for name in columns), rows),
            ),
            *([ReportSection("limits", texts("models_limits"), done=restricted)] if restricted else []),
        ),
    )


def _row(used: UsedModel, texts: ReportTexts) -> tuple[str, ...]:
    model, entry = used.model, used.entry
    maker = f"{model.maker} ({model.country})" if model.maker and model.country else model.maker or UNKNOWN
    place = texts(f"place_{model.location}") if model.location in ("machine", "network", "unknown") else model.location
    return (
        model.name,
        maker,
        model.license or UNKNOWN,
        UNKNOWN if entry is None else texts(f"weights_{entry.weights}"),
        place,
        (entry.card if entry else None) or UNKNOWN,
    )
