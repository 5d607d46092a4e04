"""Device login: a program gets a key of whoever confirms its code, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from eclair.accounts.api_keys import ApiKeys
from eclair.accounts.device_logins import (
    INTERVAL_S,
    LASTS_S,
    MAX_WAITING_PER_ADDRESS,
    SLOWER_S,
    BegunDeviceLogin,
    DeviceLoginFault,
    DeviceLogins,
    clean_name,
)
from eclair.accounts.sign_in_throttle import FREE_ATTEMPTS
from eclair.errors import NotFound, TooBusy
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.server.api.device_login import GRANT_TYPE
from eclair.settings import Settings
from eclair.storage.base import Storage
from tests.server.test_accounts import Headers, member, set_up
from tests.support import JSON, Reply, Server, serving

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ADDRESS = "192.0.2.1"


@pytest_asyncio.fixture
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


async def post_form(server: Server, path: str, **fields: str) -> Reply:
    return await server.call("POST", path, data=urlencode(fields).encode(), headers=FORM)


async def begin(server: Server, **fields: str) -> JSON:
    reply = await post_form(server, "/api/device/code", **{"client_id": "eclair", "device_name": "laptop"} | fields)
    assert reply.status == 200, reply
    return reply.body


async def poll(server: Server, begun: JSON) -> Reply:
    fields = {"grant_type": GRANT_TYPE, "device_code": begun["device_code"], "client_id": "eclair"}
    return await post_form(server, "/api/device/token", **fields)


async def decide(server: Server, begun: JSON, person: Headers, *, approve: bool = True, days: int = 30) -> Reply:
    body = {"user_code": begun["user_code"], "approve": approve, "days": days}
    return await server.post("/api/device/decision", body, headers=person)


async def test_a_program_gets_a_key_of_whoever_confirms(house: Server) -> None:
    admin = await set_up(house)
    id, ben = await member(house, admin)
    begun = await begin(house, scope="all")
    assert begun["verification_uri"] == f"{house.address}/device"
    assert begun["verification_uri_complete"] == f"{house.address}/device#{begun['user_code']}"
    assert (begun["expires_in"], begun["interval"]) == (LASTS_S, INTERVAL_S)
    assert (await poll(house, begun)).body["error"] == "authorization_pending"
    assert (await poll(house, begun)).body["error"] == "slow_down"
    typed = begun["user_code"].replace("-", " ").lower()
    seen = (await house.post("/api/device/lookup", {"user_code": typed}, headers=ben)).body
    assert (seen["program"], seen["device"], seen["address"]) == ("eclair", "laptop", "127.0.0.1")
    assert (seen["scope"], seen["is_elsewhere"], seen["user_code"]) == ("all", False, begun["user_code"])
    assert (await decide(house, begun, ben)).status == 204
    token = (await poll(house, begun)).body
    assert (token["token_type"], token["scope"], token["expires_in"]) == ("Bearer", "all", 30 * 86_400)
    me = await house.get("/api/me", {"Authorization": f"Bearer {token['access_token']}"})
    assert me.body["id"] == id
    (key,) = (await house.get("/api/keys", ben)).body["keys"]
    assert (key["name"], key["scope"]) == ("eclair laptop", "all")
    assert (await poll(house, begun)).body["error"] == "invalid_grant"


async def test_a_key_ends_where_its_program_signs_out(house: Server) -> None:
    admin = await set_up(house)
    begun = await begin(house, scope="all")
    await decide(house, begun, admin)
    key = (await poll(house, begun)).body["access_token"]
    assert (await post_form(house, "/api/device/revoke", token=key)).status == 200
    assert (await house.get("/api/keys", admin)).body["keys"] == []
    assert (await post_form(house, "/api/device/revoke", token="eclair_nothing")).status == 200


async def test_a_refused_program_is_told(house: Server) -> None:
    admin = await set_up(house)
    begun = await begin(house)
    assert (await decide(house, begun, admin, approve=False)).status == 204
    assert (await poll(house, begun)).body["error"] == "access_denied"
    assert (await decide(house, begun, admin)).status == 404
    assert (await house.get("/api/keys", admin)).body["keys"] == []


async def test_confirming_takes_an_account_that_may_make_keys(house: Server) -> None:
    admin = await set_up(house)
    _, guest = await member(house, admin, "gil", "guest")
    begun = await begin(house)
    assert (await decide(house, begun, {})).status == 401
    assert (await house.post("/api/device/lookup", {"user_code": begun["user_code"]})).status == 401
    refused = await decide(house, begun, guest)
    assert (refused.status, refused.error["code"]) == (403, "right_missing")
    assert (await poll(house, begun)).body["error"] == "authorization_pending"


async def test_a_key_with_limits_sheds_none_of_them(house: Server) -> None:
    admin = await set_up(house)

    async def make(**limits: object) -> Headers:
        made = await house.post("/api/keys", {"name": f"key {len(limits)}", **limits}, headers=admin)
        return {"Authorization": f"Bearer {made.body['secret']}"}

    for limits in ({"days": 1}, {"models": ["scripted"], "days": 2}, {"per_minute": 5, "days": 2, "at_once": 1}):
        limited = await make(**limits)
        refused = await house.post("/api/keys", {"name": "another"}, headers=limited)
        assert (refused.status, refused.error["code"]) == (403, "forbidden")
        assert "has limits, so it may not make keys" in refused.error["message"]
        begun = await begin(house)
        assert (await decide(house, begun, limited)).status == 403
        assert (await poll(house, begun)).body["error"] == "authorization_pending"
    assert (await house.post("/api/keys", {"name": "another"}, headers=await make())).status == 201


async def test_somebody_locked_meanwhile_gets_no_key(house: Server) -> None:
    admin = await set_up(house)
    id, ben = await member(house, admin)
    begun = await begin(house)
    await decide(house, begun, ben)
    await house.call("PATCH", f"/api/people/{id}", {"locked": True}, headers=admin)
    assert (await poll(house, begun)).body["error"] == "access_denied"


@pytest.mark.parametrize(
    ("path", "fields", "error"),
    [
        ("code", {}, "invalid_request"),
        ("code", {"client_id": "  <> "}, "invalid_request"),
        ("code", {"client_id": "x", "scope": "scim"}, "invalid_scope"),
        ("code", {"client_id": "x", "scope": "all v1"}, "invalid_scope"),
        ("token", {"device_code": "x"}, "unsupported_grant_type"),
        ("token", {"device_code": "x", "grant_type": "password"}, "unsupported_grant_type"),
        ("token", {"device_code": "x", "grant_type": GRANT_TYPE}, "invalid_grant"),
        ("token", {"grant_type": GRANT_TYPE}, "invalid_grant"),
    ],
)
async def test_bad_requests_are_refused_in_the_words_of_oauth(
    house: Server, path: str, fields: dict[str, str], error: str
) -> None:
    reply = await post_form(house, f"/api/device/{path}", **fields)
    assert (reply.status, reply.body["error"]) == (400, error)
    assert reply.body["error_description"]


async def test_programs_find_the_way(house: Server) -> None:
    found = (await house.get("/.well-known/oauth-authorization-server")).body
    assert found["device_authorization_endpoint"] == f"{house.address}/api/device/code"
    assert found["token_endpoint"] == f"{house.address}/api/device/token"
    assert found["grant_types_supported"] == [GRANT_TYPE]
    assert found["scopes_supported"] == ["all", "v1", "read"]


async def test_without_accounts_the_key_is_the_owners(settings: Settings) -> None:
    async with serving(replace(settings, api_key="a-key-of-the-owner")) as server:
        begun = await begin(server, scope="v1")
        owner = {"Authorization": "Bearer a-key-of-the-owner"}
        assert (await decide(server, begun, owner)).status == 204
        assert (await poll(server, begun)).body["scope"] == "v1"


class Moment:
    def __init__(self) -> None:
        self.now = 1_764_300_000.0

    def __call__(self) -> float:
        return self.now


async def find_person(id: str, address: str) -> Principal:
    return Principal(id, address=address)


async def test_codes_expire_and_polling_too_fast_slows_down(storage: Storage) -> None:
    clock = Moment()
    logins = DeviceLogins(storage.sign_in_states, ApiKeys(storage.api_keys, clock), find_person, clock)
    begun = await logins.begin("tool", "", "", ADDRESS)
    for wait, fault in ((0, "authorization_pending"), (1, "slow_down"), (INTERVAL_S, "slow_down")):
        clock.now += wait
        assert await refusal(logins, begun) == fault
    clock.now += INTERVAL_S + 2 * SLOWER_S
    assert await refusal(logins, begun) == "authorization_pending"
    clock.now += LASTS_S
    assert await refusal(logins, begun) == "expired_token"
    with pytest.raises(NotFound):
        await logins.approve(LOCAL_PRINCIPAL, begun.request.user_code, 30)


async def refusal(logins: DeviceLogins, begun: BegunDeviceLogin) -> str:
    with pytest.raises(DeviceLoginFault) as caught:
        await logins.redeem(begun.device_code, ADDRESS)
    return caught.value.code


async def test_codes_cannot_be_tried_out(storage: Storage) -> None:
    clock = Moment()
    logins = DeviceLogins(storage.sign_in_states, ApiKeys(storage.api_keys, clock), find_person, clock)
    begun = await logins.begin("tool", "", "read", ADDRESS)
    for _ in range(FREE_ATTEMPTS):
        with pytest.raises(NotFound):
            await logins.find(LOCAL_PRINCIPAL, "BCDF-GHJK")
    with pytest.raises(TooBusy):
        await logins.find(LOCAL_PRINCIPAL, begun.request.user_code)
    assert await logins.find(Principal("another"), begun.request.user_code) == begun.request


async def test_one_address_cannot_fill_the_database(storage: Storage) -> None:
    clock = Moment()
    logins = DeviceLogins(storage.sign_in_states, ApiKeys(storage.api_keys, clock), find_person, clock)
    for _ in range(MAX_WAITING_PER_ADDRESS):
        await logins.begin("tool", "", "", ADDRESS)
    with pytest.raises(DeviceLoginFault) as caught:
        await logins.begin("tool", "", "", ADDRESS)
    assert caught.value.code == "temporarily_unavailable"
    await logins.begin("tool", "", "", "192.0.2.2")
    clock.now += LASTS_S
    await logins.begin("tool", "", "", ADDRESS)


async def test_keys_of_one_name_are_numbered(storage: Storage) -> None:
    clock = Moment()
    logins = DeviceLogins(storage.sign_in_states, ApiKeys(storage.api_keys, clock), find_person, clock)
    names: list[str] = []
    for _ in range(3):
        begun = await logins.begin("t" * 40, "laptop of the mayor in the town hall", "all", ADDRESS)
        await logins.approve(LOCAL_PRINCIPAL, begun.request.user_code, 30)
        names.append((await logins.redeem(begun.device_code, ADDRESS)).stored.name)
    assert len(set(names)) == 3
    assert all(len(name) <= 60 for name in names)


def test_names_hold_nothing_that_deceives() -> None:
    assert clean_name("<b>Microsoft</b>\u202e\n") == "bMicrosoftb"
    assert clean_name("éclair-cli 2.0") == "éclair-cli 2.0"
    assert clean_name("--- ") == ""
