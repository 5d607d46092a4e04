"""Works-council mode at every door: no figures of single people, of a few, or from which theirs could be reckoned."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from eclair.schema.budgets import TOKENS, Demand, NeedRate
from eclair.schema.principal import Principal
from eclair.settings import Settings
from tests.cli.test_cli import Eclair
from tests.server.test_accounts import Headers, member, set_up
from tests.support import JSON, Server, serving


@pytest_asyncio.fixture
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on", works_council=True, erasure_days=0)) as server:
        yield server


async def add_people(house: Server, admin: Headers, count: int) -> list[str]:
    added = [await house.post("/api/people", {"name": f"person{number}"}, headers=admin) for number in range(count)]
    return [str(each.body["id"]) for each in added]


async def add_group(house: Server, admin: Headers, name: str, people: list[str]) -> str:
    id = str((await house.post("/api/groups", {"name": name}, headers=admin)).body["id"])
    await house.post(f"/api/groups/{id}/members", {"people": people}, headers=admin)
    return id


async def set_budget(house: Server, admin: Headers, **budget: object) -> None:
    body = {"unit": "tokens", "period": "day", "amount": 1000, **budget}
    assert (await house.call("PUT", "/api/budgets", body, headers=admin)).status == 200


async def use(house: Server, people: list[str], *groups: str, tokens: int = 100) -> None:
    """Let each of them use tokens, as an answer does."""
    for id in people:
        principal = Principal(id, groups=frozenset(groups))
        async with house.app.budgets.spending(principal, Demand({TOKENS: NeedRate(tokens)}), {TOKENS: tokens}):
            pass


async def sums(house: Server, admin: Headers) -> dict[str, JSON]:
    listed = (await house.get("/api/budgets", headers=admin)).body["budgets"]
    return {each["name"] or each["budget"]["kind"]: each for each in listed}


async def test_sums_of_budgets_are_shown_of_groups_that_are_large_enough(house: Server) -> None:
    admin = await set_up(house)
    people = await add_people(house, admin, 11)  # with the administrator twelve
    half = await add_group(house, admin, "half", people[:6])
    most = await add_group(house, admin, "most", people[:8])
    few = await add_group(house, admin, "few", people[:4])
    await set_budget(house, admin, kind="everyone")
    await set_budget(house, admin, kind="role", subject="admin")
    await set_budget(house, admin, kind="person", subject=people[0])
    for group in (half, most, few):
        await set_budget(house, admin, kind="group", subject=group)
    await use(house, people[:4], half, most, few)
    found = await sums(house, admin)
    assert found["everyone"]["used"] is None, "four people have used something"
    await use(house, people[4:6], half, most)
    await use(house, people[6:8], most, tokens=1000)
    found = await sums(house, admin)
    assert (found["everyone"]["used"], found["everyone"]["holders"]) == (2600, 8)
    assert found["everyone"]["exhausted"] is None, "two of eight"
    assert found["half"]["used"] == 600
    hidden = {name for name, each in found.items() if each["used"] is None}
    assert hidden == {"admin", "person0", "few", "most"}, "most would leave four others"
    nothing = {found[name][figure] for name in hidden for figure in ("used", "reserved", "holders", "exhausted")}
    assert nothing == {None}


async def test_the_command_line_shows_no_more_than_the_page(tmp_path: Path) -> None:
    run = partial(Eclair(tmp_path), ECLAIR_ACCOUNTS="on", ECLAIR_WORKS_COUNCIL="true")
    run("admin", "people", "add", "ada", "--role", "admin")
    run("budget", "set", "--tokens", "1000", "--per", "day")
    assert "not shown" in run("budget", "list").stdout
    (row,) = orjson.loads(run("budget", "list", "--json").stdout)
    assert (row["amount"], row["used"], row["holders"], row["exhausted"]) == (1000, None, None, None)
    assert "not shown" in run("admin", "people", "list").stdout
    assert orjson.loads(run("admin", "people", "list", "--json").stdout)[0]["seen"] is None
    assert run("admin", "people", "end-sessions", "ada").stdout == "Ended all sessions of ada.\n"
    usage = run("usage")
    assert (usage.returncode, "no figures of single people" in usage.stderr) == (2, True)
    assert run("usage", "--json").returncode == 2
    run("key", "new", "bot")
    assert "not shown" in run("key", "list").stdout
    assert "would be erased" not in run("retention", "--days", "30").stdout


async def test_a_shared_budget_tells_its_members_nothing_of_each_other(house: Server) -> None:
    admin = await set_up(house)
    _, ben = await member(house, admin)
    await set_budget(house, admin, kind="everyone", each=False)
    body = {"model": "scripted", "messages": [{"role": "user", "content": "script: words=3"}]}
    reply = await house.post("/v1/chat/completions", body, headers=ben)
    assert reply.status == 200
    assert "RateLimit" not in reply.headers
    (own,) = (await house.get("/api/budgets/mine", headers=admin)).body["budgets"]
    assert (own["used"], own["reserved"]) == (None, None)
    await set_budget(house, admin, kind="everyone", amount=5000)
    reply = await house.post("/v1/chat/completions", body, headers=ben)
    assert reply.headers["RateLimit"].startswith('"tokens-day";r=5000;')
    found = (await house.get("/api/budgets/mine", headers=ben)).body["budgets"]
    assert [each["used"] > 0 for each in found if each["used"] is not None] == [True], "one's own is one's own"


async def test_nobody_sees_when_and_from_where_others_came_in(house: Server) -> None:
    admin = await set_up(house)
    id, ben = await member(house, admin)
    group = await add_group(house, admin, "all", [id])
    assert (await house.get("/api/me", headers=ben)).body["seen"] is not None
    paths = ("/api/people", f"/api/groups/{group}/members")
    listed = [each for path in paths for each in (await house.get(path, headers=admin)).body["people"]]
    changed = (await house.call("PATCH", f"/api/people/{id}", {"display_name": "Ben"}, headers=admin)).body
    shown = (await house.get(f"/api/people/{id}", headers=admin)).body
    assert {each["seen"] for each in (*listed, changed, shown)} == {None}
    assert (await house.get(f"/api/people/{id}/sessions", headers=admin)).body == {"sessions": []}
    assert len((await house.get("/api/people/local/sessions", headers=admin)).body["sessions"]) == 1, "one's own"
    assert (await house.call("DELETE", f"/api/people/{id}/sessions", headers=admin)).body == {"ended": None}
    assert (await house.get("/api/me", headers=ben)).status == 401
    assert (await house.get("/api/session")).body["works_council"] is True


async def test_metrics_of_a_house_of_a_few_count_no_answers(house: Server) -> None:
    admin = await set_up(house)
    counting = (b"eclair_answers", b"eclair_tokens", b"eclair_http_requests", b"eclair_answer_words")
    few = (await house.get("/metrics", headers=admin)).raw
    assert b"eclair_database_bytes" in few
    assert not [name for name in counting if name in few]
    await add_people(house, admin, 4)
    many = (await house.get("/metrics", headers=admin)).raw
    assert [name for name in counting if name in many] == list(counting)
    assert b"person" not in many


async def test_how_much_somebody_has_is_counted_for_themselves_alone(house: Server) -> None:
    admin = await set_up(house)
    id, ben = await member(house, admin)
    conversation = (await house.post("/api/conversations", {}, headers=ben)).body["id"]
    await house.post(f"/api/conversations/{conversation}/turns", {"text": "script: words=3"}, headers=ben)
    assert (await house.get("/api/me/data", headers=ben)).body["counts"]["messages"] == 2
    assert (await house.get(f"/api/people/{id}/data", headers=admin)).body["counts"] == {}
    begun = await house.post(f"/api/people/{id}/data/erasure", {"confirm": "erase everything"}, headers=admin)
    assert begun.status == 202, begun
    await house.app.person_erasure.run_due()
    receipt = (await house.get(f"/api/erasures/{begun.body['id']}/receipt", headers=admin)).body
    assert {"kind": "messages", "count": None} in receipt["erased"]
    assert {each["count"] for each in (*receipt["erased"], *receipt["kept"])} == {None}


async def test_a_preview_of_retention_counts_nothing_of_a_few(house: Server) -> None:
    admin = await set_up(house)
    people = await add_people(house, admin, 5)
    group = await add_group(house, admin, "most", people)
    everyone = {"scope": "everyone", "days": 1, "subject": ""}
    assert (await house.post("/api/retention/preview", everyone, headers=admin)).body["conversations"] == 0
    grouped = {"scope": "group", "days": 1, "subject": group}
    found = (await house.post("/api/retention/preview", grouped, headers=admin)).body
    assert {found[name] for name in ("conversations", "people", "responses", "files", "held")} == {None}
    await house.call("PUT", "/api/retention/rules", grouped, headers=admin)
    found = (await house.post("/api/retention/preview", everyone, headers=admin)).body
    assert found["conversations"] is None, "a rule by group could be told from it"


@pytest.mark.parametrize(("offered", "read", "shown"), [(12, 6, True), (12, 3, False), (12, 9, False), (12, 0, True)])
async def test_how_many_read_about_ai_is_said_of_enough_people(
    house: Server, offered: int, read: int, shown: bool
) -> None:
    admin = await set_up(house)
    await add_people(house, admin, 5)
    for event, count in (("offered", offered), ("read", read)):
        for _ in range(count):
            await house.post("/api/compliance/literacy", {"event": event}, headers=admin)
    report = (await house.get("/api/compliance/ai-act?format=markdown", headers=admin)).raw.decode()
    assert (f"Offered: {offered}; confirmed as read: {read}." in report) == shown


async def test_without_the_mode_everything_is_counted(settings: Settings) -> None:
    async with serving(replace(settings, accounts="on")) as house:
        admin = await set_up(house)
        id, _ = await member(house, admin)
        await set_budget(house, admin, kind="person", subject=id)
        await use(house, [id])
        assert (await sums(house, admin))["ben"]["used"] == 100
        assert (await house.get(f"/api/people/{id}", headers=admin)).body["seen"] is not None
        assert (await house.get(f"/api/people/{id}/data", headers=admin)).body["counts"]
