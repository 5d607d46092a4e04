"""`/api/plan`: choices, plans and pictures, for administrators."""

from __future__ import annotations

import pytest

from eclair.capacity.capacity_facts import load_facts
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

OFFICE = {"model": "mistral-small-3.2", "accelerator": "h100", "people": 500}


async def test_the_choices_are_those_of_the_catalog_and_the_facts(server: Server) -> None:
    found = (await server.get("/api/plan")).body
    assert "mistral-small-3.2" in [each["id"] for each in found["models"]]
    assert [each["id"] for each in found["accelerators"]] == [each.id for each in load_facts().accelerator]
    assert {"DE", "NO", "GB", "CH"} <= set(found["countries"])
    assert (found["prompt_tokens"], found["from_usage"], found["measured"]) == (3000, False, [])


async def test_a_plan_is_made_in_a_process_of_its_own(server: Server) -> None:
    reply = await server.post("/api/plan", OFFICE)
    assert reply.status == 200
    plan = reply.body
    assert plan["basis"] == "published"
    assert plan["hardware"]["replicas"] == 1
    assert plan["always_on"]["kwh"]["low"] < plan["always_on"]["kwh"]["high"]
    assert all(fact["source"] for fact in plan["facts"])
    assert len(plan["day"]["ready_by_hour"]) == 24


async def test_a_plan_is_drawn(server: Server) -> None:
    reply = await server.post("/api/plan/picture", OFFICE)
    assert reply.headers["Content-Type"] == "image/svg+xml"
    assert reply.raw.startswith(b"<svg ")


@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"people": 0}, 400, "people"),
        ({"accelerator": "abacus"}, 404, "accelerator"),
        ({"country": "ZZ"}, 404, "country"),
        ({"model": "no-such-model"}, 404, "name"),
        ({"answers": 5}, 400, "answers"),
    ],
)
async def test_what_is_wrong_is_named(server: Server, changes: dict[str, object], status: int, param: str) -> None:
    reply = await server.post("/api/plan", OFFICE | changes)
    assert (reply.status, reply.error["param"]) == (status, param)
