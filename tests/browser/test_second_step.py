"""The second step in the page: set up at the door where it is required, and asked for after a provider's sign-in."""

from __future__ import annotations

from io import BytesIO

import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.accounts import PASSWORD, admin_command, set_up, sign_in
from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.test_chat import composer
from tests.browser.test_identity_providers import ELSEWHERE, in_thread, start
from tests.identity.openid import CLIENT, SECRET, OpenIdProvider
from tests.server.test_second_steps import code_of

CODE = "Code from your authenticator app"


def set_up_step(page: Page) -> str:
    """Set an authenticator up at the door; return the key."""
    picture = page.get_by_role("img", name="QR code of this key for your authenticator app")
    expect(picture).to_be_visible()
    (shown,) = zxingcpp.read_barcodes(Image.open(BytesIO(picture.screenshot())).convert("RGB"))
    assert shown.text.startswith("otpauth://totp/")
    secret = page.locator("form code").inner_text().replace(" ", "")
    assert f"?secret={secret}&" in shown.text
    page.get_by_label(CODE).fill(code_of(secret))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("list", name="Recovery codes").get_by_role("listitem")).to_have_count(10)
    return secret


def test_a_required_step_is_set_up_at_the_door(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    served = starting(ECLAIR_ACCOUNTS="on", ECLAIR_SECOND_STEP="required")
    context = opening(served)
    context.add_init_script(path=AXE)
    watches[-1].forgive("401", "400")
    page = context.new_page()
    page.goto("/")
    page.get_by_label("One-time code").fill(admin_command(served, "setup-code"))
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.set_viewport_size({"width": 320, "height": 640})
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_text("Everybody here signs in with a second step. Set it up now.")).to_be_visible()
    expect(page.get_by_label(CODE)).to_be_focused()
    check(page)
    page.get_by_label(CODE).fill("000000")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("This code is wrong or has passed")
    secret = set_up_step(page)
    check(page)
    page.get_by_role("button", name="Continue").click()
    expect(composer(page)).to_be_visible()
    other = opening(served).new_page()
    watches[-1].forgive("401")
    other.goto("/")
    sign_in(other, "ada")
    other.get_by_label(CODE).fill(code_of(secret, 1))
    other.get_by_role("button", name="Continue").click()
    expect(composer(other)).to_be_visible()


def test_a_provider_that_asked_for_none_leads_to_it(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    provider = OpenIdProvider()
    with in_thread(provider.serving(ELSEWHERE)):
        house = {"kind": "oidc", "name": "House account", "issuer": provider.url, "client_id": CLIENT}
        served = start(starting, house={**house, "client_secret": SECRET})
        admin = set_up(opening(served), served)
        admin.goto("/admin/sign-in")
        expect(admin.get_by_role("list", name="Sign-in")).to_contain_text("OpenID Connect · Answers")
        expect(admin.get_by_text("Each person decides whether to use a second step.")).to_be_visible()
        page = opening(served).new_page()
        watches[-1].forgive(provider.url, "401")
        page.goto("/settings/account")
        page.get_by_role("link", name="Sign in with House account").click()
        page.get_by_role("button", name="Turn on two-step sign-in").click()
        form = page.get_by_role("form", name="Two-step sign-in")
        form.get_by_role("button", name="Continue").click()
        expect(form.get_by_role("img", name="QR code of this key for your authenticator app")).to_be_visible()
        secret = form.locator("code").inner_text().replace(" ", "")
        form.get_by_label(CODE).fill(code_of(secret))
        form.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("list", name="Recovery codes")).to_be_visible()
        again = opening(served).new_page()
        watches[-1].forgive(provider.url, "401")
        again.goto("/usage")
        again.get_by_role("link", name="Sign in with House account").click()
        expect(again.get_by_label(CODE)).to_be_focused()
        again.get_by_role("button", name="Cancel").click()
        again.get_by_role("link", name="Sign in with House account").click()
        again.get_by_label(CODE).fill("000000")
        again.get_by_role("button", name="Continue").click()
        expect(again.get_by_role("alert")).to_contain_text("This code is wrong")
        again.get_by_label(CODE).fill(code_of(secret, 1))
        again.get_by_role("button", name="Continue").click()
        expect(again.get_by_role("heading", name="Usage", level=1)).to_be_visible()
