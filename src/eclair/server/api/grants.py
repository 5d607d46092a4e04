"""`/api/grants` and `.../rights`: rights that administrators give or deny, and those that a person has."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.accounts.rights import THINGS, RightDecision, RightReason, check_rule
from eclair.app import App
from eclair.errors import NotFound
from eclair.schema.principal import Principal
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.subject_names import SubjectNames
from eclair.storage.grants import Grant, GrantEffect

RuleText = Annotated[str, Field(min_length=1, max_length=400)]


class GrantBody(BaseModel):
    """A right that an administrator gave or denied; `subject_name` and `object_name` are what people know them as.

    `owner` is the name of whom the object belongs to, if it is a library, a prompt or an assistant.
    """

    id: str
    subject: str
    subject_name: str
    object: str
    object_name: str
    owner: str | None
    effect: GrantEffect
    created: int


class GrantList(BaseModel):
    grants: list[GrantBody]


class NewGrant(RequestBody):
    """A rule that replaces that of the same subject and object; see docs/accounts.md for both."""

    subject: RuleText
    object: RuleText
    effect: GrantEffect


class EffectiveRight(BaseModel):
    """The right of a person to something, and why it is so.

    `subject` names for whom the rule was made that decided, if one did.
    """

    object: str
    name: str
    allowed: bool
    reason: RightReason
    subject: str | None
    subject_name: str | None


class EffectiveRights(BaseModel):
    person: str
    role: Literal["admin", "auditor", "member", "guest"]
    rights: list[EffectiveRight]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["people"])
    rights = app.rights

    async def show(grant: Grant, names: SubjectNames) -> GrantBody:
        owned = await names.find_owned(grant.object)
        return GrantBody(
            id=grant.id,
            subject=grant.subject,
            subject_name=await names.find(grant.subject),
            object=grant.object,
            object_name=grant.object.partition(":")[2] or grant.object if owned is None else owned.name,
            owner=await names.find_owner(owned),
            effect=grant.effect,
            created=grant.created,
        )

    @api.get("/grants")
    async def list_grants() -> GrantList:
        names = SubjectNames(app.storage)
        return GrantList(grants=[await show(grant, names) for grant in await rights.list_grants()])

    @api.post("/grants", status_code=201)
    async def add_grant(principal: Caller, body: NewGrant) -> GrantBody:
        check_rule(body.subject, body.object)
        names = SubjectNames(app.storage)
        if not await names.exists(body.subject):
            raise NotFound(f"There is no {body.subject.partition(':')[0]} of that id; choose another.", param="subject")
        return await show(await rights.grant(principal, body.subject, body.object, body.effect), names)

    @api.delete("/grants/{id}", status_code=204)
    async def delete_grant(principal: Caller, id: str) -> None:
        await rights.revoke(principal, id)

    @api.get("/people/{id}/rights")
    async def show_rights(id: str) -> EffectiveRights:
        facts = await app.storage.people.find_facts(id)
        if facts is None:
            raise NotFound(f"There is no person {id!r}.")
        return await explain(Principal(id, role=facts.person.role, groups=facts.groups))

    @api.get("/me/rights")
    async def show_own_rights(principal: Caller) -> EffectiveRights:
        return await explain(principal)

    async def explain(principal: Principal) -> EffectiveRights:
        names = SubjectNames(app.storage)
        objects = {thing: thing for thing in sorted(THINGS)}
        objects |= {f"engine:{name}": name for name in sorted(app.registry.engines)}
        objects |= {f"model:{model.id}": model.name for model in await app.registry.all_models()}
        libraries = await app.storage.libraries.list_libraries(principal)
        objects |= {
            f"library:{each.library.id}": each.library.name for each in libraries if each.library.access != "own"
        }
        assistants = await app.storage.assistants.list_assistants(principal)
        objects |= {f"assistant:{each.id}": each.name for each in assistants if each.access != "own"}
        prompts = await app.storage.prompts.list_prompts(principal)
        objects |= {f"prompt:{each.id}": each.name for each in prompts if each.access != "own"}
        found = [
            await effective(object, name, rights.decide(principal, object), names) for object, name in objects.items()
        ]
        return EffectiveRights(person=principal.id, role=principal.role, rights=found)

    async def effective(object: str, name: str, decision: RightDecision, names: SubjectNames) -> EffectiveRight:
        subject = None if decision.grant is None else decision.grant.subject
        return EffectiveRight(
            object=object,
            name=name,
            allowed=decision.is_allowed,
            reason=decision.reason,
            subject=subject,
            subject_name=None if subject is None else await names.find(subject),
        )

    return api
