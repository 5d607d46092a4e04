"""Pictures in the page: how they are asked for, seen in the making, shown as what they are, and looked through."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Watch
from tests.browser.served import Served
from tests.browser.test_chat import answer, composer
from tests.browser.test_web import asked
from tests.browser.test_writing import attach, press
from tests.documents.files import encoded, picture_of_text

SLOW = "script: pause=0.4"
ENDLESS = "script: pause=300"
PATIENCE = 60_000
"""Milliseconds for a picture, whose mark takes its time on a machine that is busy."""
PHOTO: dict[str, Any] = {
    "name": "garden.png",
    "mimeType": "image/png",
    "buffer": encoded(picture_of_text(["A garden"]), "PNG"),
}
DRAWINGS: dict[str, Any] = {
    "id": "eclair-drawing",
    "name": "Built-in drawings",
    "maker": "Éclair",
    "country": None,
    "generator": "drawing",
    "license": "MIT",
    "license_url": None,
    "restricted": False,
    "width": 512,
    "height": 512,
    "least": 64,
    "most": 1024,
    "multiple": 8,
    "steps": None,
    "guidance": None,
    "edits": False,
    "masks": False,
    "negative": False,
    "previews": False,
    "jurisdiction": None,
    "drawn": True,
    "languages": [],
    "state": "ready",
    "why": None,
    "default": True,
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("pictures"))
    served.start()
    yield served
    served.close()


@pytest.fixture
def desk(opening: Opening, studio: Served, watches: list[Watch]) -> Page:
    page = opening(studio).new_page()
    watches[0].forgive("404")  # a look at a picture that is made by now
    page.goto("/")
    return page


def switch(page: Page) -> Locator:
    return page.get_by_role("button", name="Image", exact=True)


def options(page: Page) -> Locator:
    return page.get_by_role("group", name="Image options")


def pictures(page: Page) -> Locator:
    return answer(page).get_by_role("img")


def draw(page: Page, text: str) -> None:
    """Have it drawn, and wait for nothing."""
    expect(switch(page)).to_be_enabled()
    if switch(page).get_attribute("aria-pressed") != "true":
        switch(page).click()
    composer(page).fill(text)
    composer(page).press("Enter")


def drawn(page: Page, count: int = 1) -> None:
    """Wait until that many pictures stand in the last answer, which is complete."""
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_hidden(timeout=PATIENCE)
    expect(answer(page).get_by_role("button", name="Draw again")).to_be_visible(timeout=PATIENCE)
    expect(pictures(page)).to_have_count(count, timeout=PATIENCE)


def tiles(page: Page) -> Locator:
    return page.get_by_role("list", name="Images").get_by_role("button")


def test_a_picture_is_asked_for_seen_in_the_making_and_shown_as_what_it_is(desk: Page) -> None:
    switch(desk).click()
    field = composer(desk)
    expect(field).to_have_attribute("placeholder", "Describe the image")
    expect(desk.get_by_role("button", name="Draw", exact=True)).to_be_disabled()
    field.fill(f"a lighthouse\n{SLOW}")
    desk.get_by_role("button", name="Draw", exact=True).click()
    expect(answer(desk).get_by_role("progressbar")).to_be_visible()
    expect(answer(desk).get_by_text(re.compile(r"Step \d of 4"))).to_be_visible()
    expect(desk.get_by_role("log").get_by_text(re.compile(r"Step \d of 4"))).to_be_attached()
    drawn(desk)
    expect(pictures(desk)).to_have_attribute("alt", re.compile("^Made with AI: a lighthouse"))
    expect(answer(desk).get_by_text("Made with AI", exact=True)).to_be_visible()
    expect(answer(desk)).to_contain_text(re.compile(r"Scripted picture · seed \d+"))
    expect(desk.get_by_role("log")).to_contain_text("1 image is ready.")
    expect(switch(desk)).to_have_attribute("aria-pressed", "false")
    desk.reload()
    drawn(desk)


def test_it_is_enlarged_by_keys_and_the_focus_comes_back(desk: Page) -> None:
    draw(desk, "a boat")
    drawn(desk)
    larger = answer(desk).get_by_role("button", name="Enlarge “Made with AI: a boat”")
    larger.press("Enter")
    expect(desk.get_by_role("dialog", name="Made with AI: a boat")).to_be_visible()
    desk.keyboard.press("Escape")
    expect(larger).to_be_focused()


def test_the_command_draws_what_follows_it(desk: Page) -> None:
    turns = asked(desk)
    expect(switch(desk)).to_be_enabled()
    composer(desk).fill("/draw a blue apple")
    composer(desk).press("Enter")
    drawn(desk)
    assert turns[-1]["text"] == "a blue apple"
    assert "draw" in turns[-1]
    assert not turns[-1].keys() & {"model", "mode", "web"}
    composer(desk).fill("/dra")
    desk.keyboard.press("Enter")
    expect(options(desk)).to_be_visible()
    expect(composer(desk)).to_have_value("")


def test_how_it_is_drawn_is_chosen_kept_with_the_draft_and_sent(desk: Page) -> None:
    turns = asked(desk)
    switch(desk).click()
    options(desk).get_by_title("Landscape").click()
    options(desk).get_by_role("combobox", name="Number of images").select_option("2")
    options(desk).get_by_role("combobox", name="Style").select_option("watercolour")
    options(desk).get_by_role("button", name="More").click()
    for name, text in (("Seed", "7"), ("Steps", "3"), ("Guidance", "2,5"), ("Leave out", "people")):
        options(desk).get_by_role("textbox", name=name).fill(text)
        desk.keyboard.press("Tab")
    composer(desk).fill("hills")
    desk.reload()
    expect(composer(desk)).to_have_value("hills")
    expect(options(desk).get_by_role("radio", name="Landscape")).to_be_checked()
    expect(options(desk).get_by_role("combobox", name="Number of images")).to_have_value("2")
    composer(desk).press("Enter")
    drawn(desk, 2)
    wanted = turns[-1]["draw"]
    assert {name: wanted[name] for name in ("count", "seed", "steps", "guidance", "style", "negative")} == {
        "count": 2,
        "seed": 7,
        "steps": 3,
        "guidance": 2.5,
        "style": "watercolour",
        "negative": "people",
    }
    assert wanted["width"] > wanted["height"]
    expect(answer(desk).get_by_text("seed 7", exact=False)).to_be_visible()
    expect(answer(desk).get_by_text("seed 8", exact=False)).to_be_visible()
    draw(desk, "more hills")
    drawn(desk)
    again = turns[-1]["draw"]
    assert (again["width"], again["style"]) == (wanted["width"], "watercolour")
    assert "seed" not in again


def test_a_number_that_the_model_does_not_take_becomes_one_that_it_does(desk: Page) -> None:
    switch(desk).click()
    options(desk).get_by_role("button", name="More").click()
    width = options(desk).get_by_role("textbox", name="Width")
    width.fill("99999")
    desk.keyboard.press("Tab")
    expect(width).to_have_value("1024")
    width.fill("301")
    desk.keyboard.press("Tab")
    expect(width).to_have_value("304")
    width.fill("wide")
    desk.keyboard.press("Tab")
    expect(width).to_have_value("")


def test_a_picture_is_edited_varied_and_made_larger(desk: Page) -> None:
    turns = asked(desk)
    draw(desk, "an apple")
    drawn(desk)
    desk.get_by_role("button", name="Edit", exact=True).click()
    expect(composer(desk)).to_be_focused()
    expect(composer(desk)).to_have_attribute("placeholder", "Say what to change")
    expect(options(desk).get_by_text("Edited: an apple")).to_be_visible()
    expect(options(desk).get_by_role("radio", name="As it is")).to_be_checked()
    composer(desk).fill("make it green")
    composer(desk).press("Enter")
    drawn(desk)
    first = turns[-1]["draw"]["sources"]
    assert len(first) == 1
    assert first[0].startswith("pic_")
    expect(desk.get_by_role("article", name="You").last.get_by_text("Edited: an apple")).to_be_visible()
    answer(desk).get_by_role("button", name="Vary").click()
    expect(desk.get_by_role("article", name="Éclair")).to_have_count(3)
    drawn(desk)
    assert turns[-1]["text"] == "make it green"
    assert turns[-1]["draw"]["sources"] != first
    assert turns[-1]["draw"]["strength"] == 0.6
    answer(desk).get_by_role("button", name="Make larger").click()
    expect(desk.get_by_role("article", name="Éclair")).to_have_count(4)
    drawn(desk)
    assert (turns[-1]["draw"]["width"], turns[-1]["draw"]["height"]) == (1024, 1024)
    expect(answer(desk).get_by_role("button", name="Make larger")).to_have_count(0)


@pytest.mark.parametrize("width", [1200, 390])
def test_a_part_alone_is_changed_chosen_by_mouse_or_by_keys(
    opening: Opening, studio: Served, watches: list[Watch], width: int, tmp_path: Path
) -> None:
    context = opening(studio, viewport={"width": width, "height": 850}, color_scheme="dark" if width < 500 else "light")
    context.add_init_script(path=AXE)
    desk = context.new_page()
    watches[-1].forgive("404")
    desk.goto("/")
    turns = asked(desk)
    if width < 500:
        desk.get_by_role("button", name="Files and tools").click()
        desk.get_by_role("dialog").get_by_role("button", name="Make an image").click()
    else:
        switch(desk).click()
    composer(desk).fill("an apple")
    composer(desk).press("Enter")
    drawn(desk)
    answer(desk).get_by_role("button", name="Edit", exact=True).click()
    press(desk, "Change only a part")
    canvas = desk.get_by_role("application", name="The image to paint over")
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"], box["y"] + box["height"] / 2
    desk.mouse.move(x + box["width"] * 0.2, y)
    desk.mouse.down()
    desk.mouse.move(x + box["width"] * 0.4, y, steps=4)
    desk.mouse.up()
    share = desk.get_by_role("status").filter(has_text="of the image may change.")
    expect(share).to_be_visible()
    check(desk)
    desk.screenshot(path=tmp_path / "mask.png")
    press(desk, "Undo")
    expect(desk.get_by_text("Nothing is selected, so the whole image may change.")).to_be_visible()
    canvas.focus()
    desk.keyboard.press("Space")
    desk.keyboard.press("Shift+ArrowLeft")
    desk.keyboard.press("ArrowDown")
    expect(share).to_have_text("2% of the image may change.")
    press(desk, "Done")
    expect(options(desk).get_by_role("button", name="A part is selected")).to_be_visible()
    composer(desk).fill("make it green")
    composer(desk).press("Enter")
    drawn(desk)
    wanted = turns[-1]["draw"]
    assert wanted["mask"].startswith("file_")
    edited = desk.request.get("/api/pictures?limit=1").json()["pictures"][0]["id"]
    before, after = (pixels(desk, id) for id in (wanted["sources"][0], edited))
    changed = np.abs(before - after).max(axis=2) > 32  # marks change a little everywhere
    assert 0.001 < changed.mean() < 0.03
    assert changed[:, : before.shape[1] // 2].sum() > changed.sum() / 2


def test_a_part_is_chosen_again_and_no_more(desk: Page) -> None:
    turns = asked(desk)
    attach(desk, PHOTO)
    switch(desk).click()
    press(desk, "Change only a part")
    canvas = desk.get_by_role("application", name="The image to paint over")
    canvas.focus()
    desk.keyboard.press("Space")
    press(desk, "Done")
    press(desk, "A part is selected")
    expect(desk.get_by_role("status").filter(has_text="of the image may change.")).to_be_visible()
    desk.keyboard.press("Escape")
    press(desk, "Change the whole image")
    expect(options(desk).get_by_role("button", name="Change only a part")).to_be_visible()
    composer(desk).fill("at night")
    composer(desk).press("Enter")
    drawn(desk)
    assert "mask" not in turns[-1]["draw"]


def pixels(page: Page, id: str) -> NDArray[np.int16]:
    image = Image.open(io.BytesIO(page.request.get(f"/api/pictures/{id}/content").body()))
    return np.asarray(image.convert("RGB"), np.int16)


def test_photos_that_are_attached_are_edited(desk: Page) -> None:
    turns = asked(desk)
    attach(desk, PHOTO)
    switch(desk).click()
    composer(desk).fill("at night")
    expect(desk.get_by_role("button", name="Draw", exact=True)).to_be_enabled()
    expect(composer(desk)).to_have_attribute("placeholder", "Say what to change")
    composer(desk).press("Enter")
    drawn(desk)
    assert len(turns[-1]["files"]) == 1


def test_it_is_saved_and_copied(desk: Page) -> None:
    draw(desk, "a lamp")
    drawn(desk)
    with desk.expect_download() as download:
        press(desk, "Download")
    assert download.value.suggested_filename.endswith(".png")
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(desk, "Copy the image")
    expect(answer(desk).get_by_role("button", name="Copied")).to_be_visible()
    kinds = desk.evaluate("async () => (await navigator.clipboard.read()).flatMap(({ types }) => types)")
    assert "image/png" in kinds


def test_drawing_goes_on_without_the_page_and_is_seen_in_another(desk: Page) -> None:
    draw(desk, f"a bridge\n{SLOW}")
    expect(answer(desk).get_by_role("progressbar")).to_be_visible()
    expect(desk).to_have_url(re.compile("/c/"))
    other = desk.context.new_page()
    other.goto(desk.url)
    desk.reload()
    for page in (desk, other):
        drawn(page)


def test_stop_ends_the_work_and_keeps_what_is_made(desk: Page) -> None:
    switch(desk).click()
    options(desk).get_by_role("combobox", name="Number of images").select_option("2")
    composer(desk).fill(f"a river\n{SLOW}")
    composer(desk).press("Enter")
    expect(pictures(desk)).to_have_count(1, timeout=PATIENCE)
    press(desk, "Stop")
    expect(answer(desk)).to_contain_text("You stopped this answer.")
    drawn(desk)
    expect(answer(desk).get_by_role("progressbar")).to_have_count(0)


def test_who_comes_second_is_told_so(desk: Page) -> None:
    draw(desk, f"a slow one\n{ENDLESS}")
    expect(answer(desk).get_by_text("Starting…")).to_be_visible()
    other = desk.context.new_page()
    other.goto("/")
    draw(other, "another")
    expect(answer(other).get_by_text("1 image ahead of yours")).to_be_visible()
    press(desk, "Stop")
    drawn(other)


def test_what_fails_says_so_and_can_be_drawn_again(desk: Page) -> None:
    draw(desk, "a cat\nscript: fail=2")
    expect(answer(desk)).to_contain_text("The scripted backend broke off", timeout=PATIENCE)
    expect(answer(desk).get_by_role("progressbar")).to_have_count(0)
    answer(desk).get_by_role("button", name="Draw again").click()
    expect(answer(desk).get_by_role("group", name="2 of 2")).to_be_visible()


def test_what_was_deleted_is_said_in_its_place(desk: Page) -> None:
    draw(desk, "a fish")
    drawn(desk)
    listed = desk.request.get("/api/pictures?limit=1").json()["pictures"]
    assert desk.request.delete(f"/api/pictures/{listed[0]['id']}").status == 204
    desk.reload()
    expect(answer(desk)).to_contain_text("This image was deleted.")


def test_a_question_is_said_differently_and_drawn_again_as_before(desk: Page) -> None:
    turns = asked(desk)
    switch(desk).click()
    options(desk).get_by_role("combobox", name="Number of images").select_option("2")
    composer(desk).fill("a red door")
    composer(desk).press("Enter")
    drawn(desk, 2)
    desk.get_by_role("article", name="You").hover()
    press(desk, "Edit this message")
    desk.get_by_role("textbox", name="Edit your message").fill("a green door")
    desk.keyboard.press("Enter")
    expect(answer(desk).get_by_role("img", name="Made with AI: a green door")).to_have_count(2, timeout=PATIENCE)
    assert turns[-1]["draw"]["count"] == 2


def test_a_temporary_chat_says_why_it_draws_nothing(desk: Page) -> None:
    desk.goto("/temporary")
    expect(switch(desk)).to_have_attribute("aria-disabled", "true")
    composer(desk).fill("/draw a fox")
    composer(desk).press("Enter")
    expect(desk.get_by_role("status").get_by_text("Images can’t be made in a temporary chat")).to_be_visible()


def test_where_only_drawings_are_built_in_they_are_called_that(desk: Page) -> None:
    models = [DRAWINGS]
    desk.route("**/api/pictures/models", lambda route: route.fulfill(json={"models": models, "styles": []}))
    desk.goto("/")
    switch(desk).click()
    expect(options(desk)).to_contain_text("Only clip art is available here, for simple images.")
    expect(options(desk)).to_contain_text("This machine can’t run a model that makes realistic images.")
    flux = {
        **DRAWINGS,
        "id": "flux-1-schnell",
        "name": "FLUX.1 [schnell]",
        "maker": "Black Forest Labs",
        "country": "DE",
    }
    models.append({**flux, "drawn": False, "state": "absent", "installable": True, "bytes": 33_600_000_000})
    desk.reload()
    expect(options(desk)).to_contain_text("makes realistic images (Black Forest Labs, Germany, 34 GB).")
    expect(options(desk).get_by_role("button", name="Get FLUX.1 [schnell]")).to_be_visible()


def test_a_drawing_is_not_called_the_work_of_ai(desk: Page) -> None:
    switch(desk).click()
    expect(desk.get_by_text("Images are marked as made by AI.")).to_be_visible()
    options(desk).get_by_role("combobox", name="Model for images").select_option("scripted-drawing")
    expect(desk.get_by_text("Clip art is drawn by a program, without AI.")).to_be_visible()
    expect(desk.get_by_text("Images are marked as made by AI.")).to_have_count(0)
    composer(desk).fill("a tree")
    composer(desk).press("Enter")
    drawn(desk)
    expect(pictures(desk)).to_have_attribute("alt", "Clip art: a tree")
    expect(answer(desk).get_by_text("Clip art", exact=True)).to_be_visible()
    expect(answer(desk).get_by_role("button", name="Vary")).to_have_count(0)


def test_what_a_model_made_of_the_words_is_said(desk: Page) -> None:
    draw(desk, "a cat and its philosophy\nscript: says=cat;_not_drawn:_philosophy")
    drawn(desk)
    expect(answer(desk).get_by_text("cat; not drawn: philosophy", exact=True)).to_be_visible()
    expect(pictures(desk)).to_have_attribute("alt", "Made with AI: cat; not drawn: philosophy")


def test_all_pictures_are_looked_through_searched_and_deleted(desk: Page) -> None:
    for text in ("a violet", "a daisy", "a tulip"):
        draw(desk, text)
        drawn(desk)
    desk.get_by_role("navigation", name="Conversations").get_by_role("link", name="Images").click()
    expect(desk).to_have_title("Images · Éclair")
    expect(desk.get_by_role("heading", name="Images")).to_be_focused()
    expect(tiles(desk).first.get_by_role("img", name="Made with AI: a tulip")).to_be_visible()
    desk.get_by_role("searchbox", name="Search images").fill("daisy")
    expect(tiles(desk)).to_have_count(1)
    desk.get_by_role("searchbox", name="Search images").fill("no such thing")
    expect(desk.get_by_text("Nothing found for “no such thing”.")).to_be_visible()
    desk.get_by_role("searchbox", name="Search images").fill("")
    tiles(desk).first.press("Enter")
    detail = desk.get_by_role("dialog", name="a tulip")
    expect(detail.get_by_role("img", name="Made with AI: a tulip")).to_be_visible()
    for fact in ("Scripted picture", "512 × 512", "Seed", "Created on"):
        expect(detail).to_contain_text(fact)
    desk.keyboard.press("ArrowRight")
    detail = desk.get_by_role("dialog", name="a daisy")
    detail.get_by_role("button", name="Delete").click()
    expect(detail.get_by_role("button", name="Cancel")).to_be_focused()
    detail.get_by_role("button", name="Delete").click()
    expect(desk.get_by_role("dialog")).to_have_count(0)
    expect(desk.get_by_role("img", name="a daisy")).to_have_count(0)
    expect(desk.get_by_role("status").get_by_text("Image deleted.")).to_be_attached()
    expect(tiles(desk).nth(1)).to_be_focused()
    desk.reload()
    expect(desk.get_by_role("img", name="a violet")).to_be_visible()
    expect(desk.get_by_role("img", name="a daisy")).to_have_count(0)


def test_a_picture_leads_to_its_conversation_and_to_the_composer(desk: Page) -> None:
    draw(desk, "a compass")
    drawn(desk)
    home = desk.url
    desk.goto("/pictures")
    desk.get_by_role("img", name="a compass").click()
    press(desk, "Open the conversation")
    expect(desk).to_have_url(home)
    drawn(desk)
    desk.go_back()
    expect(desk.get_by_role("dialog", name="a compass")).to_be_visible()
    desk.keyboard.press("Escape")
    expect(tiles(desk).first).to_be_focused()


def test_pictures_are_made_on_their_own_page_too(desk: Page) -> None:
    desk.goto("/pictures")
    desk.get_by_role("textbox", name="Describe the image").fill(f"a kite\n{SLOW}")
    desk.keyboard.press("Enter")
    expect(desk.get_by_text(re.compile(r"Step \d of 4")).first).to_be_visible()
    expect(tiles(desk).first.get_by_role("img", name=re.compile("a kite"))).to_be_visible(timeout=PATIENCE)
    tiles(desk).first.click()
    detail = desk.get_by_role("dialog", name=re.compile("a kite"))
    expect(detail.get_by_role("button", name="Open the conversation")).to_have_count(0)
    detail.get_by_role("button", name="Draw again").click()
    expect(desk.get_by_role("img", name=re.compile("a kite"))).to_have_count(2, timeout=PATIENCE)
    desk.get_by_role("textbox", name="Describe the image").fill(f"a stone\n{ENDLESS}")
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("Starting…").first).to_be_visible()
    press(desk, "Stop")
    expect(desk.get_by_role("progressbar")).to_have_count(0)
    desk.get_by_role("textbox", name="Describe the image").fill("a pebble\nscript: fail=1")
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("alert")).to_contain_text("The scripted backend broke off")


def test_older_ones_come_as_the_end_comes_into_view(desk: Page) -> None:
    known = desk.request.get("/api/pictures?limit=1").json()["pictures"]
    if not known:
        draw(desk, "one of many")
        drawn(desk)
        known = desk.request.get("/api/pictures?limit=1").json()["pictures"]
    many = [
        {**known[0], "id": f"{known[0]['id'][:-3]}{number:03}", "prompt": f"number {number}"} for number in range(100)
    ]

    def page_of(url: str) -> dict[str, Any]:
        found = re.search(r"before=(\d+)", url)
        start = int(found[1]) if found else 0
        return {"pictures": many[start : start + 40], "next": str(start + 40) if start + 40 < len(many) else None}

    desk.route(re.compile(r"/api/pictures\?"), lambda route: route.fulfill(json=page_of(route.request.url)))
    desk.goto("/pictures")
    expect(tiles(desk).first).to_be_visible()
    for _ in range(3):
        tiles(desk).last.scroll_into_view_if_needed()
        desk.wait_for_timeout(50)
    expect(tiles(desk)).to_have_count(100)
    expect(desk.get_by_role("button", name="Show older")).to_have_count(0)


def test_where_there_are_none_it_says_what_will_be_there(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    page.goto("/pictures")
    expect(page.get_by_text("Images made here or in a conversation will appear here.")).to_be_visible()


def test_what_is_shared_shows_its_pictures_with_their_label(desk: Page, opening: Opening, studio: Served) -> None:
    draw(desk, "a shared shell")
    drawn(desk)
    id = desk.url.rsplit("/", 1)[1]
    share = desk.request.post(f"/api/conversations/{id}/shares", data={"days": 1}).json()
    reader = opening(studio).new_page()
    reader.goto(f"/s/{share['id']}")
    expect(reader.get_by_role("img", name="Made with AI: a shared shell")).to_be_visible()
    expect(reader.get_by_text("Made with AI", exact=True)).to_be_visible()


@pytest.mark.parametrize("width", [1200, 390])
def test_everybody_can_use_it(opening: Opening, studio: Served, width: int, watches: list[Watch]) -> None:
    context = opening(studio, viewport={"width": width, "height": 850})
    context.add_init_script(path=AXE)
    page = context.new_page()
    watches[-1].forgive("404")
    page.goto("/")
    if width < 500:
        page.get_by_role("button", name="Files and tools").click()
        page.get_by_role("dialog").get_by_role("button", name="Make an image").click()
    else:
        switch(page).click()
    options(page).get_by_role("button", name="More").click()
    check(page)
    composer(page).fill(f"a garden\n{SLOW}")
    composer(page).press("Enter")
    expect(answer(page).get_by_role("progressbar")).to_be_visible()
    check(page)
    drawn(page)
    check(page)
    page.goto("/pictures")
    expect(tiles(page).first.get_by_role("img")).to_be_visible()
    check(page)
    tiles(page).first.click()
    expect(page.get_by_role("dialog").get_by_role("img")).to_be_visible()
    check(page)
