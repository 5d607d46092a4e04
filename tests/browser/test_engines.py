"""Servers are added, tested, mended and removed in the settings; where each is stands beside its models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import check
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served
from tests.browser.test_chat import choose_model, composer, finished, model_button, send
from tests.cli.test_engines import in_a_thread, rack
from tests.llm.anthropic_standin import KEY as ANTHROPIC_KEY
from tests.llm.anthropic_standin import SpeakingAnthropic
from tests.llm.servers import Speaking

__all__ = ["rack"]

KEY = "sk-quite-secret"


@pytest.fixture
def page(opening: Opening, mortal: Served) -> Page:
    page = opening(mortal).new_page()
    page.goto("/settings/servers")
    expect(page.get_by_role("heading", name="Servers", exact=True)).to_be_focused()
    return page


@pytest.fixture
def served_with(tmp_path: Path) -> Iterator[Served]:
    """A server whose settings hold an engine that is down, and who answers in its place."""
    engines = {"house": {"url": "http://127.0.0.1:9/v1", "models": ["down"]}}
    rules = {"down": ["scripted"]}
    served = Served(tmp_path, ECLAIR_ENGINES=json.dumps(engines), ECLAIR_FALLBACKS=json.dumps(rules))
    served.start()
    yield served
    served.close()


def section(page: Page) -> Locator:
    return page.get_by_role("region", name="Servers", exact=True)


def card(page: Page, name: str = "rack") -> Locator:
    return page.get_by_role("article", name=name)


def fill(page: Page, **fields: str) -> Locator:
    form = page.get_by_role("form")
    for name, text in fields.items():
        form.get_by_label(name, exact=True).fill(text)
    return form


def test_further_addresses_stand_in_the_form_and_on_the_card(page: Page, rack: Speaking, watches: list[Watch]) -> None:
    watches[0].forgive("400")
    section(page).get_by_role("button", name="Add a server").click()
    form = fill(page, Name="rack", Address=rack.url)
    form.get_by_label("Further addresses").fill("http://127.0.0.1:9/v1 2,5\n\nnowhere")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("nowhere")
    form.get_by_label("Further addresses").fill("http://127.0.0.1:9/v1 2,5\n")
    form.get_by_role("button", name="Save").click()
    expect(card(page).get_by_role("listitem").filter(has_text="http://127.0.0.1:9/v1 × 2.5")).to_be_visible()
    card(page).get_by_role("button", name="Edit “rack”").click()
    expect(form.get_by_label("Further addresses")).to_have_value("http://127.0.0.1:9/v1 2.5")


def test_where_the_settings_name_the_servers_nobody_adds_one(starting: Starting, opening: Opening) -> None:
    engines = {"house": {"url": "http://127.0.0.1:9/v1", "models": ["down"]}}
    page = opening(starting(ECLAIR_ENGINES=json.dumps(engines), ECLAIR_ENGINES_FROM="file")).new_page()
    page.goto("/settings/servers")
    expect(section(page).get_by_text("named in this Éclair’s settings file")).to_be_visible()
    expect(card(page, "house")).to_be_visible()
    expect(page.get_by_role("button", name="Add a server")).to_have_count(0)


def test_a_server_is_added_tested_asked_and_removed(page: Page, rack: Speaking) -> None:
    rack.key = KEY
    expect(section(page).get_by_text("No servers yet.")).to_be_visible()
    add = section(page).get_by_role("button", name="Add a server")
    add.click()
    form = page.get_by_role("form", name="Add a server")
    expect(form.get_by_role("combobox", name="Start from")).to_be_focused()
    form.get_by_role("combobox", name="Country").select_option("Portugal")
    form.get_by_role("combobox", name="Country").select_option("Detect automatically")
    form.get_by_role("combobox", name="Start from").select_option("vLLM · this machine")
    expect(form.get_by_label("Address", exact=True)).to_have_value("http://127.0.0.1:8000/v1")
    expect(form.get_by_label("Name")).to_have_value("vllm")
    form.get_by_role("combobox", name="Start from").select_option("Mistral · France")
    expect(form.get_by_label("Address", exact=True)).to_have_value("https://api.mistral.ai/v1")
    fill(page, Name="rack", Address=rack.url, Key=KEY)
    form.get_by_role("button", name="Save").click()
    expect(add).to_be_focused()
    shown = card(page)
    expect(shown.get_by_text("Ready")).to_be_visible()
    expect(shown.get_by_text("Key set")).to_be_visible()
    expect(shown.get_by_role("listitem").filter(has_text="Sees images: yes")).to_be_visible()
    expect(shown.get_by_role("listitem")).to_have_count(10)
    expect(shown.get_by_role("status")).to_contain_text("Tested on")
    assert KEY not in page.content()
    page.get_by_role("button", name="Back to the conversation").click()
    choose_model(page, "muse")
    send(page, "Hello?")
    finished(page)
    expect(page.get_by_role("article", name="Éclair")).to_contain_text("OK")
    page.goto("/settings/servers")
    shown.get_by_role("button", name="Delete “rack”").click()
    question = shown.get_by_role("group", name="Delete the server “rack”?")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(shown.get_by_role("button", name="Delete “rack”")).to_be_focused()
    page.keyboard.press("Enter")
    question.get_by_role("button", name="Delete", exact=True).click()
    expect(shown).to_have_count(0)
    expect(add).to_be_focused()


@pytest.fixture
def claude() -> Iterator[SpeakingAnthropic]:
    with in_a_thread(lambda standin: SpeakingAnthropic(standin, says=[])) as claude:
        yield claude


def test_providers_with_an_api_of_their_own_are_offered_and_one_answers(page: Page, claude: SpeakingAnthropic) -> None:
    section(page).get_by_role("button", name="Add a server").click()
    form = page.get_by_role("form", name="Add a server")
    start = form.get_by_role("combobox", name="Start from")
    for offered, address in (
        ("Mistral · France", "https://api.mistral.ai/v1"),
        ("Google · United States", "https://generativelanguage.googleapis.com/v1beta"),
        ("Anthropic · United States", "https://api.anthropic.com/v1"),
    ):
        start.select_option(offered)
        expect(form.get_by_label("Address", exact=True)).to_have_value(address)
    api = form.get_by_role("combobox", name="API of the server")
    expect(api).to_have_value("")
    fill(page, Name="claude", Address=claude.url, Key=ANTHROPIC_KEY)
    api.select_option("Anthropic")
    form.get_by_role("button", name="Save").click()
    shown = card(page, "claude")
    expect(shown.get_by_text("Ready")).to_be_visible()
    expect(shown.get_by_role("listitem").filter(has_text="Calls tools: yes")).to_be_visible()
    expect(shown.get_by_role("status")).to_contain_text("Tested on")
    page.get_by_role("button", name="Edit “claude”").click()
    expect(page.get_by_role("form").get_by_role("combobox", name="API of the server")).to_have_value("anthropic")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Back to the conversation").click()
    choose_model(page, "Claude Muse")
    send(page, "Hello?")
    finished(page)
    expect(page.get_by_role("article", name="Éclair")).to_contain_text("OK")


def test_what_is_wrong_is_said_in_the_form(page: Page, watches: list[Watch]) -> None:
    watches[0].forgive("400", "409")
    section(page).get_by_role("button", name="Add a server").click()
    form = fill(page, Name="a b", Address="http://127.0.0.1:9/v1")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("A server's name")
    fill(page, Name="scripted").get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("taken by a server")
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    expect(section(page).get_by_role("button", name="Add a server")).to_be_focused()


def test_a_wrong_address_is_mended_with_one_press(page: Page, rack: Speaking) -> None:
    section(page).get_by_role("button", name="Add a server").click()
    fill(page, Name="rack", Address=rack.standin.url).get_by_role("button", name="Save").click()
    shown = card(page)
    expect(shown.get_by_text("Not available")).to_be_visible()
    use = shown.get_by_role("button", name=f"Use {rack.url}")
    expect(shown).to_contain_text("There is no such API at this address")
    use.click()
    expect(shown.get_by_text("Ready")).to_be_visible()
    expect(shown.get_by_role("listitem").filter(has_text="Calls tools: yes")).to_be_visible()
    expect(use).to_have_count(0)


def test_an_engine_is_changed_and_keeps_its_key(page: Page, rack: Speaking) -> None:
    body = {"name": "rack", "url": rack.url, "key": KEY, "models": ["extra"]}
    page.request.post("/api/engines", data=body)
    page.reload()
    card(page).get_by_role("button", name="Edit “rack”").click()
    form = page.get_by_role("form", name="Edit “rack”")
    expect(form.get_by_label("Address", exact=True)).to_be_focused()
    expect(form.get_by_label("Models it doesn’t list")).to_have_value("extra")
    expect(form.get_by_label("Key")).to_have_value("")
    form.get_by_label("Models it doesn’t list").fill("")
    form.get_by_role("button", name="Save").click()
    expect(card(page).get_by_text("Key set")).to_be_visible()
    (kept,) = page.request.get("/api/engines").json()["engines"]
    assert (kept["models"], kept["keyed"]) == ([], True)


def test_a_refused_key_is_told_in_the_language_of_the_page_and_leads_to_where_it_is_changed(
    opening: Opening, mortal: Served, rack: Speaking
) -> None:
    rack.key = KEY
    page = opening(mortal, locale="de-DE").new_page()
    body = {"name": "rack", "url": rack.url, "key": "sk-outdated", "models": ["extra"]}
    assert page.request.post("/api/engines", data=body).ok
    id = page.request.post("/api/conversations", data={}).json()["id"]
    page.request.post(f"/api/conversations/{id}/turns", data={"text": "Hello", "model": "extra"})
    page.goto(f"/c/{id}")
    answer = page.get_by_role("article", name="Éclair")
    expect(answer.get_by_text("Der Server nimmt den Schlüssel nicht an")).to_be_visible()
    expect(answer.get_by_text("eclair engines change")).to_be_hidden()
    answer.get_by_role("button", name="Schlüssel ändern").click()
    expect(page.get_by_role("heading", name="Server", exact=True)).to_be_focused()


def test_where_a_model_answers_stands_beside_it(page: Page) -> None:
    body = {"name": "far", "url": "http://127.0.0.1.nip.invalid/v1", "models": ["distant"], "country": "FR"}
    assert page.request.post("/api/engines", data=body).status == 201
    page.goto("/")
    model_button(page).click()
    expect(page.get_by_role("dialog").get_by_role("button", name=re.compile("^distant.*France"))).to_be_visible()
    page.keyboard.press("Escape")
    composer(page).fill("@dist")
    expect(page.get_by_role("option", name=re.compile("distant.*France")).first).to_be_visible()
    page.goto("/settings/about")
    about = page.get_by_role("region", name="About")
    expect(about.get_by_role("row", name=re.compile("distant"))).to_contain_text("far (France)")
    expect(about.get_by_role("listitem").filter(has_text="“far”")).to_contain_text("127.0.0.1.nip.invalid (France)")


def test_an_engine_of_the_settings_file_is_only_shown(served_with: Served, opening: Opening) -> None:
    page = opening(served_with).new_page()
    page.goto("/settings/servers")
    shown = card(page, "house")
    expect(shown).to_contain_text("Set in the settings file")
    expect(shown).to_contain_text("Not available")
    expect(shown).to_contain_text("Connection refused")
    expect(shown.get_by_role("button", name="Test “house”")).to_be_visible()
    expect(shown.get_by_role("button", name="Edit “house”")).to_have_count(0)
    expect(shown.get_by_role("button", name="Delete “house”")).to_have_count(0)


def test_another_model_answers_and_the_page_says_so(served_with: Served, opening: Opening) -> None:
    page = opening(served_with).new_page()
    page.goto("/")
    choose_model(page, "down")
    send(page, "script: say=fine")
    finished(page)
    answer = page.get_by_role("article", name="Éclair")
    expect(answer).to_contain_text("down did not answer")
    expect(answer).to_contain_text("answered in its place, by the engine scripted (on this machine).")
    expect(answer).to_contain_text("fine")
    page.reload()
    expect(answer).to_contain_text("down did not answer")


@pytest.mark.parametrize("width", [1200, 320])
def test_everyone_can_use_it(look: Callable[..., Page], rack: Speaking, width: int) -> None:
    rack.abilities.remove("tools")
    page = look(width)
    page.request.post("/api/engines", data={"name": "rack", "url": rack.url})
    page.request.post("/api/engines/rack/probe")
    try:
        page.goto("/settings/servers")
        expect(card(page).get_by_role("listitem").filter(has_text="Calls tools: no")).to_be_visible()
        check(page)
        card(page).get_by_role("button", name="Delete “rack”").click()
        check(page)
        card(page).get_by_role("button", name="Cancel").click()
        card(page).get_by_role("button", name="Edit “rack”").click()
        expect(page.get_by_role("form").get_by_label("Address", exact=True)).to_be_focused()
        check(page)
    finally:
        page.request.delete("/api/engines/rack")
