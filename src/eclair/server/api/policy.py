"""`/api/policy`: the policy file: where the store differs from it, applying it, and the present state as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from eclair.app import App
from eclair.policy.policy_plan import ChangeAction, PolicyChange
from eclair.policy.policy_service import PolicyDrift
from eclair.server.principal import Caller

FILE_NAME = "policy.toml"


class FieldChange(BaseModel):
    """A field that differs; null is for none. Keys show as their references."""

    name: str
    stored: str | None
    declared: str | None


class PolicyChangeBody(BaseModel):
    """An entry that applying the file would add, change or remove: its table and its name there."""

    table: str
    name: str
    action: ChangeAction
    fields: list[FieldChange]


class PolicyDriftBody(BaseModel):
    """The differences between the store and the file that `policy_file` names; `file` is null where it names none.

    `problem` says why the file can't be compared.
    """

    file: str | None
    differs: bool
    problem: str | None
    changes: list[PolicyChangeBody]

    @classmethod
    def from_drift(cls, drift: PolicyDrift | None) -> PolicyDriftBody:
        if drift is None:
            return cls(file=None, differs=False, problem=None, changes=[])
        changes = _bodies(drift.changes)
        return cls(file=str(drift.file), differs=drift.differs, problem=drift.problem, changes=changes)


class AppliedPolicy(BaseModel):
    """The changes that were made, or with `dry_run` would be; none where the store says the same as the file."""

    changes: list[PolicyChangeBody]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/policy", tags=["policy"])

    @api.get("/drift")
    async def show_drift() -> PolicyDriftBody:
        return PolicyDriftBody.from_drift(await app.policy.find_drift())

    @api.post("/apply")
    async def apply_policy(principal: Caller, dry_run: Annotated[bool, Query()] = False) -> AppliedPolicy:
        file = app.policy.choose_file()
        plan = await (app.policy.plan(file) if dry_run else app.policy.apply(principal, file))
        return AppliedPolicy(changes=_bodies(plan.changes))

    @api.get("/export", response_class=Response)
    async def export_policy() -> Response:
        disposition = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
        return Response(await app.policy.export(), media_type="application/toml", headers=disposition)

    return api


def _bodies(changes: Sequence[PolicyChange]) -> list[PolicyChangeBody]:
    return [
        PolicyChangeBody(
            table=each.table,
            name=each.name,
            action=each.action,
            fields=[FieldChange(name=of.name, stored=of.stored, declared=of.declared) for of in each.fields],
        )
        for each in changes
    ]
