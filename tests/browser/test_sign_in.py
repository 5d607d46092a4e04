"""People come in with accounts: the first one, an invitation, a wrong password, and a session that ends mid-work."""

from __future__ import annotations

import base64
import re
import time

from playwright.sync_api import Page, Route, expect

from eclair.accounts.second_factor import STEP_S, totp
from tests.browser.accounts import PASSWORD, add_person, admin_command, join, set_up, sign_in
from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served
from tests.browser.test_chat import composer, finished, send


def begin(opening: Opening, starting: Starting, **options: object) -> tuple[Served, Page]:
    """A house whose first account was just made, and its administrator's page."""
    served = starting(ECLAIR_ACCOUNTS="on")
    context = opening(served, **options)
    context.add_init_script(path=AXE)
    return served, set_up(context, served)


def test_the_first_account_is_made_by_the_code_of_the_terminal(
    opening: Opening, starting: Starting, watches: list[Watch]
) -> None:
    served = starting(ECLAIR_ACCOUNTS="on")
    context = opening(served, viewport={"width": 320, "height": 640})
    context.add_init_script(path=AXE)
    watches[-1].forgive("410", "400", "404")  # there is no such conversation either
    page = context.new_page()
    page.goto("/c/conv_00000000000000000000000000")
    expect(page).to_have_title("Set up Éclair · Éclair")
    expect(page.get_by_label("One-time code")).to_be_focused()
    check(page)
    page.get_by_label("One-time code").fill("NEVER-WASAC-ODEOF-THISA")
    page.get_by_label("Username").fill("Ada")
    page.get_by_label("Display name").fill("Ada Lovelace")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("alert")).to_have_text("This code was already used or has expired. Ask for a new one.")
    page.get_by_label("One-time code").fill(admin_command(served, "setup-code").lower())
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("alert")).to_contain_text("at least 12 characters")
    check(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_text("This conversation doesn’t exist.").or_(composer(page)).first).to_be_visible()
    page.get_by_role("button", name="Conversations").click()
    expect(page.get_by_role("button", name="Account: Ada Lovelace")).to_be_visible()
    refused = page.request.post(f"{served.address}/api/session/code", data={"code": "NEVER-WASAC-ODEOF-THISA"})
    assert refused.status == 410


def test_signing_out_and_in_again(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    _, page = begin(opening, starting)
    watches[-1].forgive("401")
    composer(page).fill("a draft of Ada’s")
    page.get_by_role("button", name="Account: Ada Lovelace").click()
    expect(page.get_by_role("menuitem", name="Account ada · Administrator")).to_be_focused()
    check(page)
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in", level=1)).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('eclair.draft'))") == []
    expect(page.get_by_label("Username")).to_be_focused()
    check(page)
    sign_in(page, "ada", "not the password")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong; try again.")
    expect(page.get_by_label("Password")).to_be_focused()
    field = page.get_by_label("Password")
    page.get_by_role("button", name="Show").click()
    expect(field).to_have_attribute("type", "text")
    check(page)
    sign_in(page, "ADA")
    expect(composer(page)).to_have_value("")


