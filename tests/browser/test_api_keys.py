"""API keys in the settings: made, shown once, limited, and deleted."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served


def listed(page: Page) -> list[str]:
    return page.get_by_role("list", name="API keys").get_by_role("listitem").all_inner_texts()


def test_a_key_is_made_shown_once_used_and_deleted(opening: Opening, starting: Starting, watches: list[Watch]) -> None:
    served: Served = starting(ECLAIR_API_KEY="open-sesame-open-sesame-24")
    context = opening(served)
    context.add_init_script(path=AXE)
    watches[-1].forgive("401")
    page = context.new_page()
    page.goto("/settings/keys")
    page.get_by_role("dialog").get_by_label("Key", exact=True).fill("open-sesame-open-sesame-24")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No keys yet.")).to_be_visible()
    form = page.get_by_role("form", name="New key")
    form.get_by_label("Name").fill("editor")
    form.get_by_label("May be used for").select_option("Programs, under /v1")
    form.get_by_label("Valid for").select_option("30 days")
    form.get_by_role("button", name="New key").click()
    secret = page.get_by_label("Copy this key now. It won’t be shown again.")
    expect(secret).to_be_focused()
    key = secret.input_value()
    check(page)
    headers = {"Authorization": f"Bearer {key}"}
    anyone = page.context.browser
    assert anyone is not None
    caller = anyone.new_context(base_url=served.address).request
    assert caller.get("/v1/models", headers=headers).status == 200
    refused = caller.get("/api/conversations", headers=headers)
    assert (refused.status, "for programs under /v1" in refused.text()) == (403, True)
    page.reload()
    expect(page.get_by_role("list", name="API keys")).to_contain_text("Programs, under /v1 · Last used")
    assert key not in page.content()
    page.get_by_role("button", name="Delete “editor”").click()
    page.get_by_role("group", name="Delete “editor”?").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No keys yet.")).to_be_visible()
    assert caller.get("/v1/models", headers=headers).status in (200, 401)  # refused within two seconds


def test_a_name_that_is_taken_is_told(opening: Opening, shared: Served, watches: list[Watch]) -> None:
    page = opening(shared).new_page()
    watches[-1].forgive("409")
    page.goto("/settings/keys")
    form = page.get_by_role("form", name="New key")
    for _ in range(2):
        form.get_by_label("Name").fill("twice")
        form.get_by_role("button", name="New key").click()
        expect(page.get_by_role("list", name="API keys")).to_contain_text("twice")
    expect(page.get_by_role("alert")).to_contain_text("There is a key 'twice' already")
    assert len(listed(page)) == 1
