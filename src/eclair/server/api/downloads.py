"""`/api/models/pulls`: download models, follow and cancel downloads, remove."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import AliasChoices, BaseModel, Field

from eclair.app import App
from eclair.models.download import DownloadStage
from eclair.models.downloads import DownloadState, ModelDownload
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody


class NewPullBody(RequestBody):
    name: Annotated[str, Field(min_length=1, max_length=2000)]
    accept_license: Annotated[bool, Field(validation_alias=AliasChoices("accept_license", "accept_licence"))] = False


class PullFault(BaseModel):
    code: str
    message: str


class PullReport(BaseModel):
    """Progress of a download of what was `asked` for.

    This stage has `done` of `total` bytes of `file`, at `rate` bytes a second, with `left` seconds to go. A total of
    0 and null mean unknown.
    """

    id: str
    asked: str
    model: str
    name: str
    license: str
    size: int | None
    why: str
    state: DownloadState
    stage: DownloadStage
    file: str
    done: int
    total: int
    rate: float | None
    left: float | None
    error: PullFault | None

    @classmethod
    def from_download(cls, pull: ModelDownload) -> Self:
        entry, progress, error = pull.plan.entry, pull.progress, pull.error
        return cls(
            id=pull.id,
            asked=pull.requested,
            model=entry.id,
            name=entry.name,
            license=entry.license,
            size=pull.plan.size,
            why=pull.plan.why,
            state=pull.state,
            stage=progress.stage,
            file=progress.file,
            done=progress.done,
            total=progress.total,
            rate=pull.throughput.rate,
            left=pull.throughput.seconds_left,
            error=PullFault(code=error.code, message=error.message) if error is not None else None,
        )


class PullList(BaseModel):
    pulls: list[PullReport]


class RemovedModel(BaseModel):
    freed: int


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/models", tags=["models"])

    @api.get("/pulls")
    async def list_pulls() -> PullList:
        return PullList(pulls=[PullReport.from_download(pull) for pull in app.downloads.all()])

    @api.post("/pulls", status_code=202)
    async def begin_pull(principal: Caller, body: NewPullBody) -> PullReport:
        download = await app.downloads.begin(body.name, accepted=body.accept_license)
        await app.storage.audit.add_act(principal, "model.pulled", body.name)
        return PullReport.from_download(download)

    @api.get("/pulls/{id}")
    async def show_pull(id: str) -> PullReport:
        return PullReport.from_download(app.downloads.get(id))

    @api.delete("/pulls/{id}", status_code=204)
    async def cancel_pull(id: str) -> None:
        await app.downloads.cancel(id)

    @api.delete("/{id}")
    async def remove_model(principal: Caller, id: str) -> RemovedModel:
        freed = await app.downloads.remove(id)
        await app.storage.audit.add_act(principal, "model.removed", id)
        return RemovedModel(freed=freed)

    return api
