"""A program elsewhere waits with a code; a person looks at what it says of itself, and lets it in or refuses."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from eclair.server.api.device_login import GRANT_TYPE
from tests.browser.accounts import set_up, sign_in
from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served

Form = dict[str, str | float | bool]


def waiting(page: Page, **fields: str) -> Form:
    """Begin a device login, as a program does."""
    form: Form = {"client_id": "eclair", "device_name": "laptop", "scope": "v1", **fields}
    begun: Form = page.request.post("/api/device/code", form=form).json()
    return begun


def redeem(page: Page, begun: Form) -> dict[str, str]:
    form: Form = {"grant_type": GRANT_TYPE, "device_code": begun["device_code"]}
    reply: dict[str, str] = page.request.post("/api/device/token", form=form).json()
    return reply


def house(opening: Opening, starting: Starting, **options: object) -> tuple[Served, Page]:
    served = starting(ECLAIR_ACCOUNTS="on")
    context = opening(served, **options)
    context.add_init_script(path=AXE)
    return served, set_up(context, served)


def test_a_person_lets_a_program_in(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    _, page = house(opening, starting)
    page.set_viewport_size({"width": 320, "height": 640})
    watches[-1].forgive("404")
    begun = waiting(page)
    page.goto("/device")
    dialog = page.get_by_role("dialog", name="Sign in a program")
    field = dialog.get_by_label("Code shown by the program")
    expect(field).to_be_focused()
    check(page)
    field.fill("BBBB-BBBB")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("No program waits with this code")
    field.fill(str(begun["user_code"]).lower())
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("A program that calls itself “eclair · laptop” wants to act for you.")
    expect(dialog).to_contain_text(str(begun["user_code"]))
    expect(dialog).to_contain_text("127.0.0.1")
    expect(dialog).to_contain_text("Programs, under /v1")
    expect(dialog).to_contain_text("If somebody sent you the link or the code, refuse")
    check(page)
    dialog.get_by_label("Valid for").select_option("30 days")
    dialog.get_by_role("button", name="Let it in").click()
    expect(dialog.get_by_text("The program is signed in. You can close this page.")).to_be_focused()
    token = redeem(page, begun)
    assert (token["scope"], token["expires_in"]) == ("v1", 30 * 86_400)
    dialog.get_by_role("link", name="API keys").click()
    expect(page.get_by_role("list", name="API keys")).to_contain_text("eclair laptop")


def test_a_link_leads_past_the_sign_in_and_a_program_is_refused(opening: Opening, starting: Starting) -> None:
    served, page = house(opening, starting)
    begun = waiting(page)
    other = opening(served).new_page()
    other.goto(f"/device#{begun['user_code']}")
    sign_in(other, "ada")
    dialog = other.get_by_role("dialog", name="Sign in a program")
    dialog.get_by_role("button", name="Refuse").click()
    expect(dialog.get_by_text("The program was refused.")).to_be_focused()
    dialog.get_by_role("button", name="Close").last.click()
    expect(dialog).to_be_hidden()
    expect(other).to_have_url(f"{served.address}/")
    assert redeem(page, begun)["error"] == "access_denied"
