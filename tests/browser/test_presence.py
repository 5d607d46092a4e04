"""Presence: members see who else has a shown conversation open."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.accounts import join
from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Starting
from tests.browser.test_sign_in import begin

SEND = """async ([method, path, body]) => {
  const headers = { Authorization: "Session", "Content-Type": "application/json" };
  const reply = await fetch(path, { method, headers, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(await reply.text());
  return reply.status === 204 ? null : reply.json();
}"""


def send(page: Page, method: str, path: str, body: dict[str, Any]) -> Any:
    return page.evaluate(SEND, [method, path, body])


def test_readers_of_a_shown_conversation_see_each_other(opening: Opening, starting: Starting) -> None:
    served, ada = begin(opening, starting)
    context = opening(served, viewport={"width": 390, "height": 800})
    context.add_init_script(path=AXE)
    ben = join(context, served, "ben")
    project = send(ada, "POST", "/api/projects", {"name": "Town"})["id"]
    send(ada, "PUT", f"/api/projects/{project}/shares/everyone", {"access": "view"})
    conversation = send(ada, "POST", "/api/conversations", {"title": "Bikes", "project_id": project})["id"]
    send(ada, "PUT", f"/api/project-conversations/{conversation}", {"project_id": project})
    ada.goto(f"/c/{conversation}")
    expect(ada.get_by_role("link", name="Project: Town")).to_be_visible()
    seen = ada.get_by_role("list", name="Also here")
    expect(seen).to_have_count(0)
    ben.goto(f"/projects/{project}")
    bikes = ben.get_by_role("list", name="Shown to the members").get_by_role("button", name="Bikes")
    bikes.click()
    dialog = ben.get_by_role("dialog", name="Bikes")
    expect(dialog.get_by_role("list", name="Also here").get_by_role("listitem")).to_have_text(["ALAda Lovelace"])
    expect(seen.get_by_role("listitem")).to_have_text(["BBen"])
    expect(ada.get_by_role("status").filter(has_text="Also here: Ben")).to_have_count(1)
    check(ada)
    check(ben)
    dialog.get_by_role("button", name="Close").click()
    expect(seen).to_have_count(0)
    ben.goto("/settings/account")
    shows = ben.get_by_role("group", name="Show others that I am here")
    with ben.expect_response(lambda reply: reply.request.method == "PUT") as saved:
        shows.get_by_role("radio", name="Off").check()
    assert saved.value.json()["show_presence"] is False
    check(ben)
    ben.goto(f"/projects/{project}")
    bikes.click()
    expect(dialog.get_by_role("list", name="Also here").get_by_role("listitem")).to_have_text(["ALAda Lovelace"])
    expect(seen).to_have_count(0)


def test_many_are_four_faces_and_a_number(opening: Opening, starting: Starting) -> None:
    _, ada = begin(opening, starting)
    project = send(ada, "POST", "/api/projects", {"name": "Town"})["id"]
    send(ada, "PUT", f"/api/projects/{project}/shares/everyone", {"access": "view"})
    conversation = send(ada, "POST", "/api/conversations", {"title": "Bikes", "project_id": project})["id"]
    send(ada, "PUT", f"/api/project-conversations/{conversation}", {"project_id": project})
    people = ["Ben", "Cleo", "Dan", "Eve", "Finn", "Gina"]
    ada.route("**/presence", lambda route: route.fulfill(json={"people": people, "more": 3}))
    ada.goto(f"/c/{conversation}")
    seen = ada.get_by_role("list", name="Also here").get_by_role("listitem")
    expect(seen).to_have_text(["BBen", "CCleo", "DDan", "EEve", "+5Finn, Gina, +3"])
    check(ada)
