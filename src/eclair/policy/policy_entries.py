"""Entries of a policy file: one for each thing that administrators decide, in the form that the file has them.

Entries name groups and people as people know them, and refer to keys, which they never hold.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from eclair.accounts.rights import check_rule
from eclair.errors import UserError
from eclair.llm.servers.service import check_country, check_endpoints, check_models, check_name, check_url
from eclair.network.policy import PolicyMode
from eclair.policy.accent import check_color
from eclair.policy.announcement_rules import MAX_TEXT_CHARS, SETTINGS_ID, check_announcement
from eclair.schema.announcements import Announcement, AnnouncementLevel
from eclair.schema.budgets import BUDGET_UNITS, BudgetPeriod, BudgetUnit
from eclair.settings import EndpointSettings, EngineApi, HostName
from eclair.storage.grants import EVERYONE, GrantEffect
from eclair.web.web_settings import MAX_HOSTS, check_address

T = TypeVar("T")
V = TypeVar("V")

VAULT = "vault"
"""The reference to a key that is stored here already."""
MAX_AMOUNT = 10**15
MAX_DAYS = 36_500


def _checked(check: Callable[[V], T]) -> AfterValidator:
    """Return a validator that tells the fault which `check` raises."""

    def run(value: V) -> T:
        try:
            return check(value)
        except UserError as error:
            raise ValueError(error.message) from None

    return AfterValidator(run)


def _check_subject(text: str) -> str:
    kind, _, name = text.partition(":")
    if text != EVERYONE and not (kind in ("role", "group", "person", "key") and name.strip()):
        raise ValueError(f"{text!r} is nobody; write everyone, role:NAME, group:NAME, person:NAME or key:ID")
    return text


def _check_object(text: str) -> str:
    check_rule(EVERYONE, text)
    return text


def _check_models(names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return check_models(names)
    except UserError as error:
        raise ValueError(error.message) from None


def _check_reference(text: str) -> str:
    kind, _, name = text.partition(":")
    if text != VAULT and not (kind in ("env", "file") and name):
        raise ValueError("no key stands in this file; write env:VARIABLE, file:PATH, or vault for the stored one")
    return text


def _parse_moment(value: object) -> datetime:
    """Return a time in UTC; one without a zone is this machine's."""
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("it is no time; write it as 2026-12-01T08:00:00+01:00, or 2026-12-01") from None


def _check_id(text: str) -> str:
    if text == SETTINGS_ID:
        raise ValueError(f"{SETTINGS_ID} is the announcement of the settings; choose another name")
    return text


Moment = Annotated[datetime, BeforeValidator(_parse_moment)]
AnnouncementLanguage = Annotated[str, Field(pattern="^[a-z]{2}$")]
AnnouncementName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}$"), AfterValidator(_check_id)]
Subject = Annotated[str, Field(max_length=200), AfterValidator(_check_subject)]
KeyReference = Annotated[str, AfterValidator(_check_reference)]
PolicyGroupName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S(.*\S)?$")]
EngineName = Annotated[str, _checked(check_name)]


