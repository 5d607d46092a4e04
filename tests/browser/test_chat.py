"""What a person does in the page, in a real browser, on the scripted engine."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.served import Served

SLOW = "script: words=200 rate=40"


def composer(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Your message", exact=True)


def send(page: Page, text: str) -> None:
    composer(page).fill(text)
    composer(page).press("Enter")


def answers(page: Page) -> Locator:
    return page.get_by_role("article", name="Éclair")


def answer(page: Page) -> Locator:
    return answers(page).last


def choose(page: Page, conversation: str, what: str) -> None:
    """Do something with a conversation by its menu in the list."""
    nav = page.get_by_role("navigation", name="Conversations")
    nav.get_by_role("link", name=conversation, exact=True).first.hover()
    nav.get_by_role("button", name=f"Actions for “{conversation}”", exact=True).first.click()
    page.get_by_role("menuitem", name=what).click()


def model_button(page: Page) -> Locator:
    """The button beside "Send" that says which model answers, in English or German."""
    return page.get_by_role("button", name=re.compile("^Model+: "))


def choose_model(page: Page, name: str) -> None:
    model_button(page).click()
    page.get_by_role("dialog").locator("button.choose", has_text=name).first.click()


def finished(page: Page, text: str | re.Pattern[str] = "") -> None:
    """Wait until nothing is on its way any more and the last answer is complete, and holds `text`."""
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_hidden()
    expect(answer(page).get_by_role("button", name="Copy this answer")).to_be_visible()
    expect(answer(page)).to_contain_text(text)


def body(page: Page) -> str:
    """The words of the last answer as they stand, on a page that is out of sight too."""
    return (answer(page).locator(".prose").text_content() or "").strip()


def until_longer(page: Page, than: int) -> None:
    page.wait_for_function(
        "n => [...document.querySelectorAll('article .prose')].at(-1)?.textContent.length > n", arg=than
    )


def test_words_arrive_one_after_another_and_end_with_their_figures(page: Page) -> None:
    send(page, f"Tell me of bread.\n{SLOW}")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    until_longer(page, 10)
    early = body(page)
    until_longer(page, len(early) + 40)
    assert body(page).startswith(early.rstrip(".")[:10])
    finished(page)
    line = answer(page).get_by_text(re.compile(r"^Scripted · \d+ words/s$"))
    line.click()
    expect(answer(page).get_by_role("definition").first).to_be_visible()
    figures = dict(
        zip(*(answer(page).get_by_role(role).all_inner_texts() for role in ("term", "definition")), strict=True)
    )
    assert figures["Words"] == "200"
    assert re.fullmatch(r"\d+ ms|\d+\.\d s", figures["First word after"])
    assert re.fullmatch(r"\d+\.\d s", figures["Time taken"])
    expect(page).to_have_url(re.compile(r"/c/conv_[0-9a-z]{26}$"))
    expect(page).to_have_title("Tell me of bread. · Éclair")
    expect(page.get_by_role("link", name="Tell me of bread.")).to_have_attribute("aria-current", "page")


def test_the_figures_say_what_was_guessed_ahead(page: Page) -> None:
    send(page, "script: words=20 guessed=31/36")
    finished(page)
    expect(answer(page)).not_to_contain_text("31 of 36")
    answer(page).get_by_text(re.compile(r"^Scripted · ")).click()
    kept = answer(page).get_by_role("term").filter(has_text="Drafted tokens kept").locator("xpath=..")
    expect(kept.get_by_role("definition")).to_have_text("31 of 36")


def test_an_answer_is_nearer_to_its_question_than_to_the_next(page: Page) -> None:
    for text in ("One?", "Two?"):
        send(page, text)
        finished(page)

    def edges(name: str, nth: int) -> tuple[float, float]:
        box = page.get_by_role("article", name=name).nth(nth).locator("p").first.bounding_box()
        assert box is not None
        return box["y"], box["y"] + box["height"]

    (_, question), (following, _) = edges("You", 0), edges("You", 1)
    first = page.get_by_role("article", name="Éclair").first
    begins, ends = first.locator(".prose").bounding_box(), first.locator("summary").bounding_box()
    assert begins is not None
    assert ends is not None
    assert begins["y"] - question + 10 < following - ends["y"] - ends["height"]


def test_what_an_answer_waits_for_is_said_from_the_start(page: Page) -> None:
    send(page, "script: load=4 read=3000 say=here")
    expect(answer(page).get_by_text(re.compile(r"^Loading Scripted, [1-9]\d%$"))).to_be_visible()
    expect(page.get_by_role("log").get_by_text("Loading Scripted", exact=True)).to_be_attached()
    expect(answer(page).get_by_text(re.compile(r"^Reading 3,000 tokens, [1-9]\d%, \d sec left$"))).to_be_visible()
    expect(page.get_by_role("log").get_by_text("Reading 3,000 tokens", exact=True)).to_be_attached()
    finished(page, "here")


def test_an_engine_that_says_nothing_is_waited_for_with_the_seconds(page: Page) -> None:
    send(page, "script: pause=5@0 say=here")
    expect(answer(page).get_by_text("Waiting for Scripted…")).to_be_visible()
    expect(page.get_by_role("log").get_by_text("Waiting for Scripted", exact=True)).to_be_attached()
    expect(answer(page).get_by_text("Waiting for Scripted, 4 sec")).to_be_visible()
    finished(page, "here")
    expect(answer(page).get_by_text("Waiting for Scripted")).to_be_hidden()


def test_an_answer_that_waits_for_another_says_so(page: Page) -> None:
    send(page, "script: words=5000 rate=20")
    until_longer(page, 10)
    other = page.context.new_page()
    other.goto("/")
    send(other, "script: pause=8@0 say=here")
    expect(
        answer(other).get_by_text(re.compile(r"^Waiting for Scripted, 1 other answer first, \d sec$"))
    ).to_be_visible()
    other.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop").click()
    finished(page, "You stopped this answer.")


def test_stop_keeps_what_was_said_and_continue_takes_it_up(page: Page) -> None:
    send(page, SLOW)
    until_longer(page, 60)
    page.get_by_role("button", name="Stop").click()
    finished(page, "You stopped this answer.")
    kept = body(page)
    page.wait_for_timeout(300)
    assert body(page) == kept
    answer(page).get_by_role("button", name="Continue").click()
    finished(page, "2/2")
    assert len(body(page)) > len(kept)
    assert body(page).startswith(kept[:40])


def test_escape_stops(page: Page) -> None:
    send(page, SLOW)
    until_longer(page, 20)
    composer(page).press("Escape")
    finished(page, "You stopped this answer.")
    expect(composer(page)).to_be_focused()


def test_retry_makes_a_branch_and_the_arrows_switch(page: Page) -> None:
    send(page, "script: say=a first answer")
    finished(page, "a first answer")
    answer(page).get_by_role("button", name="Answer again").click()
    finished(page, "2/2")
    answer(page).get_by_role("button", name="Previous version").click()
    expect(answer(page)).to_contain_text("1/2")
    page.reload()
    expect(answer(page)).to_contain_text("1/2")
    answer(page).get_by_role("button", name="Next version").click()
    expect(answer(page)).to_contain_text("2/2")


def test_editing_a_message_branches_and_keeps_the_old_one(page: Page) -> None:
    send(page, "script: say=about rivers")
    finished(page, "about rivers")
    send(page, "script: say=more of them")
    finished(page, "more of them")
    question = page.get_by_role("article", name="You").first
    question.hover()
    question.get_by_role("button", name="Edit this message").click()
    field = page.get_by_role("textbox", name="Edit your message")
    expect(field).to_have_value("script: say=about rivers")
    field.fill("script: say=about bridges")
    field.press("Enter")
    finished(page, "about bridges")
    expect(answers(page)).to_have_count(1)
    page.get_by_role("button", name="Previous version").click()
    expect(answers(page)).to_have_count(2)
    expect(answer(page)).to_contain_text("more of them")


def test_reload_and_a_second_tab_show_the_same_answer_growing(page: Page) -> None:
    other = page.context.new_page()
    send(page, "script: say=one")
    finished(page, "one")
    other.goto(page.url)
    finished(other, "one")
    send(page, "script: words=240 rate=60")
    expect(answers(other)).to_have_count(2, timeout=1500)
    until_longer(other, 40)
    page.reload()
    until_longer(page, 60)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    finished(page)
    finished(other)
    run = _last_run(page)
    assert body(page) == body(other)
    whole = "".join(part["text"] for part in run["message"]["parts"])
    assert "".join(body(page).split()) == "".join(whole.split())


def test_what_one_tab_starts_another_stops(page: Page) -> None:
    send(page, "script: say=one")
    finished(page, "one")
    other = page.context.new_page()
    other.goto(page.url)
    finished(other, "one")
    send(page, SLOW)
    until_longer(other, 20)
    other.get_by_role("button", name="Stop").click()
    finished(page, "You stopped this answer.")
    finished(other, "You stopped this answer.")


def _last_run(page: Page) -> dict[str, Any]:
    conversation = page.url.rsplit("/", 1)[1]
    tree = page.request.get(f"/api/conversations/{conversation}").json()
    leaf = next(m for m in tree["messages"] if m["id"] == tree["conversation"]["leaf"])
    return page.request.get(f"/api/runs/{leaf['run']}").json()


def test_follow_up_questions_are_off_and_go_into_the_composer_where_they_are_on(
    opening: Opening, starting: Starting
) -> None:
    page = opening(starting()).new_page()
    page.goto("/")
    script = "script: words=3 next=Why_so?,Since_when?"
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    send(page, script)
    finished(page)
    page.goto("/settings#writing")
    group = page.get_by_role("group", name="Follow-up questions")
    expect(group.get_by_role("radio", name="Off")).to_be_checked()
    group.get_by_role("radio", name="On").check(force=True)
    expect(page.get_by_text("Not in temporary chats.")).to_be_visible()
    assert not [url for url in asked if url.endswith("/follow-ups")]
    page.goto("/")
    send(page, script)
    finished(page)
    follow_ups = answer(page).get_by_role("group", name="Follow-up questions")
    expect(follow_ups.get_by_role("button")).to_have_text(["Why so?", "Since when?"])
    follow_ups.get_by_role("button", name="Since when?").click()
    expect(composer(page)).to_have_value("Since when?")
    expect(composer(page)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("article", name="Éclair")).to_have_count(2)
    expect(follow_ups).to_have_count(0)
    page.reload()
    finished(page)
    expect(page.get_by_role("group", name="Follow-up questions")).to_have_count(0)
    page.goto("/temporary")
    send(page, script)
    finished(page)
    expect(page.get_by_role("group", name="Follow-up questions")).to_have_count(0)


def test_after_a_search_nothing_leads_to_an_end_that_is_in_view(page: Page) -> None:
    send(page, "script: say=the okapi sleeps")
    finished(page, "okapi")
    page.get_by_role("button", name="New chat", exact=True).click()
    page.get_by_role("searchbox", name="Search conversations").fill("okapi")
    page.get_by_role("navigation").get_by_role("link").filter(has=page.locator("mark")).first.click()
    expect(page.locator("article.found")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Jump to the latest message")).to_have_count(0)


def test_notices_leave_the_foot_of_the_sidebar_free(page: Page) -> None:
    send(page, "script: say=so")
    finished(page, "so")
    page.keyboard.press("Control+/")
    notice = page.get_by_role("status").get_by_text(re.compile("Search the web|Web search is on"))
    foot = page.get_by_role("navigation", name="Conversations").get_by_role("link", name="Settings")
    boxes = [notice.bounding_box(), foot.bounding_box()]
    assert all(boxes)
    notice_box, foot_box = boxes
    assert notice_box is not None
    assert foot_box is not None
    assert notice_box["x"] > foot_box["x"] + foot_box["width"]


def test_search_finds_marks_and_jumps(page: Page) -> None:
    send(page, "script: say=the cartographer drank chocolate")
    finished(page)
    address = page.url
    page.get_by_role("link", name="Éclair", exact=True).click()
    expect(page).to_have_url(re.compile(r"/$"))
    page.get_by_role("searchbox", name="Search conversations").fill("cartogr")
    hit = page.get_by_role("navigation").get_by_role("link").filter(has=page.locator("mark")).first
    expect(hit.locator("mark").first).to_have_text(re.compile("cartogr", re.IGNORECASE))
    hit.click()
    expect(page).to_have_url(re.compile(re.escape(address) + "#msg_"))
    finished(page, "cartographer")
    page.get_by_role("searchbox").fill("nowhere-to-be-found")
    expect(page.get_by_text("Nothing found for “nowhere-to-be-found”.")).to_be_visible()


def test_a_conversation_is_renamed_and_deleted(page: Page) -> None:
    send(page, "A name to be changed")
    finished(page)
    nav = page.get_by_role("navigation", name="Conversations")
    choose(page, "A name to be changed", "Rename")
    nav.get_by_role("textbox", name="Title").fill("Another name")
    nav.get_by_role("textbox", name="Title").press("Enter")
    expect(page).to_have_title("Another name · Éclair")
    choose(page, "Another name", "Delete")
    expect(nav.get_by_role("link", name="Another name")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/$"))


def test_a_refused_message_loses_no_text(page: Page, watches: list[Watch]) -> None:
    watches[0].forgive("413", "409")
    large = "large " * 200_000
    send(page, large)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(composer(page)).to_have_value(large.strip())
    page.reload()
    expect(composer(page)).to_have_value(re.compile("^large large"))
    send(page, "script: say=one")
    finished(page, "one")
    other = page.context.new_page()
    other.goto(page.url)
    finished(other, "one")
    other.route("**/api/conversations/*", lambda route: route.abort())
    other.route("**/api/runs/**", lambda route: route.abort())
    watches[0].forgive("413", "409", "ERR_FAILED")
    send(page, SLOW)
    until_longer(page, 10)
    if composer(other).is_enabled() and other.get_by_role("button", name="Send").is_visible():
        send(other, "while it is busy")
        expect(other.get_by_role("alert")).to_be_visible()
        expect(composer(other)).to_have_value("while it is busy")
    page.get_by_role("button", name="Stop").click()
    finished(page)


def test_a_lost_reply_doubles_nothing(page: Page, watches: list[Watch]) -> None:
    watches[0].forgive("ERR_FAILED")
    lost: list[str] = []

    def lose(route: Route) -> None:
        """Let the server have the first request to each address, and keep its reply from the page."""
        url = route.request.url
        if url in lost:
            route.continue_()
            return
        lost.append(url)
        page.request.post(url, data=route.request.post_data_json)
        route.abort()

    page.route("**/api/conversations", lose)
    page.route("**/turns", lose)
    send(page, "script: say=only once")
    finished(page, "only once")
    send(page, "script: say=nor twice")
    finished(page, "nor twice")
    assert len(lost) == 2
    expect(page.get_by_role("article", name="You")).to_have_count(2)
    page.reload()
    finished(page, "nor twice")
    expect(page.get_by_role("article", name="You")).to_have_count(2)
    expect(composer(page)).to_have_value("")


def test_a_draft_outlives_a_reload_and_is_its_conversations_own(page: Page) -> None:
    send(page, "script: say=one")
    finished(page)
    composer(page).fill("half a thou")
    page.reload()
    expect(composer(page)).to_have_value("half a thou")
    page.get_by_role("button", name="New chat").first.click()
    expect(composer(page)).to_have_value("")
    page.go_back()
    expect(composer(page)).to_have_value("half a thou")


def test_an_answer_that_fails_says_why(page: Page) -> None:
    send(page, "script: words=30 fail=10")
    finished(page)
    expect(answer(page).locator(".problem")).to_have_text(re.compile(r"\w.*\."))
    expect(answer(page).get_by_role("button", name="Answer again")).to_be_enabled()


def test_an_answer_that_fails_half_way_is_taken_up(page: Page) -> None:
    send(page, "script: words=30 fail=10")
    finished(page)
    kept = body(page)
    answer(page).get_by_role("button", name="Continue").click()
    finished(page, "2/2")
    assert len(body(page)) > len(kept)
    assert body(page).startswith(kept[:40])


def test_thoughts_are_folded_and_open(page: Page) -> None:
    send(page, "script: reasoning=20 words=5")
    finished(page)
    expect(answer(page).locator("details p")).to_have_count(0)
    answer(page).get_by_text("Reasoning").click()
    expect(answer(page).locator("details p")).to_be_visible()


def test_markup_from_a_model_is_text(page: Page) -> None:
    evil = "<img src=x onerror=alert(1)> <script>alert(2)</script> [x](javascript:alert(3)) <b style=color:red>y</b>"
    send(page, f"script: say={evil}")
    finished(page)
    expect(answer(page)).to_contain_text("<script>alert(2)</script>")
    assert answer(page).locator(".prose :is(script, img, a, [style])").count() == 0


def test_a_killed_server_interrupts_the_answer_and_it_is_taken_up(
    opening: Opening, mortal: Served, watches: list[Watch]
) -> None:
    page = opening(mortal).new_page()
    page.goto("/")
    watches[0].forgive("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY")
    send(page, "script: words=300 rate=50")
    until_longer(page, 150)
    mortal.kill()
    expect(page.get_by_text("Connection lost. Reconnecting…")).to_be_visible()
    composer(page).fill("typed while it was away")
    kept = body(page)
    mortal.start()
    finished(page, "Éclair was restarted while writing this answer.")
    expect(page.get_by_text("Connection lost. Reconnecting…")).to_be_hidden()
    assert kept.startswith(body(page)) or body(page).startswith(kept)
    assert len(body(page)) > 50
    expect(composer(page)).to_have_value("typed while it was away")
    half = body(page)
    answer(page).get_by_role("button", name="Continue").click()
    finished(page, "2/2")
    assert body(page).startswith(half[:40])
    assert len(body(page)) > len(half)


def test_a_message_to_a_server_that_is_down_stays_in_the_composer(
    opening: Opening, mortal: Served, watches: list[Watch]
) -> None:
    page = opening(mortal).new_page()
    page.goto("/")
    watches[0].forgive("ERR_")  # however the browser words it
    mortal.kill()
    send(page, "script: say=at last")
    expect(page.get_by_role("alert")).to_contain_text("Éclair can’t be reached.")
    expect(composer(page)).to_have_value("script: say=at last")
    mortal.start()
    composer(page).press("Enter")
    finished(page, "at last")
    expect(page.get_by_role("article", name="You")).to_have_count(1)
