"""A new chat suggests what the model that answers can do, in a language that it speaks."""

from __future__ import annotations

from playwright.sync_api import Page, Route, expect

from tests.browser.test_chat import composer

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
    page.get_by_role("button", name="Make a plan").click()
    expect(composer(page)).to_have_value("Plan three days in Vienna by train and on foot, with one museum a day.")