class PolicyEntry(BaseModel):
    """An entry: an unknown name in it is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GroupEntry(PolicyEntry):
    """A group that was made here. Its members are no policy."""

    name: PolicyGroupName


class GrantEntry(PolicyEntry):
    """A right that is given or denied."""

    subject: Subject
    object: Annotated[str, _checked(_check_object)]
    effect: GrantEffect


class BudgetEntry(PolicyEntry):
    """A budget of one measure. `soft` 0 is for no warning."""

    subject: Subject = EVERYONE
    period: BudgetPeriod = "month"
    tokens: Annotated[int | None, Field(ge=1, le=MAX_AMOUNT)] = None
    images: Annotated[int | None, Field(ge=1, le=MAX_AMOUNT)] = None
    watt_hours: Annotated[float | None, Field(gt=0, le=278_000_000, allow_inf_nan=False)] = None
    money: Annotated[Decimal | None, Field(gt=0, le=1_000_000_000, allow_inf_nan=False)] = None
    currency: Annotated[str | None, Field(pattern="^[A-Z]{3}$")] = None
    each: bool = True
    soft: Annotated[int, Field(ge=0, le=100)] = 80
    hard: bool = True

    @model_validator(mode="after")
    def _check_measure(self) -> BudgetEntry:
        if sum(each is not None for each in (self.tokens, self.images, self.watt_hours, self.money)) != 1:
            raise ValueError("a budget limits one of tokens, images, watt_hours and money; write one table for each")
        if (self.money is None) != (self.currency is None):
            raise ValueError("money and currency belong together; set both or neither")
        return self

    @property
    def unit(self) -> BudgetUnit:
        amounts = {"tokens": self.tokens, "images": self.images, "energy": self.watt_hours, "money": self.money}
        return next(each for each in BUDGET_UNITS if amounts[each] is not None)


class RetentionEntry(PolicyEntry):
    """A rule: days without use after which what is in the target is erased."""

    target: Annotated[str, Field(pattern="^(everyone|(group|project|library):.+)$")]
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] | Literal["forever", "temporary"]

    @model_validator(mode="after")
    def _check_temporary(self) -> RetentionEntry:
        if self.days == "temporary" and self.target.startswith(("project:", "library:")):
            raise ValueError("temporary is for everyone or for a group; give days")
        return self


class HoldEntry(PolicyEntry):
    """A legal hold on a person, project or conversation."""

    target: Annotated[str, Field(pattern="^(person|project|conversation):.+$")]
    reason: Annotated[str, Field(max_length=500)] = ""


class EngineEntry(PolicyEntry):
    """A model server, with a reference to its key."""

    url: Annotated[str, _checked(check_url)]
    key: KeyReference | None = None
    models: Annotated[tuple[str, ...], AfterValidator(_check_models)] = ()
    context: Annotated[int | None, Field(ge=1)] = None
    country: Annotated[str, _checked(check_country)] | None = None
    api: EngineApi | None = None
    endpoints: Annotated[tuple[EndpointSettings, ...], _checked(check_endpoints)] = ()


class WebEntry(PolicyEntry):
    """The web settings; None leaves a matter to the settings of the server."""

    services: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    searxng: Annotated[str, _checked(check_address)] | None = None
    policy: PolicyMode | None = None
    hosts: Annotated[tuple[Annotated[HostName, Field(max_length=253)], ...], Field(max_length=MAX_HOSTS)] = ()
    keys: dict[str, KeyReference] = {}


class BrandingEntry(PolicyEntry):
    """The branding; `logo` is a path beside the file, or a data URL."""

    name: Annotated[str | None, Field(min_length=1, max_length=60)] = None
    notice: Annotated[str | None, Field(min_length=1, max_length=1000)] = None
    accent: Annotated[str, AfterValidator(check_color)] | None = None
    logo: Annotated[str | None, Field(min_length=1)] = None


class AnnouncementEntry(PolicyEntry):
    """An announcement with a text in `language` at least."""

    level: AnnouncementLevel = "info"
    begins: Moment | None = None
    ends: Moment | None = None
    closable: bool = True
    language: AnnouncementLanguage = "en"
    texts: dict[AnnouncementLanguage, Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)]]

    @model_validator(mode="after")
    def _check_texts(self) -> AnnouncementEntry:
        check_announcement(self.to_announcement(""))
        return self

    def to_announcement(self, id: str) -> Announcement:
        return Announcement(
            id=id,
            level=self.level,
            language=self.language,
            texts=self.texts,
            begins=None if self.begins is None else round(self.begins.timestamp() * 1000),
            ends=None if self.ends is None else round(self.ends.timestamp() * 1000),
            closable=self.closable,
        )


def name_entry(entry: PolicyEntry) -> str:
    """Return a name of an entry that no other of its table has."""
    match entry:
        case GroupEntry():
            return entry.name
        case GrantEntry():
            return f"{entry.subject} {entry.object}"
        case BudgetEntry():
            measure = f"{entry.unit} in {entry.currency}" if entry.currency else entry.unit
            return f"{entry.subject} {measure} a {entry.period}{' each' if entry.each else ''}"
        case RetentionEntry() | HoldEntry():
            return entry.target
        case _:
            return ""
