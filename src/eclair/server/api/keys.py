"""`/api/keys`: the keys that let programs and people in. A key is shown once, when it is made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.accounts.api_keys import ApiKeys
from eclair.accounts.key_rights import KeyRights
from eclair.app import App
from eclair.server.api.preferences import PreferenceText
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.storage.api_keys import KeyScope, StoredApiKey


class ApiKeyBody(BaseModel):
    """A key without its secret. `used` is the last day of its use; `expires` is in milliseconds.

    It may ask `models`, all if there are none, `per_minute` times a minute, and have `at_once` answers under way.
    """

    id: str
    name: str
    scope: KeyScope
    networks: list[str]
    created: int
    used: str | None
    expires: int | None
    models: list[str]
    per_minute: int | None
    at_once: int | None

    @classmethod
    def from_key(cls, key: StoredApiKey) -> ApiKeyBody:
        return cls(
            id=key.id,
            name=key.name,
            scope=key.scope,
            networks=list(key.networks),
            created=key.created,
            used=key.used,
            expires=key.expires,
            models=list(key.models),
            per_minute=key.per_minute,
            at_once=key.at_once,
        )


class ApiKeyList(BaseModel):
    keys: list[ApiKeyBody]


class MadeApiKey(ApiKeyBody):
    """A new key; `secret` is the key itself, which is shown only now."""

    secret: str


class ApiKeyRequest(RequestBody):
    name: PreferenceText
    scope: KeyScope = "all"
    networks: list[PreferenceText] = Field(default_factory=list[str])
    days: Annotated[int | None, Field(ge=1)] = None
    models: list[PreferenceText] = Field(default_factory=list[str])
    per_minute: Annotated[int | None, Field(ge=1)] = None
    at_once: Annotated[int | None, Field(ge=1)] = None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/keys", tags=["keys"])
    keys = ApiKeys(app.storage.api_keys, app.storage.processes.clock, app.rights)

    @api.get("")
    async def list_keys(principal: Caller) -> ApiKeyList:
        return ApiKeyList(keys=[ApiKeyBody.from_key(key) for key in await keys.list_keys(principal)])

    @api.post("", status_code=201)
    async def make_key(principal: Caller, body: ApiKeyRequest) -> MadeApiKey:
        limits = (tuple(body.models), body.per_minute, body.at_once)
        rights = KeyRights(body.scope, tuple(body.networks), body.days, *limits)
        made = await keys.add(principal, body.name, rights)
        return MadeApiKey(**ApiKeyBody.from_key(made.stored).model_dump(), secret=made.secret)

    @api.delete("/{name}", status_code=204)
    async def revoke_key(principal: Caller, name: str) -> None:
        await keys.revoke(principal, name)

    return api
