"""What a person writes: the composer, its draft, what waits, commands, prompts and files."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Dialog, Locator, Page, Route, expect

from tests.browser.conftest import Opening, Watch
from tests.browser.served import Served
from tests.browser.test_chat import SLOW, answers, composer, finished, model_button, send, until_longer

LONG = "script: words=2000 rate=30"
NOTHING_DRAWS: dict[str, Any] = {"models": [], "styles": []}
CSV = {"name": "figures.csv", "mimeType": "text/csv", "buffer": b"town;bread\nLyon;12\n"}


def waiting(page: Page) -> Locator:
    return page.get_by_role("region", name="Queued messages").get_by_role("listitem")


def questions(page: Page) -> Locator:
    return page.get_by_role("article", name="You")


def files(page: Page | Locator) -> Locator:
    return page.get_by_role("list", name="Attached files").get_by_role("listitem")


def attach(page: Page, *given: dict[str, Any]) -> None:
    page.locator("input[type=file][multiple]").set_input_files(list(given))  # pyright: ignore[reportArgumentType]


def send_when_ready(page: Page, text: str) -> None:
    """Once its files have gone up."""
    composer(page).fill(text)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    composer(page).press("Enter")


def press(page: Page, name: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=name).click()


def paste(page: Page, text: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    composer(page).focus()
    page.keyboard.press("Control+V")


def test_the_composer_grows_with_its_text_up_to_a_point(page: Page) -> None:
    one = composer(page).bounding_box()
    composer(page).fill("line\n" * 5)
    some = composer(page).bounding_box()
    composer(page).fill("line\n" * 500)
    many = composer(page).bounding_box()
    assert one is not None
    assert some is not None
    assert many is not None
    assert one["height"] * 3 < some["height"] < many["height"] <= 320


def test_messages_wait_for_the_answer_and_go_out_in_their_order(page: Page) -> None:
    send(page, SLOW)
    until_longer(page, 20)
    send(page, "script: say=the second answer")
    expect(composer(page)).to_have_value("")
    expect(composer(page)).to_be_focused()
    send(page, "script: say=the third answer")
    expect(waiting(page)).to_have_text([re.compile("the second"), re.compile("the third")])
    finished(page, "the third answer")
    expect(waiting(page)).to_have_count(0)
    expect(questions(page)).to_have_text([re.compile("words="), re.compile("the second"), re.compile("the third")])
    expect(answers(page).nth(1)).to_contain_text("the second answer")


def test_what_waits_is_reworded_reordered_and_taken_back(page: Page) -> None:
    send(page, LONG)
    until_longer(page, 10)
    for text in ("script: say=a", "script: say=b", "keep me"):
        send(page, text)
    composer(page).fill("half a thought")
    press(page, "Move back to the message field: “keep me”")
    expect(composer(page)).to_have_value("keep me\n\nhalf a thought")
    expect(composer(page)).to_be_focused()
    press(page, "Send earlier: “script: say=b”")
    expect(waiting(page)).to_have_text([re.compile("say=b"), re.compile("say=a")])
    press(page, "Edit: “script: say=a”")
    field = page.get_by_role("textbox", name="Edit the queued message")
    expect(field).to_be_focused()
    field.fill("script: say=changed")
    field.press("Enter")
    expect(page.get_by_role("button", name="Edit: “script: say=changed”")).to_be_focused()
    press(page, "Edit: “script: say=b”")
    page.keyboard.type(" and not")
    page.keyboard.press("Escape")
    expect(waiting(page)).to_have_text([re.compile(r"say=b\s*$"), re.compile(r"say=changed\s*$")])
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    page.reload()
    expect(waiting(page)).to_have_text([re.compile("say=b"), re.compile("say=changed")])
    press(page, "Stop the answer and send now: “script: say=changed”")
    finished(page, re.compile(r"^\s*b\b"))
    expect(answers(page).nth(0)).to_contain_text("You stopped this answer.")
    expect(answers(page).nth(1)).to_contain_text("changed")
    expect(composer(page)).to_have_value("keep me\n\nhalf a thought")


def test_a_message_that_is_being_reworded_is_not_sent_meanwhile(page: Page) -> None:
    send(page, "script: words=60 rate=40")
    send(page, "script: say=not yet")
    press(page, "Edit: “script: say=not yet”")
    finished(page)
    page.wait_for_timeout(300)
    expect(questions(page)).to_have_count(1)
    field = page.get_by_role("textbox", name="Edit the queued message")
    field.fill("script: say=now then")
    field.press("Enter")
    finished(page, "now then")
    expect(waiting(page)).to_have_count(0)


def test_after_a_stop_what_waits_goes_on_waiting(page: Page) -> None:
    send(page, LONG)
    until_longer(page, 10)
    send(page, "script: say=later")
    page.get_by_role("button", name="Stop", exact=True).click()
    finished(page, "You stopped this answer.")
    expect(page.get_by_text("On hold: the last answer is incomplete.")).to_be_visible()
    page.wait_for_timeout(300)
    expect(questions(page)).to_have_count(1)
    press(page, "Send now: “script: say=later”")
    finished(page, "later")


def test_two_tabs_show_one_line_and_send_it_once(page: Page) -> None:
    send(page, "script: words=400 rate=40")
    until_longer(page, 10)
    other = page.context.new_page()
    other.goto(page.url)
    until_longer(other, 10)
    for number in range(2):
        send(page, f"script: say=answer {number}")
        send(other, f"script: say=reply {number}")
    expect(waiting(page)).to_have_count(4)
    expect(waiting(other)).to_have_count(4)
    for tab in (page, other):
        expect(waiting(tab)).to_have_count(0, timeout=40_000)
        expect(questions(tab)).to_have_count(5)
        finished(tab)
    tree = page.request.get(f"/api/conversations/{page.url.rsplit('/', 1)[1]}").json()
    assert len(tree["messages"]) == 10
    parents = [message["parent"] for message in tree["messages"]]
    assert len(set(parents)) == len(parents)


def test_a_line_is_sent_after_its_conversation_was_left(page: Page) -> None:
    send(page, "script: words=60 rate=40")
    until_longer(page, 10)
    send(page, "script: say=behind your back")
    address = page.url
    page.get_by_role("button", name="New chat").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    id = address.rsplit("/", 1)[1]
    page.wait_for_timeout(2500)
    tree = page.request.get(f"/api/conversations/{id}").json()
    assert len(tree["messages"]) == 4
    page.go_back()
    finished(page, "behind your back")


def test_a_server_that_goes_away_costs_nothing_that_waits(
    opening: Opening, mortal: Served, watches: list[Watch]
) -> None:
    page = opening(mortal).new_page()
    page.goto("/")
    watches[0].forgive("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY")
    send(page, LONG)
    until_longer(page, 20)
    mortal.kill()
    expect(page.get_by_text("Connection lost. Reconnecting…")).to_be_visible()
    send(page, "script: say=written in the dark")
    expect(waiting(page)).to_have_count(1)
    composer(page).fill("and this")
    page.wait_for_timeout(500)
    mortal.start()
    finished(page, "Éclair was restarted while writing this answer.")
    expect(waiting(page)).to_have_count(1)
    press(page, "Send now: “script: say=written in the dark”")
    finished(page, "written in the dark")
    expect(composer(page)).to_have_value("and this")


def test_a_waiting_message_that_is_refused_is_kept_and_said(page: Page, watches: list[Watch]) -> None:
    watches[0].forgive("413")
    send(page, "script: words=240 rate=40")
    until_longer(page, 10)
    send(page, "large " * 200_000)
    expect(waiting(page)).to_have_count(1)
    expect(page.get_by_role("alert")).to_contain_text("the limit is 1,024 KiB")
    expect(waiting(page)).to_contain_text("Not accepted.")
    press(page, re.compile("^Edit: “large"))
    field = page.get_by_role("textbox", name="Edit the queued message")
    field.fill("script: say=smaller")
    field.press("Enter")
    finished(page, "smaller")


def test_the_up_arrow_edits_what_was_said_last(page: Page) -> None:
    send(page, "script: say=one")
    finished(page, "one")
    composer(page).press("ArrowUp")
    field = page.get_by_role("textbox", name="Edit your message")
    expect(field).to_be_focused()
    field.fill("script: say=two")
    field.press("Enter")
    finished(page, "two")
    expect(answers(page)).to_have_count(1)
    send(page, LONG)
    until_longer(page, 10)
    send(page, "what waits")
    composer(page).press("ArrowUp")
    expect(composer(page)).to_have_value("what waits")
    expect(waiting(page)).to_have_count(0)
    page.get_by_role("button", name="Stop", exact=True).click()


def test_commands_are_listed_chosen_and_closed_by_keyboard(page: Page) -> None:
    send(page, "script: say=one")
    finished(page, "one")
    composer(page).press_sequentially("/")
    box = page.get_by_role("listbox", name="Commands and prompts")
    expect(box.get_by_role("option", name="/new")).to_be_visible()
    expect(box.get_by_role("option", name="/stop")).to_have_count(0)
    for name in ("/export", "/share"):
        expect(box.get_by_role("option", name=name)).to_be_visible()
    chosen = box.get_by_role("option", selected=True)
    for _ in range(2):
        active = composer(page).get_attribute("aria-activedescendant")
        assert active == chosen.get_attribute("id")
        composer(page).press("ArrowDown")
    composer(page).press("Escape")
    expect(box).to_be_hidden()
    expect(composer(page)).to_have_value("/")
    composer(page).press_sequentially("ret")
    expect(chosen).to_have_text(re.compile("^/retry"))
    composer(page).press("Enter")
    finished(page, "2/2")
    expect(composer(page)).to_have_value("")
    composer(page).press_sequentially("/new")
    box.get_by_role("option", name="/new").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    send(page, "/etc is no command, script: say=x")
    finished(page)


def test_a_model_is_chosen_for_one_message(page: Page) -> None:
    send(page, "script: say=one")
    finished(page, "one")
    composer(page).press_sequentially("script: say=mine @scr")
    expect(page.get_by_role("listbox", name="Models and libraries").get_by_role("option")).to_have_count(1)
    composer(page).press("Tab")
    expect(composer(page)).to_have_value("script: say=mine ")
    expect(files(page)).to_have_text("Answered by Scripted")
    page.reload()
    expect(files(page)).to_have_text("Answered by Scripted")
    asked: list[Any] = []

    def ask(route: Route) -> None:
        asked.append(route.request.post_data_json)
        route.continue_()

    page.route("**/turns", ask)
    composer(page).press("Enter")
    finished(page, "mine")
    assert asked[0]["model"] == "scripted"
    expect(files(page)).to_have_count(0)


def test_files_are_sent_up_and_go_along_with_the_message(page: Page) -> None:
    attach(page, CSV, {"name": "Straße.txt", "mimeType": "text/plain", "buffer": "Käse".encode("cp1252")})
    both = [re.compile(rf"{re.escape(name)}.*ready", re.DOTALL) for name in ("figures.csv", "Straße.txt")]
    expect(files(page)).to_have_text(both)
    page.reload()
    expect(files(page)).to_have_text(both)
    with page.expect_response(lambda reply: reply.request.method == "DELETE") as erased:
        press(page, "Remove Straße.txt")
    expect(files(page)).to_have_count(1)
    assert page.request.get(erased.value.url).status == 404
    send_when_ready(page, "Sum it up.\nscript: say=twelve")
    finished(page, "twelve")
    expect(files(page.locator("form"))).to_have_count(0)
    tree = page.request.get(f"/api/conversations/{page.url.rsplit('/', 1)[1]}").json()
    question = tree["messages"][0]
    assert question["parts"][0]["text"] == "Sum it up.\nscript: say=twelve"
    assert [(file["name"], file["size"]) for file in question["files"]] == [("figures.csv", 19)]


def test_a_sent_file_opens_beside_the_conversation(page: Page) -> None:
    attach(page, CSV)
    send_when_ready(page, "Sum it up.\nscript: say=twelve")
    finished(page, "twelve")
    chip = questions(page).get_by_role("button", name="figures.csv")
    expect(chip).to_have_text(re.compile(r"figures\.csv\s*19 bytes"))
    chip.focus()
    page.keyboard.press("Enter")
    beside = page.get_by_role("complementary", name="figures.csv")
    expect(beside.get_by_role("cell", name="Lyon")).to_be_visible()
    expect(beside.get_by_role("rowheader")).to_have_text("2")
    page.keyboard.press("Escape")
    expect(beside).to_have_count(0)
    expect(chip).to_be_focused()
    press(page, "Edit this message")
    page.get_by_role("textbox", name="Edit your message").fill("Again.\nscript: say=once more")
    page.keyboard.press("Enter")
    finished(page, "once more")
    expect(questions(page).get_by_role("button", name="figures.csv")).to_be_visible()


def test_a_message_that_holds_its_files_in_fences_shows_them_by_their_names(page: Page) -> None:
    send(page, "script: say=twelve\n\nfigures.csv:\n```csv\ntown;bread\nLyon;12\n```")
    finished(page, "twelve")
    expect(questions(page)).not_to_contain_text("```")
    chip = questions(page).get_by_text("figures.csv")
    expect(chip.locator("..")).to_have_text("figures.csv19 bytes")
    rows = questions(page).get_by_text("Lyon;12")
    expect(rows).to_be_hidden()
    chip.locator("..").focus()
    page.keyboard.press("Enter")
    expect(rows).to_be_visible()


def test_what_cannot_be_taken_or_read_says_why_on_the_spot(page: Page, watches: list[Watch]) -> None:
    watches[-1].forgive("400 (Bad Request)")
    composer(page).fill("typed before")
    attach(
        page,
        {"name": "nothing.txt", "mimeType": "", "buffer": b""},
        {"name": "report.pdf", "mimeType": "", "buffer": b"%PDF-1.7"},
        CSV,
    )
    refused = files(page).filter(has_text="nothing.txt")
    expect(refused.get_by_role("alert")).to_contain_text("nothing.txt is empty")
    expect(files(page).filter(has_text="report.pdf").get_by_role("alert")).to_contain_text("report.pdf")
    expect(files(page)).to_have_count(3)
    press(page, "Upload nothing.txt again")
    expect(refused.get_by_role("alert")).to_contain_text("nothing.txt is empty")
    press(page, "Remove nothing.txt")
    press(page, "Remove report.pdf")
    expect(files(page)).to_have_count(1)
    expect(composer(page)).to_have_value("typed before")


def test_files_alone_are_sent_with_a_question_of_their_own(page: Page) -> None:
    attach(page, CSV)
    expect(files(page)).to_have_text(re.compile("ready"))
    page.get_by_role("button", name="Send", exact=True).click()
    finished(page)
    expect(questions(page).last).to_contain_text("Summarize this file.")
    expect(questions(page).last).to_contain_text("figures.csv")


def test_a_file_on_its_way_shows_how_far_it_is_and_is_broken_off(page: Page) -> None:
    held: list[Route] = []
    page.route("**/api/files?*", lambda route: held.append(route))
    composer(page).fill("What is in it?")
    attach(page, CSV)
    expect(files(page).get_by_role("progressbar", name="Uploading figures.csv")).to_be_visible()
    composer(page).press("Enter")
    expect(page.get_by_text("A file is still uploading.")).to_be_visible()
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    press(page, "Cancel the upload of figures.csv")
    expect(files(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    for route in held:
        route.abort()


def test_a_temporary_chat_takes_no_files(page: Page) -> None:
    page.goto("/temporary")
    attach(page, CSV)
    expect(page.get_by_text("Files can’t be added to a temporary chat")).to_be_visible()
    expect(files(page)).to_have_count(0)


def test_files_come_by_drop_and_by_paste(page: Page) -> None:
    page.evaluate("""async () => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(["print(1)\\n"], "one.py", { type: "text/x-python" }));
      const init = { dataTransfer: transfer, bubbles: true, cancelable: true };
      document.body.dispatchEvent(new DragEvent("dragover", init));
      await new Promise(requestAnimationFrame);
      window.dragged = document.body.innerText.includes("Drop files here");
      document.body.dispatchEvent(new DragEvent("drop", init));
      const clipboard = new DataTransfer();
      clipboard.items.add(new File(["a,b"], "two.csv", { type: "text/csv" }));
      const field = document.getElementById("composer");
      field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: clipboard, bubbles: true, cancelable: true }));
    }""")
    assert page.evaluate("window.dragged")
    expect(files(page)).to_have_text([re.compile("one.py"), re.compile("two.csv")])
    expect(page.get_by_text("Drop files here")).to_be_hidden()


def test_a_long_pasted_text_may_become_a_file(page: Page) -> None:
    composer(page).fill("Read this: ")
    paste(page, "bread and rivers " * 1000)
    expect(composer(page)).to_have_value(re.compile("^Read this: bread"))
    expect(page.get_by_text("17,000 characters pasted.")).to_be_visible()
    press(page, "Attach it as a file")
    expect(composer(page)).to_have_value("Read this: ")
    expect(files(page)).to_have_text(re.compile("Pasted text.txt"))
    composer(page).press("Control+End")
    paste(page, "short")
    expect(composer(page)).to_have_value("Read this: short")


def test_ten_megabytes_are_pasted_without_harm(page: Page) -> None:
    composer(page).fill("typed before")
    paste(page, "0123456789" * 1_000_000)
    expect(files(page)).to_have_text(re.compile(r"Pasted text.txt\s*9\.5 MB"))
    expect(composer(page)).to_have_value("typed before")
    composer(page).press_sequentially("!")
    press(page, "Remove Pasted text.txt")
    expect(files(page)).to_have_count(0)
    page.reload()
    expect(composer(page)).to_have_value("typed before!")


def test_a_full_storage_loses_no_text_while_the_page_is_open(page: Page) -> None:
    send(page, "script: say=one")
    finished(page, "one")
    page.evaluate("""() => {
      for (let size = 4_000_000, i = 0; size > 0; i++) {
        try { localStorage.setItem(`fill${i}`, "x".repeat(size)); } catch { size = Math.floor(size / 2); }
      }
    }""")
    composer(page).fill("there is no room for this " * 20)
    expect(page.get_by_text("The browser’s storage is full or blocked")).to_be_visible()
    address = page.url
    page.get_by_role("button", name="New chat").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.go_back()
    expect(composer(page)).to_have_value(re.compile("^there is no room"))
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.evaluate("location.href = '/docs'")
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    assert page.url == address
    send(page, SLOW)
    until_longer(page, 10)
    send(page, "script: say=in spite of it")
    expect(waiting(page)).to_have_count(1)
    finished(page, "in spite of it")


def test_two_tabs_keep_a_draft_each_and_a_closed_ones_is_taken_over(page: Page) -> None:
    send(page, "script: say=one")
    finished(page, "one")
    other = page.context.new_page()
    other.goto(page.url)
    finished(other, "one")
    composer(page).fill("from the first tab")
    composer(other).fill("from the second tab")
    page.reload()
    expect(composer(page)).to_have_value("from the first tab")
    expect(composer(other)).to_have_value("from the second tab")
    other.close()
    third = page.context.new_page()
    third.goto(page.url)
    expect(composer(third)).to_have_value("from the second tab")
    page.reload()
    expect(composer(page)).to_have_value("from the first tab")
    page.close()
    third.reload()
    expect(composer(third)).to_have_value("from the first tab\n\nfrom the second tab")


def test_enter_while_a_word_is_being_composed_sends_nothing(page: Page) -> None:
    composer(page).focus()
    session = page.context.new_cdp_session(page)
    session.send("Input.imeSetComposition", {"text": "ni", "selectionStart": 2, "selectionEnd": 2})
    page.keyboard.press("Enter")
    session.send("Input.insertText", {"text": "你"})
    expect(questions(page)).to_have_count(0)
    expect(composer(page)).to_have_value(re.compile("你"))


def test_on_a_phone_enter_makes_a_line(opening: Opening, shared: Served) -> None:
    page = opening(shared, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True).new_page()
    page.goto("/")
    composer(page).fill("one")
    composer(page).press("Enter")
    expect(composer(page)).to_have_value("one\n")
    composer(page).press("Control+Enter")
    finished(page)


def test_on_a_phone_one_row_of_buttons_does(opening: Opening, shared: Served) -> None:
    page = opening(shared, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True).new_page()
    page.route("**/api/pictures/models", lambda route: route.fulfill(json=NOTHING_DRAWS))
    page.goto("/")
    form = page.locator("form", has=composer(page))
    model, send = model_button(page), form.get_by_role("button", name="Send")
    middles = [box["y"] + box["height"] / 2 for box in (model.bounding_box(), send.bounding_box()) if box is not None]
    more = form.get_by_role("button", name="Files and tools")
    box = more.bounding_box()
    assert box is not None
    assert middles == [box["y"] + box["height"] / 2] * 2
    more.tap()
    image = page.get_by_role("button", name="Make an image")
    expect(image).to_be_disabled()
    expect(image).to_contain_text("No model here can make images yet.")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("dialog").get_by_role("button", name="Add files").tap()
    chooser.value.set_files([{"name": "a.txt", "mimeType": "text/plain", "buffer": b"one"}])
    expect(form.get_by_text("a.txt")).to_be_visible()


def test_what_no_model_can_do_is_greyed_and_says_why(page: Page) -> None:
    page.route("**/api/pictures/models", lambda route: route.fulfill(json=NOTHING_DRAWS))
    page.reload()
    reason = "No model here can make images yet."
    button = page.get_by_role("button", name="Image", exact=True)
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description(reason)
    button.click(force=True)
    expect(page.get_by_text(reason).first).to_be_visible()


def prefer(page: Page, **choices: object) -> None:
    """Set preferences as the settings do, and have the page read them."""
    kept = page.request.get("/api/preferences").json()
    assert page.request.put("/api/preferences", data={**kept, **choices}).ok
    page.reload()


def test_a_saved_prompt_asks_for_its_blanks(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    page.goto("/")
    for name, text in (("thanks", "Thank {{name}} for {{what}}."), ("plain", "Hello")):
        assert page.request.post("/api/prompts", data={"name": name, "text": text}).ok
    page.reload()
    composer(page).press_sequentially("/tha")
    expect(page.get_by_role("option", name="/thanks")).to_be_visible()
    composer(page).press("Enter")
    form = page.get_by_role("form", name="Fill in “thanks”")
    expect(form.get_by_label("name")).to_be_focused()
    page.keyboard.type("Ana")
    form.get_by_label("what").fill("the bread")
    page.keyboard.press("Enter")
    expect(composer(page)).to_have_value("Thank Ana for the bread.")
    expect(composer(page)).to_be_focused()
    composer(page).fill("")
    composer(page).press_sequentially("/tha")
    composer(page).press("Enter")
    expect(form.get_by_label("name")).to_be_focused()
    form.get_by_label("what").fill("the bread")
    page.keyboard.press("Enter")
    expect(composer(page)).to_have_value("Thank  for the bread.")
    composer(page).fill("")
    composer(page).press_sequentially("/tha")
    composer(page).press("Enter")
    expect(form.get_by_label("name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(form).to_be_hidden()
    expect(composer(page)).to_be_focused()
    composer(page).press_sequentially("/plain")
    composer(page).press("Tab")
    expect(composer(page)).to_have_value("Hello")


def test_enter_makes_a_line_where_that_is_preferred(opening: Opening, mortal: Served) -> None:
    page = opening(mortal).new_page()
    page.goto("/")
    prefer(page, send_key="ctrl-enter")
    composer(page).fill("script: say=sent")
    page.wait_for_timeout(200)
    composer(page).press("Enter")
    expect(composer(page)).to_have_value("script: say=sent\n")
    composer(page).press("Control+Enter")
    finished(page, "sent")
