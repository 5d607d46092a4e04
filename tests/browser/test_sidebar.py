"""What a person keeps: a long list, pins, tags, the archive, what is deleted and brought back; in every window."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from eclair.schema.messages import Conversation, Message, Part
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.open import open_storage
from eclair.storage.shares import Share
from tests.browser.conftest import Opening, Watch
from tests.browser.served import Served
from tests.browser.test_chat import answer, answers, choose, composer, finished, send, until_longer

HOUR = 3_600_000
MANY = 10_000
TURNS = 1000
LONG = "conv_" + "z" * 26


async def fill(data: Path) -> None:
    """So many short conversations, an hour between each two, and a long one before them."""
    storage = open_storage(data)
    now = int(time.time() * 1000)
    made = [
        Conversation(f"conv_{i:026d}", LOCAL_PRINCIPAL.id, f"Conversation {i}", now - i * HOUR, now - i * HOUR)
        for i in range(1, MANY + 1)
    ]
    for start in range(0, MANY, 500):
        await asyncio.gather(
            *(storage.conversations.add_conversation(LOCAL_PRINCIPAL, one) for one in made[start : start + 500])
        )
    messages: list[Message] = []
    for i in range(TURNS):
        above = messages[-1].id if messages else None
        question = Message(f"msg_{2 * i:026d}", LONG, above, "user", (Part("text", f"Question {i}?"),), now)
        words = f"Answer {i} speaks of bridge {i * 7919 % 1000}.\n\n" + "\n\n".join(["So it goes on and on. " * 28] * 3)
        messages += [
            question,
            Message(f"msg_{2 * i + 1:026d}", LONG, question.id, "assistant", (Part("text", words),), now),
        ]
    await storage.conversations.add_tree(
        LOCAL_PRINCIPAL, Conversation(LONG, LOCAL_PRINCIPAL.id, "A thousand turns", now, now, messages[-1].id), messages
    )
    await storage.shares.add_share(
        LOCAL_PRINCIPAL, Share("share_old", LOCAL_PRINCIPAL.id, LONG, "A thousand turns", now - 10, now - 1), "[]"
    )
    await storage.close()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("full")
    with ThreadPoolExecutor(1) as apart:  # Playwright's loop runs in this thread
        apart.submit(asyncio.run, fill(folder / "data")).result()
    served = Served(folder)
    served.start()
    yield served
    served.close()


def listed(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Conversations")


def link(page: Page, title: str) -> Locator:
    return listed(page).get_by_role("link", name=title, exact=True)


def ask(page: Page, title: str) -> None:
    """A conversation of this title."""
    page.goto("/")
    send(page, title)
    finished(page)
    expect(link(page, title)).to_be_visible()


def test_ten_thousand_conversations_are_few_in_the_page(opening: Opening, full: Served) -> None:
    page = opening(full).new_page()
    page.goto("/")
    expect(link(page, "Conversation 1")).to_be_visible()
    assert page.evaluate("document.querySelectorAll('nav *').length") < 500
    link(page, "A thousand turns").focus()
    for _ in range(60):
        page.keyboard.press("End")
        if link(page, f"Conversation {MANY}").is_visible():
            break
        page.wait_for_timeout(60)
    expect(link(page, f"Conversation {MANY}")).to_be_focused()
    assert page.evaluate("document.querySelectorAll('nav *').length") < 700
    place = link(page, f"Conversation {MANY}").evaluate(
        "e => [e.parentElement.ariaPosInSet, e.parentElement.ariaSetSize]"
    )
    assert place[0] == place[1] != "-1"
    page.keyboard.press("ArrowUp")
    expect(link(page, f"Conversation {MANY - 1}")).to_be_focused()
    page.keyboard.press("Home")
    expect(link(page, "A thousand turns")).to_be_focused()


def test_a_thousand_turns_open_at_their_end_and_stay_small(opening: Opening, full: Served) -> None:
    page = opening(full, viewport={"width": 1200, "height": 800}).new_page()
    page.goto(f"/c/{LONG}")
    expect(page.get_by_role("article", name="Éclair").filter(has_text=f"Answer {TURNS - 1} speaks")).to_be_in_viewport()
    assert page.evaluate("document.querySelectorAll('main *').length") < 2000
    pane = page.get_by_role("region", name="Conversation")
    pane.evaluate("e => { e.scrollTop = e.scrollHeight / 2 }")
    page.wait_for_function(
        "() => [...document.querySelectorAll('article')].some(e => /Question 4\\d\\d/.test(e.textContent))"
    )
    seen = page.get_by_role("article").filter(has_text=re.compile(r"Answer \d+ speaks")).first
    before = seen.evaluate("e => [e.id, e.getBoundingClientRect().top]")
    pane.hover()
    for _ in range(12):
        page.mouse.wheel(0, -150)
        page.wait_for_timeout(60)
    after = page.evaluate("id => document.getElementById(id)?.getBoundingClientRect().top", before[0])
    assert after is not None
    assert abs(after - before[1] - 12 * 150) < 40
    assert page.evaluate("document.querySelectorAll('main *').length") < 2000


def test_a_search_leads_into_the_middle_and_marks_the_words(opening: Opening, full: Served) -> None:
    page = opening(full).new_page()
    page.goto("/")
    page.get_by_role("searchbox", name="Search conversations").fill("answer 500 speaks")
    listed(page).get_by_role("link").filter(has=page.locator("mark")).first.click()
    article = page.get_by_role("article", name="Éclair").filter(has_text="Answer 500 speaks")
    expect(article).to_be_in_viewport()
    expect(article).to_be_focused()
    words = page.evaluate("() => [...CSS.highlights.get('found')].map(range => range.toString())")
    assert {"Answer", "500", "speaks"} <= set(words)


def test_a_search_finds_titles_tags_files_and_libraries_in_the_sidebar_and_the_palette(page: Page) -> None:
    assert page.request.post("/api/libraries", data={"name": "kilimanjaro-maps"}).ok
    page.locator("main input[type=file]").first.set_input_files(
        {"name": "kilimanjaro.txt", "mimeType": "text/plain", "buffer": b"It is 5,895 m high."}
    )
    expect(page.get_by_role("list", name="Attached files").get_by_role("status")).to_have_text("ready")
    send(page, "script: say=**Bold** steps up the mountain")
    expect(page).to_have_url(re.compile("/c/conv_"), timeout=60_000)
    made = page.url.rsplit("/", 1)[1]
    assert page.request.patch(f"/api/conversations/{made}", data={"title": "Walks", "tags": ["kilimanjaro"]}).ok
    other = {"title": "Tours of Kilimanjaro", "turn": {"text": "Hi"}}
    assert page.request.post("/api/conversations", data=other).ok
    page.get_by_role("searchbox", name="Search conversations").fill("Kilimanjaro")
    found = listed(page).get_by_role("link").filter(has=page.locator("strong"))
    expect(found).to_have_text(
        [
            "Walks\n#kilimanjaro",
            "kilimanjaro.txt\nWalks",
            "kilimanjaro-maps\nLibrary",
            "Tours of Kilimanjaro",
        ],
        use_inner_text=True,
    )
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Command palette").fill("kilimanjaro")
    palette = page.get_by_role("dialog").get_by_role("option")
    for text in ("Tours of Kilimanjaro", "#kilimanjaro", "kilimanjaro.txt", "kilimanjaro-maps"):
        expect(palette.filter(has_text=text).first).to_be_visible()
    palette.filter(has_text="kilimanjaro.txt").click()
    expect(page).to_have_url(re.compile(f"/c/{made}#msg_"))
    page.get_by_role("searchbox", name="Search conversations").fill("bold steps up")
    hit = listed(page).get_by_role("link").filter(has=page.locator("mark"))
    expect(hit.last).to_contain_text("Bold steps up the mountain")


def test_the_browsers_own_search_finds_what_is_far_away(opening: Opening, full: Served) -> None:
    page = opening(full).new_page()
    page.goto(f"/c/{LONG}")
    expect(page.get_by_role("article", name="Éclair").filter(has_text=f"Answer {TURNS - 1} speaks")).to_be_in_viewport()
    assert page.evaluate("() => document.body.textContent.includes('Answer 40 speaks')")
    far = "[...document.querySelectorAll('[hidden]')].find(e => e.textContent.includes('Answer 40 speaks'))"
    page.evaluate(f"() => {far}.dispatchEvent(new Event('beforematch', {{ bubbles: true }}))")
    expect(page.get_by_role("article", name="Éclair").filter(has_text="Answer 40 speaks")).to_have_count(1)


def test_older_results_come_when_asked_for(opening: Opening, full: Served) -> None:
    page = opening(full).new_page()
    page.goto("/")
    page.get_by_role("searchbox", name="Search conversations").fill("bridge")
    hits = listed(page).get_by_role("link").filter(has=page.locator("mark"))
    expect(hits).to_have_count(20)
    listed(page).get_by_role("button", name="Show more results").click()
    expect(hits).to_have_count(100)


def test_the_menu_is_worked_by_keys(page: Page) -> None:
    ask(page, "By keys alone")
    link(page, "By keys alone").focus()
    page.keyboard.press("Tab")
    button = listed(page).get_by_role("button", name="Actions for “By keys alone”")
    expect(button).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Pin")).to_be_focused()
    page.keyboard.press("r")
    expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(button).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("F2")
    expect(listed(page).get_by_role("textbox", name="Title")).to_be_focused()
    page.keyboard.type("By hand alone")
    page.keyboard.press("Enter")
    expect(link(page, "By hand alone")).to_be_focused()


def test_pinned_ones_stand_first_and_archived_ones_apart(page: Page) -> None:
    ask(page, "To be pinned")
    ask(page, "To be put away")
    choose(page, "To be pinned", "Pin")
    pinned = listed(page).get_by_role("list", name="Pinned")
    expect(pinned.get_by_role("link", name="To be pinned")).to_be_visible()
    choose(page, "To be put away", "Archive")
    expect(link(page, "To be put away")).to_have_count(0)
    expect(page.get_by_role("status").filter(has_text="“To be put away” archived.")).to_be_visible()
    listed(page).get_by_role("combobox", name="Filter conversations").select_option("Archived")
    expect(link(page, "To be put away")).to_be_visible()
    expect(link(page, "To be pinned")).to_have_count(0)
    choose(page, "To be put away", "Unarchive")
    listed(page).get_by_role("combobox").select_option("All conversations")
    expect(link(page, "To be put away")).to_be_visible()
    choose(page, "To be pinned", "Unpin")
    expect(pinned).to_have_count(0)


def test_tags_are_given_and_narrow_the_list(page: Page) -> None:
    ask(page, "Of gardens")
    ask(page, "Of tractors")
    choose(page, "Of gardens", "Tags…")
    dialog = page.get_by_role("dialog", name="Tags for “Of gardens”")
    dialog.get_by_label("New tag").fill("Green ideas")
    dialog.get_by_label("New tag").press("Enter")
    expect(dialog.get_by_role("list", name="Tags", exact=True)).to_contain_text("Green ideas")
    dialog.get_by_role("button", name="Done").click()
    listed(page).get_by_role("combobox").select_option("Green ideas (1)")
    expect(link(page, "Of gardens")).to_be_visible()
    expect(link(page, "Of tractors")).to_have_count(0)
    choose(page, "Of gardens", "Tags…")
    dialog.get_by_role("button", name="Remove the tag “Green ideas”").click()
    dialog.get_by_role("button", name="Done").click()
    expect(link(page, "Of tractors")).to_be_visible()


def test_what_is_deleted_comes_back(page: Page) -> None:
    ask(page, "Gone and back")
    address = page.url
    choose(page, "Gone and back", "Delete")
    told = page.get_by_role("status").filter(has_text="“Gone and back” deleted.")
    expect(told).to_be_visible()
    expect(link(page, "Gone and back")).to_have_count(0)
    with page.expect_response(re.compile("/canvases$")):  # the last that is loaded: it must not be deleted under that
        told.get_by_role("button", name="Undo").click()
    expect(link(page, "Gone and back")).to_be_visible()
    expect(page).to_have_url(address)
    expect(told).to_have_count(0)
    link(page, "Gone and back").focus()
    page.keyboard.press("Delete")
    expect(told).to_be_visible()
    page.keyboard.press("Control+z")
    expect(link(page, "Gone and back")).to_be_visible()


def test_every_window_shows_the_same_within_a_second(opening: Opening, shared: Served) -> None:
    here, phone = opening(shared).new_page(), opening(shared, viewport={"width": 390, "height": 780}).new_page()
    phone.goto("/")
    ask(here, "Seen everywhere")
    phone.get_by_role("button", name="Conversations").click()
    expect(link(phone, "Seen everywhere")).to_be_visible(timeout=1000)
    choose(here, "Seen everywhere", "Rename")
    listed(here).get_by_role("textbox", name="Title").fill("Seen by all")
    listed(here).get_by_role("textbox", name="Title").press("Enter")
    expect(link(phone, "Seen by all")).to_be_visible(timeout=1000)
    link(phone, "Seen by all").click()
    finished(phone)
    send(here, "script: words=300 rate=40")
    expect(answers(phone)).to_have_count(2, timeout=1000)
    until_longer(phone, 40)
    phone.get_by_role("button", name="Stop").click()
    finished(here, "You stopped this answer.")
    finished(phone, "You stopped this answer.")
    choose(here, "Seen by all", "Delete")
    expect(phone.get_by_role("heading", level=1)).to_be_visible(timeout=1000)


def test_edits_on_both_sides_become_branches(opening: Opening, shared: Served) -> None:
    here, there = opening(shared).new_page(), opening(shared).new_page()
    here.goto("/")
    send(here, "script: say=from the start")
    finished(here, "from the start")
    there.goto(here.url)
    finished(there, "from the start")
    for page, text in ((here, "one side"), (there, "the other side")):
        question = page.get_by_role("article", name="You").first
        question.hover()
        question.get_by_role("button", name="Edit this message").click()
        page.get_by_role("textbox", name="Edit your message").fill(f"script: say={text}")
    for page, text in ((here, "one side"), (there, "the other side")):
        field = page.get_by_role("textbox", name="Edit your message")
        expect(field).to_have_value(f"script: say={text}")
        form = page.get_by_role("article", name="You").filter(has=page.get_by_role("textbox"))
        expect(form.get_by_role("button", name="Send")).to_be_enabled()
        field.press("Enter")
        expect(answer(page)).to_contain_text(text)
    expect(answer(here)).to_contain_text("the other side")
    for page in (here, there):
        expect(page.get_by_role("group", name="3 of 3")).to_be_visible()
        expect(composer(page)).to_have_value("")


def test_a_lost_connection_is_said_and_what_was_missed_is_caught_up(
    opening: Opening, mortal: Served, watches: list[Watch]
) -> None:
    page = opening(mortal).new_page()
    watches[0].forgive(
        "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY", "ERR_SOCKET"
    )
    ask(page, "Before the storm")
    composer(page).fill("half a thought")
    mortal.kill()
    expect(page.get_by_text("Connection lost. Reconnecting…")).to_be_visible()
    mortal.start()
    expect(page.get_by_text("Connection lost. Reconnecting…")).to_be_hidden()
    expect(composer(page)).to_have_value("half a thought")
    other = opening(mortal).new_page()
    ask(other, "After the storm")
    expect(link(page, "After the storm")).to_be_visible(timeout=1000)


def test_a_temporary_chat_is_stored_nowhere(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Temporary chat").click()
    expect(page).to_have_title("Temporary chat · Éclair")
    expect(page.get_by_text("Not saved: it disappears when you close this tab.")).to_be_visible()
    send(page, "script: say=between us")
    finished(page, "between us")
    send(page, "script: words=300 rate=40")
    until_longer(page, 40)
    page.get_by_role("button", name="Stop").click()
    finished(page, "You stopped this answer.")
    answer(page).get_by_role("button", name="Answer again").click()
    until_longer(page, 40)
    page.get_by_role("button", name="Stop").click()
    finished(page, "2/2")
    composer(page).fill("a secret half typed")
    kept = page.evaluate("() => JSON.stringify([localStorage, sessionStorage])")
    assert "between us" not in kept
    assert "secret" not in kept
    found = page.request.get("/api/search?q=between+us").json()
    assert found == {"names": [], "hits": [], "passages": []}
    page.get_by_role("button", name="New chat").first.click()
    expect(composer(page)).to_have_value("")
    page.go_back()
    expect(answers(page)).to_have_count(2)
    expect(composer(page)).to_have_value("a secret half typed")


@pytest.mark.parametrize("place", ["/temporary", "/settings"])
def test_a_temporary_chat_is_not_lost_without_a_question(page: Page, place: str) -> None:
    page.goto("/")
    page.get_by_role("button", name="Temporary chat").click()
    send(page, "script: say=between us")
    finished(page, "between us")
    if place == "/settings":
        page.get_by_role("link", name="Settings").click()
        expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    with page.expect_event("dialog") as waited:
        page.close(run_before_unload=True)
    assert waited.value.type == "beforeunload"
    waited.value.dismiss()
    if place == "/settings":
        page.go_back()
    expect(answers(page)).to_have_count(1)


def test_one_conversation_is_exported(page: Page) -> None:
    ask(page, "To take away")
    choose(page, "To take away", "Export…")
    dialog = page.get_by_role("dialog", name="Export “To take away”")
    dialog.get_by_role("radio", name="Markdown").check()
    with page.expect_download() as waited:
        dialog.get_by_role("button", name="Download").click()
    assert waited.value.suggested_filename.endswith(".md")
    assert "To take away" in Path(waited.value.path()).read_text(encoding="utf-8")
    expect(dialog).to_have_count(0)


def test_one_conversation_is_exported_as_a_pdf(page: Page) -> None:
    ask(page, "To print out")
    choose(page, "To print out", "Export…")
    dialog = page.get_by_role("dialog", name="Export “To print out”")
    dialog.get_by_role("radio", name="PDF document").check()
    with page.expect_download() as waited:
        dialog.get_by_role("button", name="Download").click()
    assert waited.value.suggested_filename.endswith(".pdf")
    assert Path(waited.value.path()).read_bytes().startswith(b"%PDF-")
    expect(dialog).to_have_count(0)


def test_a_link_that_only_this_machine_can_open_says_so(page: Page) -> None:
    ask(page, "For nobody else")
    choose(page, "For nobody else", "Share…")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Create link").click()
    expect(dialog.get_by_text("These links open only on this computer")).to_be_visible()


def test_a_link_is_made_read_without_a_key_and_revoked(opening: Opening, shared: Served, watches: list[Watch]) -> None:
    page = opening(shared).new_page()
    page.goto("/")
    send(page, "script: say=for **everyone**")
    finished(page, "for everyone")
    choose(page, "script: say=for **everyone**", "Share…")
    dialog = page.get_by_role("dialog", name="Share “script: say=for **everyone**”")
    dialog.get_by_label("Link is valid for").select_option("30 days")
    dialog.get_by_role("button", name="Create link").click()
    address = dialog.get_by_role("textbox", name="Link").input_value()
    reader = opening(shared).new_page()
    reader.goto(address)
    expect(reader.get_by_role("article", name="Éclair")).to_contain_text("for everyone")
    expect(reader.get_by_text("Answers are generated by AI and can be wrong.")).to_be_visible()
    expect(reader.get_by_role("textbox")).to_have_count(0)
    dialog.get_by_role("button", name="Revoke link").click()
    expect(dialog.get_by_role("textbox", name="Link")).to_have_count(0)
    watches[-1].forgive("404", "410")
    reader.reload()
    expect(reader.get_by_role("alert")).to_have_text(re.compile(r"\w.*\.$"))


def test_a_link_is_labelled_until_somebody_answers_for_it(opening: Opening, shared: Served, tmp_path: Path) -> None:
    page = opening(shared, color_scheme="dark").new_page()
    page.goto("/")
    send(page, "script: say=for the record")
    finished(page, "for the record")
    choose(page, "script: say=for the record", "Share…")
    dialog = page.get_by_role("dialog", name="Share “script: say=for the record”")
    dialog.get_by_role("button", name="Create link").click()
    links = dialog.get_by_role("textbox", name="Link", exact=True)
    expect(links).to_have_count(1)
    reader = opening(shared).new_page()
    reader.goto(links.input_value())
    expect(reader.get_by_text("AI", exact=True)).to_be_visible()
    dialog.get_by_label("A person has reviewed it and answers for it").check()
    dialog.get_by_role("button", name="Create link").click()
    expect(dialog.get_by_label("Name of that person")).to_be_focused()
    dialog.get_by_label("Name of that person").fill("Ada Ångström")
    page.screenshot(path=tmp_path / "share.png")
    page.set_viewport_size({"width": 320, "height": 700})
    page.screenshot(path=tmp_path / "share-320.png")
    dialog.get_by_role("button", name="Create link").click()
    expect(links).to_have_count(2)
    expect(dialog.get_by_text("Reviewed by Ada Ångström, who answers for it.")).to_be_visible()
    reader.screenshot(path=tmp_path / "labelled.png")
    reader.goto(links.first.input_value())
    expect(reader.get_by_text("Made with AI. Reviewed by Ada Ångström, who answers for it.")).to_be_visible()
    expect(reader.get_by_text("AI", exact=True)).to_have_count(0)
    reader.screenshot(path=tmp_path / "reviewed.png")


def test_a_link_that_has_expired_says_so(opening: Opening, full: Served, watches: list[Watch]) -> None:
    page = opening(full).new_page()
    watches[0].forgive("410")
    page.goto("/s/share_old")
    expect(page.get_by_role("alert")).to_contain_text("has expired")
    expect(page.get_by_role("article")).to_have_count(0)


def test_nothing_of_a_broken_file_is_kept_and_a_good_one_is(page: Page, tmp_path: Path, watches: list[Watch]) -> None:
    watches[0].forgive("400", "422", "415")
    page.goto("/")
    page.get_by_role("button", name="Import conversations").click()
    dialog = page.get_by_role("dialog", name="Import conversations")
    broken = tmp_path / "broken.json"
    broken.write_text('[{"mapping": ')
    dialog.get_by_label("Choose a .json or .zip file").set_input_files(broken)
    expect(dialog.get_by_role("alert")).to_have_text(re.compile(r"\w.*\."))
    node: dict[str, Any] = {"id": "a", "parent": "root", "children": []}
    message = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["Bring me along"]}}
    tree: dict[str, Any] = {
        "root": {"id": "root", "children": ["a"], "parent": None, "message": None},
        "a": {**node, "message": message},
    }
    one: dict[str, Any] = {
        "title": "Brought along",
        "create_time": time.time(),
        "mapping": tree,
        "current_node": "a",
        "conversation_id": "c1",
    }
    good = tmp_path / "conversations.json"
    good.write_text(json.dumps([one]))
    dialog.get_by_label("Choose a .json or .zip file").set_input_files(good)
    expect(dialog).to_contain_text("An export from ChatGPT.")
    expect(dialog.get_by_role("listitem").first).to_have_text("Brought along")
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_role("status")).to_contain_text("1 conversation imported.")
    dialog.get_by_role("button", name="Done").click()
    expect(link(page, "Brought along")).to_be_visible()
