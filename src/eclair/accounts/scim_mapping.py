"""SCIM's users and groups as plain values: the service's description, and what is taken over of a resource."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast, get_args

import orjson
from scim2_models import Bulk as BulkSupport
from scim2_models import ChangePassword as PasswordSupport
from scim2_models import ETag as EtagSupport
from scim2_models import (
    Filter,
    InvalidValueException,
    Patch,
    Resource,
    ResourceType,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
)
from scim2_server.utils import load_default_resource_types, load_default_schemas

from eclair.accounts.people import name_from, normal_display_name, normal_email
from eclair.errors import InvalidInput
from eclair.storage.scim import ScimRecord, ScimType

MAX_RESULTS = 200
MAX_PAYLOAD_BYTES = 32 << 20

AnyResource = Resource[Any]


@dataclass(frozen=True, slots=True)
class ScimPersonFacts:
    """The part that a person here gets of a directory's user."""

    name: str
    display_name: str
    email: str | None
    is_active: bool


@cache
def provider() -> ScimProvider:
    """Describe the service: SCIM's own schemas, with filters, PATCH, sorting, bulk requests and versions."""
    config = ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=BulkSupport(supported=True, max_operations=1000, max_payload_size=MAX_PAYLOAD_BYTES),
        filter=Filter(supported=True, max_results=MAX_RESULTS),
        change_password=PasswordSupport(supported=False),
        sort=Sort(supported=True),
        etag=EtagSupport(supported=True),
    )
    return ScimProvider.from_discovery(
        load_default_schemas().values(), load_default_resource_types().values(), config=config
    )


@cache
def model_of(type: ScimType) -> type[AnyResource]:
    """Return the model of a type with its extensions."""
    return cast(
        "type[AnyResource]", provider().model_for(next(each for each in provider().resource_types if each.name == type))
    )


def build_models() -> None:
    """Build what all requests need, so that none of them waits for it."""
    for type in get_args(ScimType):
        model_of(type)


def is_user(resource: AnyResource) -> bool:
    """Tell users from groups."""
    return "user_name" in type(resource).model_fields


def type_of(resource_type: ResourceType) -> ScimType:
    """Return the type of the resources of a resource type."""
    return "Group" if resource_type.name == "Group" else "User"


def facts_of(user: Any) -> ScimPersonFacts:
    """Return what is taken over of a directory's user. Raises InvalidValueException."""
    try:
        name = name_from(user.user_name or "")
        shown = user.display_name
        if not shown and user.name is not None:
            shown = user.name.formatted or " ".join(
                part for part in (user.name.given_name, user.name.family_name) if part
            )
        emails = [each for each in user.emails or () if each.value]
        email = next((each.value for each in emails if each.primary), emails[0].value if emails else None)
        return ScimPersonFacts(
            name,
            normal_display_name(shown or name),
            normal_email(str(email)) if email else None,
            user.active is not False,
        )
    except InvalidInput as error:
        raise InvalidValueException(detail=error.message) from None


def group_name_of(group: Any) -> str:
    """Return the name of a group as people read it. Raises InvalidValueException."""
    try:
        return normal_display_name(group.display_name or "")
    except InvalidInput as error:
        raise InvalidValueException(detail=error.message) from None


def name_of(resource: AnyResource) -> str:
    """Return what a resource's type is unique by, in lower case."""
    plain: Any = resource
    name = plain.user_name if is_user(resource) else plain.display_name
    return (name or "").casefold()


def body_of(resource: AnyResource) -> str:
    """Return what is stored of a resource as JSON, never a password; whom it refers to, it names by type and id."""
    values = resource.model_dump(mode="json")
    for left_out in ("id", "meta", "password", "groups"):
        values.pop(left_out, None)
    for member in values.get("members") or ():
        member["$ref"] = f"Users/{member['value']}"
        member.pop("ref", None)
    return orjson.dumps(values).decode()


def etag_of(record: ScimRecord) -> str:
    """Return the version of a resource as a weak entity tag."""
    return f'W/"{record.version}"'


def moment_of(milliseconds: int) -> datetime:
    """Return a stored time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
