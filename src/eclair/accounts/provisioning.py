"""Provisioning: a directory adds, changes and locks people and fills groups over SCIM 2.0 (RFC 7643, RFC 7644).

It sees the people whom it manages, and no others. Somebody it deletes is locked, with all sessions and keys; what they
kept stays until it is erased.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from scim2_models import (
    ForbiddenException,
    InvalidValueException,
    Meta,
    NotFoundException,
    PreconditionFailedException,
    ResourceType,
    ResponseParameters,
    ScimFilter,
    SearchRequest,
    UniquenessException,
)
from scim2_models.path import CompareOperator, Comparison
from scim2_server.storage import AsyncScimStorage, SearchPage
from scim2_server.utils import parametrize

from eclair.accounts.people import People
from eclair.accounts.principals import Principals
from eclair.accounts.scim_mapping import (
    AnyResource,
    body_of,
    etag_of,
    facts_of,
    group_name_of,
    is_user,
    model_of,
    moment_of,
    name_of,
    type_of,
)
from eclair.errors import Conflict, NotFound
from eclair.schema.ids import Clock, new_id
from eclair.schema.people import SCIM_ORIGIN, Person, PersonChange, PersonGroup
from eclair.schema.principal import Principal
from eclair.storage.groups import GroupStore
from eclair.storage.people import PeopleStore
from eclair.storage.scim import ScimRecord, ScimStore, ScimType

MAX_MEMBERS = 100_000
MEMBERS_PAGE = 5000
DECODED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class ProvisioningStores:
    """The stores that provisioning reads and writes."""

    scim: ScimStore
    people: PeopleStore
    groups: GroupStore


class Provisioning(AsyncScimStorage):
    """Resources of SCIM over people and groups, on behalf of the principal whose key a request has."""

    def __init__(
        self,
        stores: ProvisioningStores,
        people: People,
        principals: Principals,
        principal: Principal,
        clock: Clock = time.time,
    ) -> None:
        self._stores = stores
        self._people = people
        self._principals = principals
        self._principal = principal
        self._clock = clock

    async def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> AnyResource:
        return await self._resource(await self._record(type_of(resource_type), resource_id))

    async def search(
        self, resource_types: list[ResourceType], search_request: SearchRequest[Any], *, position: Any = None
    ) -> SearchPage:
        types: list[ScimType] = list(dict.fromkeys(type_of(each) for each in resource_types))
        wanted: Any = search_request.filter
        records = [record for type in types for record in await self._candidates(type, wanted)]
        if wanted is None and search_request.sort_by is None:
            return SearchPage(len(records), await self._resources(_cut(records, search_request)))
        found = await self._resources(records)
        if wanted is not None:
            if not wanted.models and found:
                models = tuple(dict.fromkeys(type(each) for each in found))
                union: Any = models[0] if len(models) == 1 else models[0] | models[1]
                bound: Any = parametrize(cast("type[Any]", ScimFilter), union)
                wanted = bound(str(wanted))
            found = [each for each in found if wanted.match(each)]
        if search_request.sort_by is not None:
            found.sort(
                key=lambda each: _sort_key(search_request, each),
                reverse=search_request.sort_order == SearchRequest.SortOrder.descending,
            )
        return SearchPage(len(found), list(_cut(found, search_request)))

    async def create(self, resource_type: ResourceType, resource: AnyResource) -> AnyResource:
        resource = resource.model_copy(deep=True)
        if is_user(resource):
            id = await self._add_person(resource)
        else:
            id = await self._add_group(resource)
        now = self._now()
        record = ScimRecord(
            id=id,
            type=type_of(resource_type),
            name=name_of(resource),
            external_id=resource.external_id,
            body=body_of(resource),
            version=1,
            created=now,
            modified=now,
        )
        try:
            await self._stores.scim.add_resource(record)
        except Conflict:
            raise UniquenessException from None
        await self._link(record)
        return await self._resource(record)

    async def update(
        self, resource_type: ResourceType, resource: AnyResource, *, expected_version: str | None = None
    ) -> AnyResource:
        record = await self._record(type_of(resource_type), str(resource.id))
        if expected_version is not None and etag_of(record) != expected_version:
            raise PreconditionFailedException
        changed = ScimRecord(
            id=record.id,
            type=record.type,
            name=name_of(resource),
            external_id=resource.external_id,
            body=body_of(resource),
            version=record.version + 1,
            created=record.created,
            modified=self._now(),
        )
        if is_user(resource):
            await self._change_person(record.id, resource)
        else:
            await self._change_group(record.id, resource)
        try:
            is_replaced = await self._stores.scim.replace_resource(changed, record.version)
        except Conflict:
            raise UniquenessException from None
        if not is_replaced:
            raise PreconditionFailedException
        await self._link(changed)
        return await self._resource(changed)

    async def delete(
        self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None
    ) -> None:
        record = await self._record(type_of(resource_type), resource_id)
        if expected_version is not None and etag_of(record) != expected_version:
            raise PreconditionFailedException
        if record.type == "User":
            await self._lock(record.id)
        else:
            await self._stores.groups.delete_group(self._principal, record.id)
            self._principals.forget()
        await self._stores.scim.delete_resource(record.type, record.id)

    async def _add_person(self, user: Any) -> str:
        facts = facts_of(user)
        present = await self._stores.people.find_by_name(facts.name)
        if present is not None and not await self._may_adopt(present):
            raise UniquenessException(detail=f"There is an account {facts.name!r} that isn't the directory's.")
        if present is None:
            try:
                present = await self._people.add(self._principal, facts.name, facts.display_name, email=facts.email)
            except Conflict:
                raise UniquenessException from None
        await self._change_person(present.id, user)
        return present.id

    async def _may_adopt(self, person: Person) -> bool:
        """Tell whether a directory may take an account over: nobody's of the house, and not managed already."""
        if await self._stores.people.get_password(person.id) is not None:
            return False
        return not await self._stores.scim.list_resources("User", person.name)

    async def _change_person(self, id: str, user: Any) -> None:
        facts = facts_of(user)
        change = PersonChange(name=facts.name, display_name=facts.display_name, email=facts.email or "")
        try:
            person = await self._people.change(self._principal, id, change)
        except Conflict:
            raise UniquenessException from None
        if not facts.is_active and person.locked is None:
            await self._lock(id)
        elif facts.is_active and person.locked is not None:
            await self._people.unlock(self._principal, id)

    async def _lock(self, id: str) -> None:
        try:
            await self._people.lock(self._principal, id)
        except Conflict as error:
            raise ForbiddenException(detail=error.message) from None

    async def _add_group(self, group: Any) -> str:
        made = PersonGroup(
            id=new_id("grp", self._clock), name=group_name_of(group), origin=SCIM_ORIGIN, created=self._now()
        )
        try:
            await self._stores.groups.add_group(self._principal, made)
        except Conflict:
            raise UniquenessException from None
        try:
            await self._set_members(made.id, group)
        except InvalidValueException:
            await self._stores.groups.delete_group(self._principal, made.id)
            raise
        return made.id

    async def _change_group(self, id: str, group: Any) -> None:
        try:
            await self._stores.groups.rename_group(self._principal, id, group_name_of(group))
        except Conflict:
            raise UniquenessException from None
        await self._set_members(id, group)

    async def _set_members(self, id: str, group: Any) -> None:
        members = [str(member.value) for member in group.members or () if member.value is not None]
        if len(members) > MAX_MEMBERS:
            raise InvalidValueException(detail=f"A group has at most {MAX_MEMBERS:,} members.")
        try:
            await self._stores.groups.set_members(self._principal, id, members)
        except NotFound as error:
            raise InvalidValueException(detail=error.message) from None
        self._principals.forget()

    async def _link(self, record: ScimRecord) -> None:
        """Keep the directory's own id of a person, by which identity providers that share it may find them."""
        if record.type == "User" and record.external_id:
            known = await self._stores.people.find_identity(SCIM_ORIGIN, record.external_id)
            if known is None:
                await self._stores.people.link_identity(self._principal, record.id, SCIM_ORIGIN, record.external_id)

    async def _record(self, type: ScimType, id: str) -> ScimRecord:
        try:
            return await self._stores.scim.get_resource(type, id)
        except NotFound:
            raise NotFoundException(detail=f"{type} {id!r} not found") from None

    async def _candidates(self, type: ScimType, wanted: ScimFilter[Any] | None) -> Sequence[ScimRecord]:
        """List the resources that may match: of `userName eq "x"` and its like only those, found by an index."""
        node = None if wanted is None else wanted.ast
        if isinstance(node, Comparison) and node.op == CompareOperator.eq and isinstance(node.value, str):
            attribute = str(node.attr_path).rpartition(":")[2].casefold()
            if attribute == ("username" if type == "User" else "displayname"):
                return await self._stores.scim.list_resources(type, node.value.casefold())
            if attribute == "externalid":
                return await self._stores.scim.list_resources(type, external_id=node.value)
        return await self._stores.scim.list_resources(type)

    async def _resources(self, records: Sequence[ScimRecord]) -> list[AnyResource]:
        """Decode many resources, and let others run meanwhile."""
        found: list[AnyResource] = []
        for record in records:
            found.append(await self._resource(record))
            if not len(found) % DECODED_AT_ONCE:
                await asyncio.sleep(0)
        return found

    async def _resource(self, record: ScimRecord) -> AnyResource:
        values = orjson.loads(record.body)
        if record.type == "Group":
            present = await self._member_ids(record.id)
            values["members"] = [each for each in values.get("members") or () if each["value"] in present] or None
        resource = model_of(record.type).model_validate(values)
        resource.id = record.id
        resource.meta = Meta(
            resource_type=record.type,
            created=moment_of(record.created),
            last_modified=moment_of(record.modified),
            version=etag_of(record),
        )
        return resource

    async def _member_ids(self, id: str) -> set[str]:
        found: set[str] = set()
        after: str | None = None
        while page := await self._stores.groups.list_members(id, MEMBERS_PAGE, after):
            found.update(each.id for each in page)
            after = page[-1].id
        return found

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _sort_key(search_request: SearchRequest[Any], resource: AnyResource) -> tuple[bool, Any, str]:
    value = search_request.sort_value(resource)
    return value is None, "" if value is None else value, str(resource.id)


def _cut(found: Sequence[Any], search_request: SearchRequest[Any]) -> Sequence[Any]:
    start = search_request.start_index_0 or 0
    return found[start:] if search_request.count is None else found[start : start + search_request.count]
