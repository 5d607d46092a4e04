"""Models are looked through, fetched, stopped, resumed and removed in the page; the hub is a stand-in on loopback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from eclair.llm.local import profile
from eclair.llm.local.profile import FileStamp, Speed, Tuning, TuningChoice
from eclair.models.catalog import RECOMMENDED_MODEL
from tests.browser.axe import SIDEWAYS
from tests.browser.conftest import Opening, Watch
from tests.browser.hub import Market, opened
from tests.browser.test_chat import choose_model, composer, model_button, send
from tests.models.test_huggingface import REPO

Q4 = "tiny-Q4_K_M.gguf"


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    with opened(tmp_path) as market:
        yield market


@pytest.fixture
def models(market: Market, opening: Opening, watches: list[Watch]) -> Page:
    """The settings at their models."""
    page = opening(market.served).new_page()
    watches[-1].forgive("409", "403", "400", "503", "404")
    page.goto("/settings/models")
    return page


def section(page: Page) -> Locator:
    return page.get_by_role("region", name="Models", exact=True)


def offer(page: Page, name: str) -> Locator:
    return section(page).get_by_role("article", name=name, exact=True)


def found(page: Page, words: str) -> None:
    section(page).get_by_role("searchbox", name="Search models").fill(words)


def get(page: Page, name: str = "Tiny") -> None:
    """Begin to fetch a model of the catalog, having accepted its license."""
    found(page, name)
    offer(page, name).get_by_role("button", name=f"Get {name}").click()
    dialog = page.get_by_role("dialog", name="License of this model")
    dialog.get_by_role("button", name="Accept and download").click()
    expect(dialog).to_have_count(0)


def coming(page: Page) -> Locator:
    return section(page).get_by_role("list", name="Downloading").get_by_role("listitem")


def test_a_model_is_fetched_shown_everywhere_and_asked(models: Page, market: Market, opening: Opening) -> None:
    market.hold()
    other = opening(market.served).new_page()
    other.goto("/")
    found(models, "tiny")
    expect(offer(models, "Tiny")).to_contain_text("Research only.")
    offer(models, "Tiny").get_by_role("button", name="Get Tiny").click()
    dialog = models.get_by_role("dialog", name="License of this model")
    expect(dialog).to_contain_text("Tiny is under Own. Research only.")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    get(models)
    expect(coming(models).get_by_role("progressbar", name="Tiny")).to_be_visible()
    expect(coming(models)).to_contain_text("of 3 MB")
    sign = other.get_by_role("link", name="Downloading: Tiny")
    expect(sign).to_contain_text("33%")
    market.go_on()
    for page in (models, other):
        expect(page.get_by_text("Tiny is ready to use.").first).to_be_visible()
    expect(sign).to_have_count(0)
    expect(section(models).get_by_role("list", name="On this machine")).to_contain_text("Tiny")
    choose_model(other, "Tiny")
    coming(models).get_by_role("button", name="Answer with Tiny").click()
    coming(models).get_by_role("button", name="Dismiss Tiny").click()
    expect(coming(models)).to_have_count(0)


def test_a_better_model_is_offered_shown_on_its_way_and_takes_over(
    tmp_path: Path, model_file: Path, browser: object, opening: Opening, watches: list[Watch]
) -> None:
    folder = tmp_path / "data" / "models"
    folder.mkdir(parents=True)
    (folder / model_file.name).symlink_to(model_file)
    row = f"""
