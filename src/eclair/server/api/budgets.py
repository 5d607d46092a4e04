"""`/api/budgets`: the budgets, with sums of what is used of them; and those that apply to whoever asks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from eclair.accounts.shown_budgets import ShownBudget, sum_budgets
from eclair.app import App
from eclair.schema.budgets import Budget, BudgetPeriod, BudgetState, BudgetSubject, BudgetUnit, period_end
from eclair.server.api.preferences import PreferenceText
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.subject_names import SubjectNames

MAX_AMOUNT = 10**15


class BudgetBody(BaseModel):
    """A budget; `kind` and `subject` say for whom, by id. Money is in millionths, energy in millijoules.

    With `each`, everyone of a group or role, or everyone, has it alone. From `soft` percent on a notice warns. A `hard`
    one ends there. One that is `fixed` stands in the settings.
    """

    id: str
    kind: BudgetSubject
    subject: str
    unit: BudgetUnit
    currency: str
    period: BudgetPeriod
    amount: int
    each: bool
    soft: int | None
    hard: bool
    fixed: bool

    @classmethod
    def from_budget(cls, budget: Budget) -> BudgetBody:
        return cls(
            id=budget.id,
            kind=budget.kind,
            subject=budget.subject,
            unit=budget.unit,
            currency=budget.currency,
            period=budget.period,
            amount=budget.amount,
            each=budget.each,
            soft=budget.soft,
            hard=budget.hard,
            fixed=budget.origin == "settings",
        )


class SummedBudget(BaseModel):
    """A budget, and what its `holders` have used of it in this period; `exhausted` of them have used all of theirs.

    `name` is that of its group, person, key or role, empty for everyone. `refills` is in milliseconds. Figures that
    works-council mode hides are null.
    """

    budget: BudgetBody
    name: str
    holders: int | None
    used: int | None
    reserved: int | None
    exhausted: int | None
    refills: int

    @classmethod
    def from_shown(cls, shown: ShownBudget, name: str) -> SummedBudget:
        now = int(datetime.now().timestamp() * 1000)
        use = shown.use
        return cls(
            budget=BudgetBody.from_budget(shown.budget),
            name=name,
            holders=None if use is None else use.holders,
            used=None if use is None else use.used,
            reserved=None if use is None else use.reserved,
            exhausted=shown.exhausted,
            refills=int(period_end(shown.budget.period, now).timestamp() * 1000),
        )


class BudgetList(BaseModel):
    budgets: list[SummedBudget]


class OwnBudget(BaseModel):
    """A budget that applies to whoever asks, as far as it is used; `reserved` is held by what is being made.

    In works-council mode both are null where others use the same budget.
    """

    budget: BudgetBody
    used: int | None
    reserved: int | None
    refills: int

    @classmethod
    def from_state(cls, state: BudgetState, *, hides_others: bool) -> OwnBudget:
        body = BudgetBody.from_budget(state.budget)
        is_hidden = hides_others and state.budget.is_shared
        return cls(
            budget=body,
            used=None if is_hidden else state.used,
            reserved=None if is_hidden else state.reserved,
            refills=state.refills,
        )


class OwnBudgetList(BaseModel):
    budgets: list[OwnBudget]


class BudgetRequest(RequestBody):
    kind: BudgetSubject
    subject: Annotated[PreferenceText, Field(max_length=200)] = ""
    unit: BudgetUnit
    currency: Annotated[str, Field(pattern="^([A-Z]{3})?$")] = ""
    period: BudgetPeriod
    amount: Annotated[int, Field(ge=1, le=MAX_AMOUNT)]
    each: bool = True
    soft: Annotated[int | None, Field(ge=1, le=100)] = 80
    hard: bool = True

    @model_validator(mode="after")
    def _check_fields(self) -> BudgetRequest:
        if (self.kind == "everyone") != (self.subject == ""):
            raise ValueError("a budget for everyone names no subject, and every other one does")
        if (self.unit == "money") != (self.currency != ""):
            raise ValueError("a budget of money names a currency, and no other one does")
        return self

    def to_budget(self) -> Budget:
        return Budget(
            id="",
            kind=self.kind,
            subject=self.subject,
            unit=self.unit,
            currency=self.currency,
            period=self.period,
            amount=self.amount,
            each=self.each,
            soft=self.soft,
            hard=self.hard,
        )


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/budgets", tags=["budgets"])

    @api.get("")
    async def list_budgets() -> BudgetList:
        names = SubjectNames(app.storage)
        found = await sum_budgets(app.budgets, app.storage, app.settings)
        named = [(each, await names.find(f"{each.budget.kind}:{each.budget.subject}")) for each in found]
        return BudgetList(budgets=[SummedBudget.from_shown(each, name) for each, name in named])

    @api.get("/mine")
    async def list_own_budgets(principal: Caller) -> OwnBudgetList:
        hides = app.settings.works_council
        states = await app.budgets.states(principal)
        return OwnBudgetList(budgets=[OwnBudget.from_state(state, hides_others=hides) for state in states])

    @api.put("")
    async def set_budget(principal: Caller, body: BudgetRequest) -> BudgetBody:
        return BudgetBody.from_budget(await app.budgets.set_budget(principal, body.to_budget()))

    @api.delete("/{budget}", status_code=204)
    async def remove_budget(principal: Caller, budget: str) -> None:
        await app.budgets.remove_budget(principal, budget)

    return api
