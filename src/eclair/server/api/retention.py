"""`/api/retention`: for how long what people keep stays: rules, what one would erase now, and legal holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from eclair.accounts.shown_budgets import is_house_hidden
from eclair.app import App
from eclair.errors import InvalidInput
from eclair.schema.works_council import MIN_GROUP_PEOPLE
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.subject_names import SubjectNames
from eclair.storage.retention import (
    EVERYONE,
    DueConversation,
    DueCount,
    HoldScope,
    LegalHold,
    RetentionRule,
    RetentionScope,
)

MAX_DAYS = 36_500
MAX_REASON_CHARS = 500
MAX_SUBJECT_CHARS = 100


class RetentionPreview(BaseModel):
    """The conversations that would be erased now if they were kept for `days` after their last message.

    `oldest` and `newest` are the times of those messages in milliseconds; `pinned` ones that are as old stay.
    """

    days: int
    conversations: int
    oldest: int | None
    newest: int | None
    pinned: int


class Retention(BaseModel):
    """The setting in force, 0 for no limit, and a preview of the days that were asked for, or else of the setting.

    `days` is the shortest rule for whoever asks, 0 for temporary chats alone; `held` says that a legal hold keeps all
    of theirs.
    """

    keep_days: int
    preview: RetentionPreview | None
    days: int | None
    held: bool


class RuleBody(RequestBody):
    """A rule. `days` 0 allows temporary chats alone, null is for ever; the subject for everyone is empty."""

    scope: RetentionScope
    subject: Annotated[str, Field(max_length=MAX_SUBJECT_CHARS)] = EVERYONE
    days: Annotated[int, Field(ge=0, le=MAX_DAYS)] | None


class HoldBody(RequestBody):
    scope: HoldScope
    subject: Annotated[str, Field(min_length=1, max_length=MAX_SUBJECT_CHARS)]
    reason: Annotated[str, Field(max_length=MAX_REASON_CHARS)] = ""


class NamedRule(BaseModel):
    """A rule; `name` is that of its group, project or library, if it is there, and `owner` whose that is."""

    scope: RetentionScope
    subject: str
    name: str | None
    owner: str | None
    days: int | None
    changed: int


class NamedHold(BaseModel):
    """A legal hold; `name` is that of the person or project, if it is there, and `owner` whose project that is."""

    scope: HoldScope
    subject: str
    name: str | None
    owner: str | None
    reason: str
    placed: int


class RetentionRules(BaseModel):
    """Rules of retention: for everyone first."""

    rules: list[NamedRule]


class LegalHolds(BaseModel):
    holds: list[NamedHold]


class RuleExample(BaseModel):
    """A conversation of whoever asks that would be erased."""

    id: str
    title: str


class RulePreview(BaseModel):
    """Numbers of what would be erased now, and conversations of whoever asks among it; nobody else's are named.

    `held` conversations are as old, and a legal hold keeps them. Numbers that works-council mode hides are null.
    """

    conversations: int | None
    people: int | None
    responses: int | None
    batches: int | None
    images: int | None
    files: int | None
    memories: int | None
    held: int | None
    examples: list[RuleExample]

    @classmethod
    def from_count(cls, found: DueCount, *, hides_numbers: bool) -> RulePreview:
        examples = [_example(each) for each in found.own]
        if hides_numbers:
            return cls(**dict.fromkeys(cls.model_fields.keys() - {"examples"}), examples=examples)
        return cls(
            conversations=found.conversations,
            people=found.people,
            responses=found.responses,
            batches=found.batches,
            images=found.images,
            files=found.files,
            memories=found.memories,
            held=found.held,
            examples=examples,
        )


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/retention", tags=["conversations"])
    store = app.storage.retention

    async def name_of(scope: str, subject: str, names: SubjectNames) -> tuple[str | None, str | None]:
        """Return the name of what a rule or hold is for, and that of its owner, as far as they are known."""
        object = f"{scope}:{subject}"
        if scope in ("person", "group"):
            return (await names.find(object) if await names.exists(object) else None), None
        owned = await names.find_owned(object)
        return None if owned is None else owned.name, await names.find_owner(owned)

    async def named_rules() -> RetentionRules:
        names, rules = SubjectNames(app.storage), list[NamedRule]()
        for each in await store.list_rules():
            name, owner = await name_of(each.scope, each.subject, names)
            subject, days, changed = each.subject, each.days, each.changed
            rules.append(
                NamedRule(scope=each.scope, subject=subject, name=name, owner=owner, days=days, changed=changed)
            )
        return RetentionRules(rules=rules)

    async def named_holds() -> LegalHolds:
        names, holds = SubjectNames(app.storage), list[NamedHold]()
        for each in await store.list_holds():
            name, owner = await name_of(each.scope, each.subject, names)
            subject, reason, placed = each.subject, each.reason, each.placed
            holds.append(
                NamedHold(scope=each.scope, subject=subject, name=name, owner=owner, reason=reason, placed=placed)
            )
        return LegalHolds(holds=holds)

    async def hides_numbers(rules: Sequence[RetentionRule], found: DueCount) -> bool:
        """Tell whether works-council mode hides what rules would erase: it is of few people, or by group or project."""
        if not app.settings.works_council:
            return False
        is_of_few = 0 < found.people < MIN_GROUP_PEOPLE or await is_house_hidden(app.settings, app.storage)
        return is_of_few or any(rule.scope != "everyone" for rule in rules)

    @api.get("")
    async def read_retention(
        principal: Caller, days: Annotated[int | None, Query(ge=1, le=MAX_DAYS)] = None
    ) -> Retention:
        keep_days = app.settings.keep_days
        chosen = days or keep_days
        preview = None
        if chosen:
            found = await app.conversations.preview_expiry(principal, chosen)
            preview = RetentionPreview(
                days=chosen,
                conversations=found.conversations,
                oldest=found.oldest,
                newest=found.newest,
                pinned=found.pinned,
            )
        person = await store.get_person_retention(principal)
        return Retention(keep_days=keep_days, preview=preview, days=person.days, held=person.is_held)

    @api.get("/rules")
    async def list_rules(principal: Caller) -> RetentionRules:
        return await named_rules()

    @api.put("/rules")
    async def set_rule(principal: Caller, body: RuleBody) -> RetentionRules:
        await store.set_rule(principal, _rule(body))
        return await named_rules()

    @api.delete("/rules", status_code=204)
    async def delete_rule(principal: Caller, scope: RetentionScope, subject: str = EVERYONE) -> None:
        await store.delete_rule(principal, scope, subject)

    @api.post("/preview")
    async def preview_rule(principal: Caller, body: RuleBody) -> RulePreview:
        new = _rule(body)
        others = [each for each in await store.list_rules() if (each.scope, each.subject) != (new.scope, new.subject)]
        rules = [*others, new]
        found = await app.retention.preview(principal, rules)
        return RulePreview.from_count(found, hides_numbers=await hides_numbers(rules, found))

    @api.get("/holds")
    async def list_holds(principal: Caller) -> LegalHolds:
        return await named_holds()

    @api.post("/holds", status_code=201)
    async def place_hold(principal: Caller, body: HoldBody) -> LegalHolds:
        hold = LegalHold(scope=body.scope, subject=body.subject, reason=body.reason, placed=0)
        await store.place_hold(principal, hold)
        return await named_holds()

    @api.delete("/holds", status_code=204)
    async def lift_hold(principal: Caller, scope: HoldScope, subject: str) -> None:
        await store.lift_hold(principal, scope, subject)

    return api


def _rule(body: RuleBody) -> RetentionRule:
    """Return the rule that a body states. Raises InvalidInput."""
    if (body.scope == "everyone") != (body.subject == EVERYONE):
        raise InvalidInput("A rule for everyone has no subject, and every other rule has one.", param="subject")
    if body.days == 0 and body.scope not in ("everyone", "group"):
        raise InvalidInput("Temporary chats alone are a rule for everyone or for a group; give days.", param="days")
    return RetentionRule(scope=body.scope, subject=body.subject, days=body.days)


def _example(conversation: DueConversation) -> RuleExample:
    return RuleExample(id=conversation.id, title=conversation.title)