[[model]]
id = "{RECOMMENDED_MODEL}"
name = "Better"
part = []
[[model.file]]
repo = "{REPO}"
file = "better-Q4_1.gguf"
quant = "Q4_1"
size = {model_file.stat().st_size}
"""
    with opened(tmp_path, row, ECLAIR_SCRIPTED="false") as market:
        market.shop.files["better-Q4_1.gguf"] = model_file.read_bytes()
        market.shop.lay_out()
        market.hold()
        page = opening(market.served).new_page()
        page.goto("/")
        card = page.get_by_role("region", name="Suggested for this machine")
        expect(card).to_contain_text("Works at once: SmolLM2 135M Instruct, small, English")
        better = card.get_by_role("listitem").filter(has_text="Better")
        expect(better).to_contain_text(
            re.compile(r"98 MB · .*needs about .* · about .* words/s \(estimated\) · English")
        )
        better.get_by_role("button", name="Get Better").click()
        expect(better).to_contain_text("33%")
        better.get_by_role("button", name="Stop Better").click()
        better.get_by_role("button", name="Continue Better").click()
        expect(better.get_by_role("progressbar")).to_be_visible()
        market.go_on()
        expect(page.get_by_text("Better answers from now on.")).to_be_visible(timeout=60_000)
        expect(card).to_have_count(0)
        page.close()


def test_a_pull_is_stopped_survives_its_page_and_goes_on(models: Page, market: Market, opening: Opening) -> None:
    market.hold()
    get(models)
    expect(coming(models)).to_contain_text("1 MB of 3 MB")
    models.close()
    page = opening(market.served).new_page()
    page.goto("/settings/models")
    expect(coming(page)).to_contain_text("1 MB of 3 MB")
    coming(page).get_by_role("button", name="Stop Tiny").click()
    expect(coming(page)).to_contain_text("Stopped. What was downloaded is kept.")
    found(page, "tiny")
    expect(offer(page, "Tiny")).to_contain_text("Already downloaded: 1 MB.")
    market.go_on()
    coming(page).get_by_role("button", name="Continue Tiny").click()
    expect(coming(page)).to_contain_text("Tiny is ready to use.")
    ranges = [asked for asked in market.shop.asked if asked is not None]
    assert ranges == [f"bytes={len(market.shop.files[Q4]) // 3}-"]


def test_what_breaks_off_for_good_says_so_and_goes_on(models: Page, market: Market) -> None:
    market.shop.served = {Q4: market.shop.files[Q4][:-1] + b"!"}
    get(models)
    expect(coming(models)).to_contain_text(re.compile(r"Tiny couldn’t be downloaded\. .*its hash differs"))
    market.shop.served = {}
    coming(models).get_by_role("button", name="Continue Tiny").click()
    expect(coming(models)).to_contain_text("Tiny is ready to use.")


def test_what_the_hub_keeps_for_some_says_how_to_get_it(models: Page, market: Market) -> None:
    market.shop.gated = True
    name = section(models).get_by_role("textbox", name="A model that isn’t listed")
    name.fill("hf:maker/tiny-GGUF")
    name.press("Enter")
    expect(section(models).get_by_role("alert")).to_contain_text("pull again with HF_TOKEN set to it")
    name.fill("hf:maker")
    name.press("Enter")
    expect(section(models).get_by_role("alert")).to_contain_text("write hf:OWNER/REPOSITORY")


def test_another_quantisation_is_chosen(models: Page, market: Market) -> None:
    found(models, "tiny")
    offer(models, "Tiny").get_by_text("More").click()
    offer(models, "Tiny").get_by_role("combobox", name="Precision").select_option("Q8_0")
    get(models)
    expect(coming(models)).to_contain_text("Tiny is ready to use.")
    assert [call.path for call in market.shop.store.calls][-1] == "/blobs/tiny-Q8_0.gguf"


def test_a_model_that_was_measured_tells_how_fast_others_would_be(models: Page, market: Market, tmp_path: Path) -> None:
    found(models, "ministral-3-3b")
    expect(offer(models, "Ministral 3 3B")).not_to_contain_text("tokens/s")
    get(models)
    expect(coming(models)).to_contain_text("Tiny is ready to use.")
    source = FileStamp.read(tmp_path / "data" / "models" / Q4)
    speed = Speed(500, 47.3, 40)
    found_out = Tuning(profile.machine_id(), source, "2026-11-25", TuningChoice(), 1e10, 90_000_000, speed, speed)
    profile.save_tuning(tmp_path / "data", "tiny", found_out)
    models.reload()
    expect(section(models).get_by_role("list", name="On this machine")).to_contain_text("about 47 tokens/s")
    found(models, "ministral-3-3b")
    expect(offer(models, "Ministral 3 3B")).to_contain_text(re.compile(r"about [\d.]+ tokens/s"))


def test_a_model_is_removed_after_a_question(models: Page, market: Market) -> None:
    get(models)
    here = section(models).get_by_role("list", name="On this machine")
    remove = here.get_by_role("button", name="Delete “Tiny”")
    remove.click()
    question = here.get_by_role("group", name="Delete Tiny? This frees 3 MB. It can be downloaded again.")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    models.keyboard.press("Escape")
    expect(remove).to_be_focused()
    remove.click()
    question.get_by_role("button", name="Delete", exact=True).click()
    expect(section(models).get_by_text("Tiny deleted. Space freed: 3 MB.")).to_be_visible()
    expect(here).not_to_contain_text("Tiny")
    expect(section(models).get_by_role("heading", name="On this machine")).to_be_focused()


def test_the_catalog_is_filtered_and_says_what_does_not_fit(models: Page) -> None:
    articles = section(models).get_by_role("article")
    expect(articles).to_have_count(8)
    section(models).get_by_role("button", name=re.compile("Show all")).click()
    expect(articles.nth(60)).to_be_attached()
    found(models, "huge maker")
    expect(articles).to_have_count(1)
    expect(offer(models, "Huge")).to_contain_text("Too large: it needs about")
    expect(offer(models, "Huge").get_by_role("button")).to_have_count(0)
    section(models).get_by_role("checkbox", name="Fits this machine").check()
    expect(articles).to_have_count(0)
    found(models, "")
    section(models).get_by_role("combobox", name="Abilities").select_option("Tools")
    section(models).get_by_role("combobox", name="Language").select_option("German")
    expect(offer(models, "Tiny")).to_be_visible()
    section(models).get_by_role("combobox", name="Language").select_option("Maltese")
    expect(offer(models, "Tiny")).to_have_count(0)


def test_on_a_phone_nothing_is_wider_than_the_page(market: Market, opening: Opening, watches: list[Watch]) -> None:
    page = opening(market.served, viewport={"width": 320, "height": 640}).new_page()
    watches[-1].forgive("409")
    page.goto("/settings/models")
    get(page)
    found(page, "")
    section(page).get_by_role("button", name=re.compile("Show all")).click()
    for more in section(page).get_by_role("article").get_by_text("More").all()[:12]:
        more.click()
    assert page.evaluate(SIDEWAYS) == []


def test_the_model_picker_leads_to_more(market: Market, opening: Opening) -> None:
    page = opening(market.served).new_page()
    page.goto("/")
    model_button(page).click()
    page.get_by_role("dialog", name="Choose a model").get_by_role("button", name="More models…").click()
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_focused()
    page.get_by_role("button", name="Back to the conversation").click()
    expect(composer(page)).to_be_visible()


def test_a_question_in_a_language_that_is_not_listed_is_helped(
    market: Market, opening: Opening, watches: list[Watch]
) -> None:
    page = opening(market.served).new_page()
    watches[-1].forgive("409")
    page.goto("/")
    choose_model(page, "SmolLM2 135M Instruct")
    send(page, "Warum ist der Himmel blau?")
    answer = page.get_by_role("article", name="Éclair")
    expect(answer).to_contain_text("SmolLM2 135M Instruct doesn’t officially support German")
    offer = answer.get_by_role("button", name=re.compile("^Get "))
    expect(offer).to_be_visible()
    page.request.post("/api/models/pulls", data={"name": "tiny", "accept_license": True})
    use = answer.get_by_role("button", name="Answer with Tiny")
    expect(use).to_be_visible()
    expect(offer).to_have_count(0)
    use.click()
    expect(model_button(page)).to_have_text("Tiny")


def test_a_model_that_is_missing_leads_to_where_it_can_be_had(market: Market, opening: Opening) -> None:
    page = opening(market.served, locale="de-DE").new_page()
    page.goto("/")
    choose_model(page, "SmolLM2 135M Instruct")
    page.get_by_role("textbox", name="Nachricht").fill("Wer bist du?")
    page.keyboard.press("Enter")
    answer = page.get_by_role("article", name="Éclair")
    expect(answer).to_contain_text("Das Modell ist nicht oder nicht vollständig auf diesem Rechner.")
    technical = answer.get_by_text("`eclair pull smollm2-135m-instruct` fetches it")
    expect(technical).to_be_hidden()
    answer.get_by_text("Details", exact=True).click()
    expect(technical).to_be_visible()
    answer.get_by_role("button", name="Modelle").click()
    expect(page.get_by_role("heading", name="Modelle", exact=True)).to_be_focused()
