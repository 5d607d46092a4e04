"""`/api/plan`: the choices of the capacity planner, and plans."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.capacity.calibration import load_measured
from eclair.capacity.capacity_facts import Precision, load_facts
from eclair.capacity.capacity_plan import CapacityPlan, check_request
from eclair.capacity.plan_request import DEFAULT_LENGTHS, CapacityRequest, lengths_of_usage
from eclair.capacity.plan_svg import plan_svg
from eclair.capacity.plan_worker import PlanTask, plan_elsewhere
from eclair.errors import StoreError
from eclair.models.catalog import load_entries
from eclair.server.api.exports import attachment_disposition
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.util.task_process import TaskFailed

MAX_PLANS_AT_ONCE = 2

ChoiceId = Annotated[str, Field(max_length=100)]


class PlanChoice(BaseModel):
    """A model or hardware to plan with, by its id."""

    id: str
    name: str


class PlanChoices(BaseModel):
    """Models, hardware and countries to plan with; `measured` are models that `here` can stand for as hardware.

    The lengths are those of the caller's answers so far where `from_usage`, else usual ones.
    """

    models: list[PlanChoice]
    accelerators: list[PlanChoice]
    countries: list[str]
    measured: list[str]
    prompt_tokens: float
    answer_tokens: float
    cached_share: float
    from_usage: bool


class CapacityRequestBody(RequestBody):
    """A request to the planner, as `CapacityRequest` explains it."""

    model: ChoiceId
    accelerator: ChoiceId
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] = CapacityRequest.country
    people: int = CapacityRequest.people
    busy_share: float = CapacityRequest.busy_share
    questions_per_busy_hour: float = CapacityRequest.questions_per_busy_hour
    questions_per_day: float = CapacityRequest.questions_per_day
    prompt_tokens: float = CapacityRequest.prompt_tokens
    answer_tokens: float = CapacityRequest.answer_tokens
    cached_share: float = CapacityRequest.cached_share
    burst: float = CapacityRequest.burst
    first_word_s: float = CapacityRequest.first_word_s
    words_per_s: float = CapacityRequest.words_per_s
    tokens_per_step: float = CapacityRequest.tokens_per_step
    spare: int = CapacityRequest.spare
    precision: Precision | None = CapacityRequest.precision
    accelerators: int | None = CapacityRequest.accelerators


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/plan", tags=["plan"])
    free = asyncio.Semaphore(MAX_PLANS_AT_ONCE)

    async def plan(body: CapacityRequestBody) -> CapacityPlan:
        request = CapacityRequest(**body.model_dump())
        settings = app.settings
        models, measured = load_entries(settings.catalog), load_measured(settings.data_dir)
        check_request(request, load_facts(), models, measured)
        async with free:
            try:
                return await plan_elsewhere(
                    PlanTask(request, date.today(), str(settings.catalog), str(settings.data_dir))
                )
            except TaskFailed as failure:
                raise StoreError(f"The plan could not be made: {failure}; try it again.") from failure

    @api.get("")
    async def list_plan_choices(principal: Caller) -> PlanChoices:
        facts = load_facts()
        sums = await app.storage.usage.sum_usage(principal)
        own = lengths_of_usage(sums[0]) if sums else None
        models = load_entries(app.settings.catalog).values()
        return PlanChoices(
            models=[PlanChoice(id=each.id, name=each.name) for each in models if each.parameters is not None],
            accelerators=[PlanChoice(id=each.id, name=each.name) for each in facts.accelerator],
            countries=[each.code for each in facts.country],
            measured=sorted(load_measured(app.settings.data_dir)),
            from_usage=own is not None,
            **asdict(own or DEFAULT_LENGTHS),
        )

    @api.post("")
    async def make_capacity_plan(body: CapacityRequestBody) -> CapacityPlan:
        return await plan(body)

    @api.post("/picture", response_class=Response, responses={200: {"content": {"image/svg+xml": {}}}})
    async def draw_capacity_plan(body: CapacityRequestBody) -> Response:
        headers = {"Content-Disposition": attachment_disposition("eclair-plan.svg")}
        return Response(plan_svg(await plan(body)), media_type="image/svg+xml", headers=headers)

    return api
