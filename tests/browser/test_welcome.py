"""A new chat suggests what the model that answers can do, in a language that it speaks."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served
from tests.browser.test_chat import composer, send

SPEAKS = "may misunderstand other languages."


def answers_with(page: Page, **known: object) -> None:
    """A server whose model is said to be this."""

    def tell(route: Route) -> None:
        found = route.fetch().json()
        route.fulfill(json={**found, "models": [{**found["models"][0], **known}]})

    page.route("**/api/models", tell)
    page.reload()


def test_a_model_of_english_alone_is_asked_simple_things(page: Page) -> None:
    suggestion = page.get_by_role("button", name="Explain something")
    expect(page.get_by_role("button", name="Make a plan")).to_have_count(0)
    expect(page.get_by_text(SPEAKS)).to_have_count(0)
    suggestion.click()
    expect(composer(page)).to_have_value("Explain in simple words why the sky is blue.")
    expect(composer(page)).to_be_focused()


def test_another_model_is_asked_for_more_and_is_not_asked_what_it_cannot_read(page: Page) -> None:
    answers_with(page, languages=[])
    for name in ("Compare two options", "Make a plan", "Translate"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    expect(page.get_by_text(SPEAKS)).to_have_count(0)
    answers_with(page, languages=["fr", "pt-BR"], name="Lumière")
    expect(page.get_by_text(f"Lumière speaks French and Brazilian Portuguese. It {SPEAKS}")).to_be_visible()
    expect(page.get_by_role("button", name="Make a plan")).to_have_count(0)
    expect(card(page)).to_contain_text("Works at once: Lumière, French, Brazilian Portuguese")


def card(page: Page) -> Locator:
    return page.get_by_role("region", name="Suggested for this machine")


def test_models_for_this_machine_are_suggested_beside_a_small_one_until_dismissed(page: Page) -> None:
    expect(page.get_by_role("button", name="Explain something")).to_be_visible()
    expect(card(page)).to_have_count(0)
    answers_with(page, tier="tiny", languages=["en"], name="Mite")
    expect(card(page)).to_contain_text("Works at once: Mite, small, English")
    offers = card(page).get_by_role("listitem")
    expect(offers.last).to_contain_text(re.compile(r"Best here.* GB · .*words/s \(estimated\) · English"))
    expect(offers.last.get_by_role("button", name=re.compile("^Get "))).to_be_visible()
    card(page).get_by_role("button", name="Dismiss").click()
    expect(card(page)).to_have_count(0)
    expect(composer(page)).to_be_focused()
    page.reload()
    expect(page.get_by_role("button", name="Explain something")).to_be_visible()
    expect(card(page)).to_have_count(0)
    page.goto("/settings#models")
    expect(page.get_by_role("list", name="Suggested for this machine").get_by_role("listitem").last).to_contain_text(
        "Best here"
    )


def test_a_page_in_another_language_offers_a_model_that_speaks_it(opening: Opening, shared: Served) -> None:
    page = opening(shared, locale="de-DE").new_page()
    page.goto("/")
    answers_with(page, tier="tiny", languages=["en"], name="Mite")
    offers = page.get_by_role("region", name="Vorschläge für diesen Rechner").get_by_role("listitem")
    expect(offers.last).to_contain_text("Deutsch")
    expect(page.get_by_role("button", name="Explain")).to_have_count(0)
    expect(page.get_by_role("button", name="Etwas erklären")).to_have_count(0)


def test_without_a_model_the_page_says_so_and_keeps_what_is_written(
    opening: Opening, starting: Starting, watches: list[Watch]
) -> None:
    page = opening(starting(ECLAIR_SCRIPTED="false")).new_page()
    page.goto("/")
    expect(card(page)).to_contain_text("No model is installed yet")
    expect(page.get_by_role("button", name="Explain something")).to_have_count(0)
    composer(page).fill("Why is the sky blue?")
    composer(page).press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("No model is installed yet")
    expect(composer(page)).to_have_value("Why is the sky blue?")
    page.reload()
    expect(composer(page)).to_have_value("Why is the sky blue?")
    card(page).get_by_role("button", name="Add a server").click()
    expect(page.get_by_role("heading", name="Servers")).to_be_focused()


def test_a_request_for_a_picture_is_offered_as_one(opening: Opening, starting: Starting) -> None:
    page = opening(starting()).new_page()
    page.goto("/")
    kept = page.request.get("/api/preferences").json()
    assert page.request.put("/api/preferences", data={**kept, "draws": False}).ok, "no model draws by itself"
    send(page, "Draw a picture of a cat and a tree")
    answer = page.get_by_role("article", name="Éclair")
    expect(answer).to_contain_text("Éclair can make an image from your words")
    answer.get_by_role("button", name="Make this image").click()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("Draw a picture of a cat and a tree")
    expect(page.get_by_role("group", name="Image options")).to_be_visible()
    expect(composer(page)).to_be_focused()
