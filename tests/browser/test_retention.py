"""Rules of retention, legal holds and one's own erasure, in the settings."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.accounts import join, set_up
from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served
from tests.browser.test_chat import finished, send
from tests.browser.test_projects import make_project
from tests.browser.test_sign_in import begin


def test_a_rule_is_previewed_set_and_deleted(opening: Opening, mortal: Served) -> None:
    context = opening(mortal)
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto("/settings/data")
    expect(page.get_by_text("No rules.")).to_be_visible()
    form = page.get_by_role("form", name="Set the rule")
    form.get_by_label("Days").fill("30")
    form.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("This would be erased now: conversations 0 (people: 0)")).to_be_visible()
    form.get_by_label("Scope").select_option("Project")
    expect(page.get_by_text("This would be erased now")).to_have_count(0)
    expect(form.get_by_role("option", name="Temporary chats only")).to_have_count(0)
    form.get_by_label("Scope").select_option("Everyone")
    form.get_by_role("button", name="Set the rule").click()
    rules = page.get_by_role("list", name="Rules")
    expect(rules.get_by_role("listitem")).to_have_text(["Everyone 30 days"])
    check(page)
    page.reload()
    expect(page.get_by_text("A rule erases conversations here after 30 days without use.")).to_be_visible()
    rules.get_by_role("button", name="Delete “Everyone”").click()
    page.get_by_role("group", name="Delete “Everyone”?").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No rules.")).to_be_visible()


def test_a_new_chat_is_temporary_where_no_other_is_allowed(opening: Opening, starting: Starting) -> None:
    page = opening(starting()).new_page()
    rule = {"scope": "everyone", "days": 0}
    assert page.request.put("/api/retention/rules", data=rule).ok
    page.goto("/")
    expect(page.get_by_text("No other chats are allowed here.")).to_be_visible()
    expect(page).to_have_url(re.compile("/temporary$"))
    send(page, "script: say=Nothing is kept.")
    finished(page, "Nothing is kept.")
    page.get_by_role("button", name="New chat").first.click()
    expect(page.get_by_text("No other chats are allowed here.")).to_be_visible()
    expect(page.get_by_text("Nothing is kept.", exact=True)).to_have_count(0)
    assert page.request.delete("/api/retention/rules?scope=everyone").ok
    page.reload()
    page.get_by_role("button", name="New chat").first.click()
    expect(page.get_by_text("No other chats are allowed here.")).to_have_count(0)
    expect(page).to_have_url(re.compile("/$"))


def test_a_hold_keeps_a_conversation_and_says_so(opening: Opening, mortal: Served, watches: list[Watch]) -> None:
    page = opening(mortal).new_page()
    watches[-1].forgive("409")
    id = page.request.post("/api/conversations", data={"title": "Bread"}).json()["id"]
    page.goto("/settings/data")
    form = page.get_by_role("form", name="Place the hold")
    form.get_by_label("Scope").select_option("Conversation")
    form.get_by_label("ID").fill(id)
    form.get_by_label("Reason").fill("Case 7")
    page.keyboard.press("Enter")
    holds = page.get_by_role("list", name="Legal holds")
    expect(holds).to_contain_text("Case 7")
    refused = page.request.delete(f"/api/conversations/{id}")
    assert (refused.status, refused.json()["error"]["code"]) == (409, "legal_hold")
    page.reload()
    expect(page.get_by_text("Your data is under a legal hold and can’t be erased.")).to_be_visible()
    holds.get_by_role("button", name="Lift").click()
    expect(holds).to_have_count(0)
    assert page.request.delete(f"/api/conversations/{id}").status == 204


def test_rules_and_holds_are_for_what_is_found_by_name(opening: Opening, starting: Starting) -> None:
    served, page = begin(opening, starting)
    ben = join(opening(served), served, "ben")
    make_project(ben, "Handed in")
    page.goto("/admin/retention")
    form = page.get_by_role("form", name="Set the rule")
    form.get_by_label("Scope").select_option("Project")
    expect(form.get_by_role("button", name="Set the rule")).to_have_attribute("aria-disabled", "true")
    form.get_by_label("Project", exact=True).fill("hand")
    form.get_by_role("button", name="Handed in Ben").click()
    form.get_by_role("button", name="Set the rule").click()
    expect(page.get_by_role("list", name="Rules").get_by_role("listitem")).to_have_text(
        ["Project Handed in Ben · 365 days"]
    )
    hold = page.get_by_role("form", name="Place the hold")
    hold.get_by_label("Person", exact=True).fill("be")
    hold.get_by_role("button", name="Ben ben").click()
    hold.get_by_label("Reason").fill("Case 7")
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="Legal holds")).to_contain_text("Person Ben")
    check(page)


def test_a_person_is_erased_by_an_administrator(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    served = starting(ECLAIR_ACCOUNTS="on", ECLAIR_ERASURE_DAYS="0")
    context = opening(served)
    context.add_init_script(path=AXE)
    page = set_up(context, served)
    join(opening(served), served, "ben")
    watches[-1].forgive("401")
    page.goto("/admin/people")
    page.get_by_role("list", name="People").get_by_role("link", name="Ben").click()
    section = page.get_by_role("region", name="Personal data")
    expect(section).to_contain_text("Other records")
    erase = section.get_by_role("button", name="Erase all data of Ben")
    erase.click()
    question = section.get_by_role("group", name="Erase all data of Ben, with the account, now?")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    check(page)
    page.keyboard.press("Escape")
    expect(erase).to_be_focused()
    erase.click()
    question.get_by_role("button", name="Delete", exact=True).click()
    expect(section.get_by_role("link", name="Receipt")).to_be_visible(timeout=90_000)


def test_an_administrator_withdraws_an_erasure(opening: Opening, starting: Starting) -> None:
    served, page = begin(opening, starting)
    join(opening(served), served, "ben")
    page.goto("/admin/people")
    page.get_by_role("list", name="People").get_by_role("link", name="Ben").click()
    section = page.get_by_role("region", name="Personal data")
    section.get_by_role("button", name="Erase all data of Ben").click()
    expect(section).to_contain_text("It can be withdrawn until then.")
    section.get_by_role("button", name="Delete", exact=True).click()
    expect(section).to_contain_text("All data of Ben will be erased on")
    expect(section.get_by_role("button", name="Withdraw")).to_be_focused()
    page.goto("/admin/retention")
    expect(page.get_by_role("list", name="Erasures of people")).to_contain_text("Ben Due on")
    page.go_back()
    section.get_by_role("button", name="Withdraw").click()
    expect(section.get_by_role("button", name="Erase all data of Ben")).to_be_focused()


def test_ones_own_erasure_is_asked_for_and_withdrawn(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    page.goto("/settings/data")
    erase = page.get_by_role("button", name="Erase all my data")
    expect(erase).to_have_accessible_description(
        "Conversations, files, images, settings, keys and your account. Days in which you can change your mind: 7."
    )
    erase.click()
    question = page.get_by_role("group", name="Erase all your data here?")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(erase).to_be_focused()
    erase.click()
    question.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("All your data will be erased on")).to_be_visible()
    expect(page.get_by_role("list", name="Erasures of people")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("list", name="Erasures of people")).to_contain_text("Due on")
    page.get_by_role("button", name="Withdraw").click()
    expect(erase).to_be_focused()
