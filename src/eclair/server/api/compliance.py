"""`/api/compliance`: reports for whoever answers for this installation, and the counts of the literacy page."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from eclair.app import App
from eclair.compliance.installation_facts import gather_facts
from eclair.compliance.report import ComplianceReport, ReportName
from eclair.compliance.report_texts import ReportTexts
from eclair.compliance.reports import make_report, report_markdown
from eclair.server.api.exports import attachment_disposition
from eclair.server.request_body import RequestBody
from eclair.storage.literacy import LiteracyEvent

LanguageCode = Annotated[str, Query(pattern="^[a-z]{2}$")]


class LabelledReport(BaseModel):
    """A report, and the labels of its parts in its language."""

    report: ComplianceReport
    labels: dict[str, str]


class LiteracyEventBody(RequestBody):
    """The literacy page was offered to somebody, or somebody confirmed having read it."""

    event: LiteracyEvent


LABELS = ("generated", "as_of", "since", "todo")
STATE_LABELS = ("met", "partly", "open", "yours", "later", "none")


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/compliance", tags=["compliance"])

    @api.post("/literacy", status_code=204)
    async def count_literacy(body: LiteracyEventBody) -> None:
        await app.storage.literacy.count_literacy(body.event)

    @api.get("/{name}", response_model=LabelledReport)
    async def read_report(
        name: ReportName, language: LanguageCode = "en", format: Literal["json", "markdown"] = "json"
    ) -> LabelledReport | Response:
        models = await app.registry.models()
        facts = await gather_facts(app.settings, models, app.storage)
        report = make_report(name, facts, language)
        if format == "markdown":
            headers = {"Content-Disposition": attachment_disposition(f"eclair-{name}.md")}
            return Response(report_markdown(report), media_type="text/markdown; charset=utf-8", headers=headers)
        texts = ReportTexts(language)
        names = (*LABELS, *(f"state_{state}" for state in STATE_LABELS))
        return LabelledReport(report=report, labels={name: texts.label(name) for name in names})

    return api