def test_what_was_written_outlasts_the_session(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    served, _ = begin(opening, starting)
    context = opening(served)
    context.add_init_script(path=AXE)
    watches[-1].forgive("401")
    page = context.new_page()
    page.goto(add_person(served, "ben"))
    expect(page.get_by_text("Your username is ben.")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Save").click()
    composer(page).fill("script: say=as if nothing had been")
    admin_command(served, "people", "end-sessions", "ben")
    dialog = page.get_by_role("dialog", name="Your session has ended")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_label("Username")).to_have_value("ben")
    expect(dialog.get_by_label("Password")).to_be_focused()
    check(page)
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    composer(page).press("Enter")
    finished(page, "as if nothing had been")


def test_somebody_else_finds_nothing_of_the_last_person(
    opening: Opening, starting: Starting, watches: list[Watch]
) -> None:
    served, page = begin(opening, starting)
    watches[-1].forgive("401")
    join(opening(served), served, "ben")
    composer(page).fill("Ada’s secret")
    page.wait_for_function("() => Object.keys(localStorage).some((name) => name.startsWith('eclair.draft'))")
    page.context.clear_cookies()
    page.reload()
    sign_in(page, "ben")
    expect(page.get_by_role("button", name="Account: Ben")).to_be_visible()
    expect(composer(page)).to_have_value("")
    assert page.evaluate("JSON.stringify(localStorage)").count("secret") == 0


def test_a_locked_account_is_told_once(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    served, _ = begin(opening, starting)
    context = opening(served)
    context.add_init_script(path=AXE)
    watches[-1].forgive("401", "403")
    page = join(context, served, "ben")
    admin_command(served, "people", "lock", "ben")
    page.goto("/")
    sign_in(page, "ben")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("This account is locked")
    check(page)
    page.get_by_role("button", name="Use another account").click()
    expect(page.get_by_label("Username")).to_be_visible()


def test_two_step_sign_in(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    _, page = begin(opening, starting)
    watches[-1].forgive("401")
    page.goto("/settings/account")
    page.get_by_role("button", name="Turn on two-step sign-in").click()
    form = page.get_by_role("form", name="Two-step sign-in")
    form.get_by_label("Current password").fill(PASSWORD)
    form.get_by_role("button", name="Continue").click()
    secret = form.locator("code").inner_text().replace(" ", "")
    expect(form.get_by_label("Code from your authenticator app")).to_be_focused()
    check(page)
    form.get_by_label("Code from your authenticator app").fill(code_of(secret))
    page.keyboard.press("Enter")
    codes = page.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    expect(codes).to_have_count(10)
    recovery = codes.first.inner_text()
    check(page)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "ada")
    expect(page.get_by_label("Code from your authenticator app")).to_be_focused()
    check(page)
    page.keyboard.type("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This code is wrong")
    page.get_by_label("Code from your authenticator app").fill(recovery)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Account: Ada Lovelace")).to_be_visible()


def code_of(secret: str) -> str:
    return totp(base64.b32decode(secret), int(time.time()) // STEP_S)


def test_the_server_is_away(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    _, page = begin(opening, starting)
    watches[-1].forgive("ERR_FAILED")

    def fail(route: Route) -> None:
        route.abort()

    page.route("**/api/session", fail)
    page.reload()
    expect(page.get_by_role("alert")).to_have_text("Éclair can’t be reached.")
    check(page)
    page.unroute("**/api/session")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Account: Ada Lovelace")).to_be_visible()


def test_another_service_sends_back_an_error(opening: Opening, starting: Starting) -> None:
    _, page = begin(opening, starting)
    page.context.clear_cookies()
    for code, sentence in (("identity_unavailable", "can’t be reached"), ("a_new_one", "Signing in didn’t work")):
        page.goto(f"/?sign_in_error={code}")
        expect(page.get_by_role("alert").first).to_contain_text(sentence)
        expect(page).to_have_url(re.compile(r"/$"))
    check(page)


def test_the_house_has_a_name_a_notice_and_an_announcement(
    opening: Opening, starting: Starting, watches: list[Watch]
) -> None:
    said = {"ECLAIR_HOUSE_NAME": "Town hall", "ECLAIR_ANNOUNCEMENT": "Closed on Monday"}
    served = starting(ECLAIR_ACCOUNTS="on", ECLAIR_SIGN_IN_NOTICE="Ask room 12 for an account.", **said)
    context = opening(served)
    watches[-1].forgive("401")
    context.add_init_script(path=AXE)
    page = set_up(context, served)
    expect(page.get_by_role("navigation", name="Conversations").get_by_role("link", name="Town hall")).to_be_visible()
    page.goto("/settings/general")
    expect(page.get_by_role("heading", name="General")).to_be_visible()
    expect(page.get_by_text("Closed on Monday")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("Closed on Monday")).to_have_count(0)
    page.goto("/")
    expect(composer(page)).to_be_visible()
    expect(page.get_by_text("Closed on Monday")).to_have_count(0)
    page.context.clear_cookies()
    page.reload()
    expect(page.get_by_text("Ask room 12 for an account.")).to_be_visible()
    expect(page.get_by_text("Town hall")).to_be_visible()
    check(page)


def test_the_owner_without_accounts_signs_in_nowhere(page: Page) -> None:
    send(page, "script: say=nobody else here")
    finished(page, "nobody else here")
    expect(page.get_by_role("button", name=re.compile("Account"))).to_have_count(0)
    page.goto("/settings")
    expect(page.get_by_role("link", name="Account")).to_have_count(0)


def test_a_passkey_of_the_device_signs_in_without_a_password(
    opening: Opening, starting: Starting, watches: list[Watch]
) -> None:
    """Passkeys take a name, so the page is at `localhost`."""
    served = starting(ECLAIR_ACCOUNTS="on")
    served.address = served.address.replace("127.0.0.1", "localhost")
    context = opening(served)
    context.add_init_script(path=AXE)
    page = set_up(context, served)
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    device.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**options, "isUserVerified": True, "automaticPresenceSimulation": True}},
    )
    page.goto("/settings/account")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("Name of the passkey").fill("Laptop")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("status").filter(has_text="The passkey was added.")).to_be_visible()
    expect(page.get_by_role("list", name="Passkeys").get_by_role("listitem")).to_contain_text(["Laptop"])
    check(page)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("button", name="Account: Ada Lovelace")).to_be_visible()
    page.goto("/settings/account")
    page.get_by_role("button", name="Delete: Laptop").click()
    expect(page.get_by_role("status").filter(has_text="The passkey was removed.")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    watches[-1].forgive("401")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_have_text(
        "This passkey was not recognized; try again, or sign in another way."
    )
