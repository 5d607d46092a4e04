"""The administration: people and groups as administrators change them, auditors see them and members don't."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.accounts import PASSWORD, join, set_up
from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.test_sign_in import begin


def test_an_invitation_becomes_an_account(opening: Opening, starting: Starting) -> None:
    served, page = begin(opening, starting)
    page.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Administration").click()
    expect(page.get_by_role("heading", name="Administration", level=1)).to_be_visible()
    expect(page.get_by_text("There’s only one administrator.")).to_be_visible()
    check(page)
    page.get_by_role("navigation", name="Administration").get_by_role("link", name="People").click()
    page.get_by_role("button", name="Invite somebody").click()
    form = page.get_by_role("form", name="Invite somebody")
    form.get_by_label("Display name").fill("Ben Ó Murchú")
    form.get_by_label("Role").select_option("Auditor")
    form.get_by_role("button", name="Create link").click()
    link = page.get_by_label("Copy this link now. It won’t be shown again.")
    expect(link).to_be_focused()
    expect(page.get_by_role("list", name="Open invitations")).to_contain_text("Ben Ó Murchú")
    check(page)
    guest = opening(served, locale="de", viewport={"width": 390, "height": 800}).new_page()
    guest.goto(link.input_value())
    expect(guest.get_by_role("heading", name="Konto erstellen")).to_be_visible()
    guest.get_by_label("Benutzername").fill("ben")
    guest.get_by_label("Passwort").fill(PASSWORD)
    guest.get_by_role("button", name="Konto erstellen").click()
    expect(guest.get_by_role("textbox", name="Ihre Nachricht")).to_be_visible()
    page.reload()
    expect(page.get_by_role("list", name="People").get_by_role("link", name="Ben Ó Murchú")).to_be_visible()
    expect(page.get_by_role("list", name="Open invitations")).to_have_count(0)


def test_a_person_is_found_changed_locked_and_deleted(
    opening: Opening, starting: Starting, watches: list[Watch]
) -> None:
    served, page = begin(opening, starting)
    watches[-1].forgive("409")
    context = opening(served)
    watches[-1].forgive("401")
    join(context, served, "ben")
    page.goto("/admin/people")
    page.get_by_label("Search people").fill("nobody such")
    expect(page.get_by_text("Nothing found for “nobody such”.")).to_be_visible()
    page.get_by_label("Search people").fill("BEN")
    page.get_by_role("list", name="People").get_by_role("link", name="Ben").click()
    form = page.get_by_role("form", name="Account")
    form.get_by_label("Display name").fill("Benedict")
    form.get_by_label("Role").select_option("Guest")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Benedict")).to_be_visible()
    expect(page.get_by_text("ben · Guest")).to_be_visible()
    expect(page.get_by_role("list", name="Sessions")).to_contain_text("127.0.0.1")
    check(page)
    page.get_by_role("button", name="Create a link for a new password").click()
    expect(page.get_by_label("Copy this link now and give it to Benedict. It works once.")).to_be_focused()
    page.get_by_role("button", name="Lock", exact=True).click()
    expect(page.get_by_text("Locked since")).to_be_visible()
    expect(page.get_by_text("No sessions.")).to_be_visible()
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_text("Locked since")).to_have_count(0)
    page.get_by_role("button", name="Delete “Benedict”").click()
    page.get_by_role("group").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("Nothing found for “BEN”.")).to_be_visible()
    page.get_by_label("Search people").fill("")
    page.get_by_role("link", name="Ada Lovelace").click()
    page.get_by_role("form", name="Account").get_by_label("Role").select_option("Member")
    page.get_by_role("form", name="Account").get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_visible()


def test_a_group_gets_members_and_loses_them(opening: Opening, starting: Starting) -> None:
    served, page = begin(opening, starting)
    join(opening(served), served, "ben")
    page.goto("/admin/groups")
    expect(page.get_by_text("No groups yet.")).to_be_visible()
    page.get_by_label("Group name").fill("Legal")
    page.get_by_role("button", name="New group").click()
    expect(page.get_by_role("heading", name="Legal")).to_be_focused()
    page.get_by_label("Add a member").fill("ben")
    page.get_by_role("list", name="Add a member").get_by_role("button", name="Ben").click()
    members = page.get_by_role("list", name="Members of Legal")
    expect(members).to_contain_text("Ben")
    check(page)
    members.get_by_role("button", name="Remove Ben from the group").click()
    expect(page.get_by_text("Members: 0")).to_be_visible()
    page.get_by_role("button", name="Delete “Legal”").click()
    page.get_by_role("group").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No groups yet.")).to_be_visible()


def test_an_auditor_sees_and_changes_nothing(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    served, _ = begin(opening, starting)
    context = opening(served)
    context.add_init_script(path=AXE)
    page = join(context, served, "iris", "auditor")
    page.goto("/admin/people")
    expect(page.get_by_role("list", name="People").get_by_role("link")).to_have_count(2)
    expect(page.get_by_role("button", name="Invite somebody")).to_have_count(0)
    page.get_by_role("link", name="Ada Lovelace").click()
    expect(page.get_by_role("form", name="Account").get_by_label("Role")).to_be_disabled()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    check(page)
    assert watches[-1].rest() == []


def test_a_member_sees_none_of_it(opening: Opening, starting: Starting) -> None:
    served = starting(ECLAIR_ACCOUNTS="on")
    set_up(opening(served), served)
    page = join(opening(served, viewport={"width": 320, "height": 640}), served, "ben")
    page.goto("/admin/people")
    expect(page.get_by_role("alert")).to_contain_text("Your role here doesn’t allow this")
    expect(page.get_by_role("list", name="People")).to_have_count(0)
    page.goto("/settings")
    settings = page.get_by_role("navigation", name="Settings")
    expect(settings.get_by_role("link").first).to_have_text("Account")
    expect(settings.get_by_role("link", name="Servers", exact=True)).to_have_count(0)


def test_sessions_elsewhere_are_ended(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    served, page = begin(opening, starting)
    context = opening(served)
    watches[-1].forgive("401")
    elsewhere: Page = context.new_page()
    elsewhere.goto("/")
    elsewhere.get_by_label("Username").fill("ada")
    elsewhere.get_by_label("Password").fill(PASSWORD)
    elsewhere.keyboard.press("Enter")
    expect(elsewhere.get_by_role("button", name="Account: Ada Lovelace")).to_be_visible()
    page.goto("/settings/account")
    expect(page.get_by_role("list", name="Sessions").get_by_role("listitem")).to_have_count(2)
    check(page)
    page.get_by_role("button", name="End all other sessions").click()
    expect(page.get_by_role("list", name="Sessions").get_by_role("listitem")).to_have_count(1)
    page.get_by_role("button", name="Change password").click()
    form = page.get_by_role("form", name="Change password")
    form.get_by_label("Current password").fill(PASSWORD)
    form.get_by_label("New password").fill("another good password")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Password changed. Your other sessions have ended.")).to_be_visible()
    elsewhere.reload()
    expect(elsewhere.get_by_role("heading", name="Sign in")).to_be_visible()
