"""Accounts: the first one, signing in and out, one's own account, invitations, and who may administer."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from http.cookies import SimpleCookie

import pytest
import pytest_asyncio

from eclair.accounts.second_factor import STEP_S, totp
from eclair.accounts.sign_in_throttle import FREE_ATTEMPTS
from eclair.errors import SettingsError
from eclair.schema.principal import LOCAL_PRINCIPAL, ROLES, PersonRole, Principal
from eclair.server.route_rights import ROUTE_RIGHTS, check_route
from eclair.settings import Settings
from eclair.storage.postgres.processes import PostgresProcessStore
from eclair.storage.sqlite.processes import SQLiteProcessStore
from tests.support import Server, served_in_process, serving

DAY_S = 86_400
PASSWORD = "correct horse battery"
OTHER_PASSWORD = "staple of another horse"
Headers = dict[str, str]


@pytest_asyncio.fixture
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


async def set_up(server: Server) -> Headers:
    """Make the first account; return the headers of its browser."""
    code = (await server.app.accounts.codes.make_setup_code()).code
    body = {"code": code.lower(), "name": "Ada", "display_name": "Ada L.", "password": PASSWORD}
    reply = await server.post("/api/session/setup", body)
    assert reply.status == 204, reply
    return browser(reply.headers["Set-Cookie"])


def browser(cookie: str) -> Headers:
    (morsel,) = SimpleCookie(cookie).values()
    assert morsel["httponly"]
    assert morsel["samesite"] == "strict"
    return {"Authorization": "Session", "Cookie": f"{morsel.key}={morsel.value}"}


async def sign_in(server: Server, name: str, password: str = PASSWORD, code: str = "") -> Headers:
    reply = await server.post("/api/session", {"name": name, "password": password, "code": code})
    assert reply.status == 204, reply
    return browser(reply.headers["Set-Cookie"])


async def member(server: Server, admin: Headers, name: str = "ben", role: PersonRole = "member") -> tuple[str, Headers]:
    """Add somebody, and sign them in."""
    made = await server.post("/api/people", {"name": name, "password": PASSWORD, "role": role}, headers=admin)
    assert made.status == 201, made
    return str(made.body["id"]), await sign_in(server, name)


async def test_the_first_account_is_made_by_a_code_that_counts_once(house: Server) -> None:
    state = (await house.get("/api/session")).body
    assert (state["accounts"], state["needs_setup"], state["person"]) == ("on", True, None)
    code = (await house.app.accounts.codes.make_setup_code()).code
    wrong = await house.post("/api/session/setup", {"code": "WRONG", "name": "eve", "password": PASSWORD})
    assert (wrong.status, wrong.body["error"]["code"]) == (410, "gone")
    weak = await house.post("/api/session/setup", {"code": code, "name": "ada", "password": "short"})
    assert (weak.status, weak.body["error"]["param"]) == (400, "password")
    admin = await set_up(house)
    assert (await house.get("/api/people/local", admin)).body["seen"] is not None
    again = await house.post("/api/session/setup", {"code": code, "name": "eve", "password": PASSWORD})
    assert again.status == 410
    state = (await house.get("/api/session", admin)).body
    assert (state["needs_setup"], state["role"], state["person"]["name"]) == (False, "admin", "ada")


async def test_what_the_owner_kept_before_is_the_first_administrators(settings: Settings) -> None:
    async with serving(settings) as server:
        conversation = await server.begin()
    async with serving(replace(settings, accounts="on")) as server:
        admin = await set_up(server)
        assert (await server.get(f"/api/conversations/{conversation}", admin)).status == 200
        _, headers = await member(server, admin)
        assert (await server.get(f"/api/conversations/{conversation}", headers)).status == 404


async def test_nobody_is_let_in_without_an_account(house: Server) -> None:
    assert (await house.get("/api/conversations")).status == 401
    await set_up(house)
    reply = await house.get("/api/conversations")
    assert (reply.status, reply.body["error"]["message"][:8]) == (401, "Sign in ")
    assert (await house.get("/api/health/live")).status == 200


async def test_sessions_keys_and_codes_expire_by_the_clock_of_the_database(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead_s = 7 * DAY_S  # of this server's own

    def clock(_: object) -> float:
        return time.time() + ahead_s

    for store in (SQLiteProcessStore, PostgresProcessStore):
        monkeypatch.setattr(store, "clock", clock)
    async with serving(replace(settings, accounts="on")) as server:
        admin = await set_up(server)
        made = (await server.post("/api/keys", {"name": "phone", "days": 1}, headers=admin)).body
        key = {"Authorization": f"Bearer {made['secret']}"}
        invited = (await server.post("/api/invitations", {"role": "guest"}, headers=admin)).body
        assert (await server.get("/api/conversations", key)).status == 200
        assert (await server.post("/api/session/code", {"code": invited["code"]})).status == 200
        ahead_s += 366 * DAY_S
        assert (await server.get("/api/conversations", admin)).status == 401
        assert (await server.get("/api/conversations", key)).status == 401
        assert (await server.post("/api/session/code", {"code": invited["code"]})).status == 410


async def test_a_wrong_password_and_an_unknown_name_look_the_same(house: Server) -> None:
    await set_up(house)
    wrong = await house.post("/api/session", {"name": "ada", "password": "x" * 20})
    unknown = await house.post("/api/session", {"name": "nobody", "password": "x" * 20})
    odd = await house.post("/api/session", {"name": "no such name!", "password": "x" * 20})
    assert wrong.body == unknown.body == odd.body
    assert (wrong.status, wrong.body["error"]["code"]) == (401, "wrong_credentials")


async def test_whoever_tries_many_passwords_must_wait(house: Server) -> None:
    await set_up(house)
    for _ in range(FREE_ATTEMPTS):
        assert (await house.post("/api/session", {"name": "ADA", "password": "guess"})).status == 401
    reply = await house.post("/api/session", {"name": "ada", "password": PASSWORD})
    assert (reply.status, int(reply.headers["Retry-After"]) > 0) == (429, True)


async def test_signing_out_ends_the_session_for_good(house: Server) -> None:
    await set_up(house)
    headers = await sign_in(house, "ada")
    assert (await house.get("/api/me", headers)).status == 200
    assert (await house.call("DELETE", "/api/session", headers=headers)).status == 204
    assert (await house.get("/api/me", headers)).status == 401


async def test_a_cookie_alone_is_nothing_and_a_foreign_page_gets_nowhere(house: Server) -> None:
    headers = await set_up(house)
    assert (await house.get("/api/me", {"Cookie": headers["Cookie"]})).status == 401
    foreign = {**headers, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await house.get("/api/me", foreign)).status == 403
    fixed = {"Authorization": "Session", "Cookie": "eclair-session-0=chosen-by-somebody-else"}
    reply = await house.post("/api/session", {"name": "ada", "password": PASSWORD}, headers=fixed)
    assert "chosen" not in reply.headers["Set-Cookie"]


async def test_sessions_are_listed_and_ended(house: Server) -> None:
    first = await set_up(house)
    second = await sign_in(house, "ada")
    listed = (await house.get("/api/me/sessions", second)).body["sessions"]
    assert [each["is_this"] for each in listed].count(True) == 1
    assert len(listed) == 2
    assert (await house.call("DELETE", "/api/me/sessions", headers=second)).body == {"ended": 1}
    assert (await house.get("/api/me", first)).status == 401
    assert (await house.get("/api/me", second)).status == 200


async def test_a_new_password_needs_the_old_one_and_ends_other_sessions(house: Server) -> None:
    first = await set_up(house)
    second = await sign_in(house, "ada")
    wrong = {"current": "not it at all", "password": OTHER_PASSWORD}
    assert (await house.call("PUT", "/api/me/password", wrong, headers=first)).status == 401
    right = {"current": PASSWORD, "password": OTHER_PASSWORD}
    assert (await house.call("PUT", "/api/me/password", right, headers=first)).status == 204
    assert (await house.get("/api/me", second)).status == 401
    assert (await house.get("/api/me", first)).status == 200
    await sign_in(house, "ada", OTHER_PASSWORD)


async def test_the_second_factor_is_asked_for_and_each_code_counts_once(house: Server) -> None:
    headers = await set_up(house)
    made = (await house.post("/api/me/second-factor", {"password": PASSWORD}, headers=headers)).body
    assert made["uri"].startswith("otpauth://totp/")
    secret, step = base64.b32decode(made["secret"]), int(time.time()) // STEP_S
    reply = await house.call("PUT", "/api/me/second-factor", {"code": "000000"}, headers=headers)
    assert (reply.status, reply.body["error"]["param"]) == (400, "code")
    reply = await house.call("PUT", "/api/me/second-factor", {"code": totp(secret, step)}, headers=headers)
    recovery = reply.body["codes"]
    body = {"name": "ada", "password": PASSWORD}
    asked = await house.post("/api/session", body)
    assert (asked.status, asked.body["error"]["code"]) == (401, "second_factor_needed")
    replayed = await house.post("/api/session", {**body, "code": totp(secret, step)})
    assert replayed.status == 401
    await sign_in(house, "ada", code=totp(secret, step + 1))
    await sign_in(house, "ada", code=recovery[0].lower())
    assert (await house.post("/api/session", {**body, "code": recovery[0]})).status == 401
    assert (await house.post("/api/me/second-factor/removal", {"password": PASSWORD}, headers=headers)).status == 204
    await sign_in(house, "ada")


async def test_somebody_invited_chooses_a_name_and_a_password(house: Server) -> None:
    admin = await set_up(house)
    group = (await house.post("/api/groups", {"name": "Law"}, headers=admin)).body
    body = {"role": "guest", "email": "Cleo@Example.org", "groups": [group["id"]]}
    invited = (await house.post("/api/invitations", body, headers=admin)).body
    assert [each["id"] for each in (await house.get("/api/invitations", admin)).body["invitations"]] == [invited["id"]]
    assert (await house.post("/api/session/code", {"code": invited["code"]})).body["role"] == "guest"
    choice = {"code": invited["code"], "name": "cleo", "display_name": "Cleo", "password": PASSWORD}
    reply = await house.post("/api/session/redeem", choice)
    me = (await house.get("/api/me", browser(reply.headers["Set-Cookie"]))).body
    assert (me["name"], me["role"], me["email"]) == ("cleo", "guest", "cleo@example.org")
    assert [each["name"] for each in me["groups"]] == ["Law"]
    assert (await house.post("/api/session/redeem", {**choice, "name": "eve"})).status == 410
    assert (await house.get("/api/invitations", admin)).body["invitations"] == []


async def test_a_forgotten_password_is_replaced_by_a_code(house: Server) -> None:
    admin = await set_up(house)
    id, before = await member(house, admin)
    made = (await house.post(f"/api/people/{id}/password-code", headers=admin)).body
    reply = await house.post("/api/session/redeem", {"code": made["code"], "password": OTHER_PASSWORD})
    assert (await house.get("/api/me", browser(reply.headers["Set-Cookie"]))).body["name"] == "ben"
    assert (await house.get("/api/me", before)).status == 401


async def test_a_leaver_is_locked_out_at_once(house: Server) -> None:
    admin = await set_up(house)
    id, headers = await member(house, admin)
    key = (await house.post("/api/keys", {"name": "laptop"}, headers=headers)).body["secret"]
    by_key = {"Authorization": f"Bearer {key}"}
    assert (await house.get("/v1/models", by_key)).status == 200
    assert (await house.call("PATCH", f"/api/people/{id}", {"locked": True}, headers=admin)).status == 200
    assert (await house.get("/api/me", headers)).status == 401
    assert (await house.get("/v1/models", by_key)).status == 403
    reply = await house.post("/api/session", {"name": "ben", "password": PASSWORD})
    assert (reply.status, reply.body["error"]["code"]) == (403, "account_locked")
    await house.call("PATCH", f"/api/people/{id}", {"locked": False}, headers=admin)
    await sign_in(house, "ben")
    assert (await house.get("/v1/models", by_key)).status == 200


async def test_the_streams_of_a_session_end_with_it(house: Server) -> None:
    admin = await set_up(house)
    id, headers = await member(house, admin)
    async with house.open("/api/changes", headers) as stream:
        assert stream.status == 200
        reply = await house.call("DELETE", f"/api/people/{id}/sessions", headers=admin)
        assert reply.body == {"ended": 1}
        await stream.content.read()
    assert (await house.get("/api/changes", headers)).status == 401


async def test_a_role_that_changes_counts_for_the_next_request(house: Server) -> None:
    admin = await set_up(house)
    id, headers = await member(house, admin)
    assert (await house.get("/api/people", headers)).body["error"]["code"] == "role_missing"
    await house.call("PATCH", f"/api/people/{id}", {"role": "auditor"}, headers=admin)
    assert (await house.get("/api/people", headers)).status == 200
    assert (await house.post("/api/people", {"name": "eve"}, headers=headers)).status == 403


async def test_the_last_administrator_can_neither_go_nor_be_locked(house: Server) -> None:
    admin = await set_up(house)
    for call in (
        house.call("PATCH", "/api/people/local", {"role": "member"}, headers=admin),
        house.call("PATCH", "/api/people/local", {"locked": True}, headers=admin),
        house.call("DELETE", "/api/people/local", headers=admin),
    ):
        reply = await call
        assert (reply.status, "last administrator" in reply.body["error"]["message"]) == (409, True)


async def test_people_and_groups_are_listed_page_by_page(house: Server) -> None:
    admin = await set_up(house)
    for name in ("ben", "cleo", "dora"):
        await house.post("/api/people", {"name": name, "display_name": name.title()}, headers=admin)
    page = (await house.get("/api/people?limit=2", admin)).body
    assert [each["name"] for each in page["people"]] == ["ada", "ben"]
    page = (await house.get(f"/api/people?limit=2&after={page['next']}", admin)).body
    assert ([each["name"] for each in page["people"]], page["next"]) == (["cleo", "dora"], None)
    assert [each["name"] for each in (await house.get("/api/people?query=DOR", admin)).body["people"]] == ["dora"]
    assert page["counts"] == {"admin": 1, "member": 3}


async def test_groups_that_an_identity_provider_fills_are_changed_there(house: Server) -> None:
    admin = await set_up(house)
    mine = (await house.post("/api/groups", {"name": " Law  firm "}, headers=admin)).body
    assert mine["name"] == "Law firm"
    assert (await house.post(f"/api/groups/{mine['id']}/members", {"people": ["local"]}, headers=admin)).status == 204
    assert [each["id"] for each in (await house.get(f"/api/groups/{mine['id']}/members", admin)).body["people"]] == [
        "local"
    ]
    await house.app.storage.groups.sync_groups(LOCAL_PRINCIPAL, "local", "oidc:https://id.example", ["Staff"], 5)
    (foreign,) = (await house.get("/api/groups?query=staff", admin)).body["groups"]
    reply = await house.call("PATCH", f"/api/groups/{foreign['id']}", {"name": "Ours"}, headers=admin)
    assert (reply.status, "https://id.example" in reply.body["error"]["message"]) == (409, True)


async def test_the_terminal_says_the_code_of_the_first_account_and_no_shared_key_is_taken(settings: Settings) -> None:
    said: list[str] = []
    async with served_in_process(replace(settings, accounts="on", port=0), say_code=said.append):
        pass
    (code,) = said
    assert len(code) > 20
    with pytest.raises(SettingsError, match="keys of their own"):
        async with served_in_process(replace(settings, accounts="on", port=0, api_key="k" * 30)):
            pass


def test_each_right_names_roles_and_the_rest_is_open() -> None:
    for role in ROLES:
        check_route(Principal("x", role=role), "GET", "/api/conversations")
    assert all(right.roles for right in ROUTE_RIGHTS)
