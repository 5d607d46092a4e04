"""`/api/models/pulls`: models are fetched, watched, stopped; and removed."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from eclair.app import App
from eclair.models.download import DownloadStage
from eclair.models.downloads import DownloadState, ModelDownload


class NewPull(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=2000)]
    accept_license: Annotated[bool, Field(validation_alias=AliasChoices("accept_license", "accept_licence"))] = False


class Fault(BaseModel):
    code: str
    message: str


class PullReport(BaseModel):
    """How far a pull of what was `asked` for is: `done` of `total` bytes of `file` in this stage, `rate` a second and
    `left` seconds to go; a total of 0, and null, cannot be told."""

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
    error: Fault | None

    @classmethod
    def of(cls, pull: ModelDownload) -> Self:
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
            error=Fault(code=error.code, message=error.message) if error is not None else None,
        )


class PullList(BaseModel):
    pulls: list[PullReport]


class Removed(BaseModel):
    freed: int


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/models", tags=["models"])

    @api.get("/pulls")
    async def list_pulls() -> PullList:
        return PullList(pulls=[PullReport.of(pull) for pull in app.downloads.all()])

    @api.post("/pulls", status_code=202)
    async def begin_pull(wanted: NewPull) -> PullReport:
        return PullReport.of(await app.downloads.begin(wanted.name, accepted=wanted.accept_license))

    @api.get("/pulls/{id}")
    async def show_pull(id: str) -> PullReport:
        return PullReport.of(app.downloads.get(id))

    @api.delete("/pulls/{id}", status_code=204)
    async def cancel_pull(id: str) -> None:
        await app.downloads.cancel(id)

    @api.delete("/{id}")
    async def remove_model(id: str) -> Removed:
        return Removed(freed=await app.downloads.remove(id))

    return api
