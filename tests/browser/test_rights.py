"""Rights, shared libraries and emergency reads, as administrators and members see them."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.accounts import join
from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Starting, Watch
from tests.browser.test_chat import choose
from tests.browser.test_sign_in import begin

REASON = "They have not come to work and wrote of wanting to die."


def pick(page: Page, words: str, name: str) -> None:
    """Choose a person or group whose name has these words."""
    page.get_by_label("Person or group").last.fill(words)
    page.get_by_role("list", name="Person or group").get_by_role("button", name=name).click()


def test_a_right_is_denied_shown_with_its_reason_and_given_back(opening: Opening, starting: Starting) -> None:
    served, page = begin(opening, starting)
    join(opening(served), served, "ben")
    page.goto("/admin/rights")
    expect(page.get_by_text("There are no rules")).to_be_visible()
    form = page.get_by_role("form", name="New rule")
    pick(page, "be", "Ben")
    form.get_by_label("Right to").select_option("Making images")
    form.get_by_role("button", name="New rule").click()
    rules = page.get_by_role("list", name="Rights")
    expect(rules.get_by_role("listitem")).to_contain_text("Ben · May not use")
    check(page)
    page.goto("/admin/people")
    page.get_by_role("list", name="People").get_by_role("link", name="Ben").click()
    page.get_by_text("What Ben may use").click()
    shown = page.get_by_role("list", name="What Ben may use")
    images = shown.get_by_role("listitem").filter(has_text="Making images")
    expect(images).to_contain_text("May not use · Denied: Ben")
    expect(shown.get_by_role("listitem").filter(has_text="Web search")).to_contain_text("Open to everyone")
    check(page)
    page.goto("/admin/rights")
    page.get_by_role("button", name="Making images").click()
    expect(page.get_by_text("There are no rules")).to_be_visible()


def test_a_library_is_shared_read_and_taken_back(opening: Opening, starting: Starting) -> None:
    served, page = begin(opening, starting)
    other = join(opening(served), served, "ben")
    page.goto("/libraries")
    page.get_by_label("New library").fill("handbook")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Share @handbook").click()
    dialog = page.get_by_role("dialog", name="Share @handbook")
    expect(dialog.get_by_text("Nobody yet")).to_be_visible()
    pick(page, "be", "Ben")
    expect(dialog.get_by_label("Ben", exact=True)).to_have_value("view")
    check(page)
    other.goto("/libraries")
    expect(other.get_by_text("Shared by Ada Lovelace")).to_be_visible()
    expect(other.get_by_role("button", name="Rename")).to_have_count(0)
    other.get_by_text("Files", exact=True).click()
    expect(other.get_by_role("button", name="Attach files")).to_have_count(0)
    dialog.get_by_label("Ben", exact=True).select_option("May add and remove files")
    other.reload()
    other.get_by_text("Files", exact=True).click()
    expect(other.get_by_role("group").get_by_role("button").first).to_be_visible()
    dialog.get_by_role("button", name="Ben").last.click()
    expect(dialog.get_by_text("Nobody yet")).to_be_visible()
    expect(other.get_by_text("Shared by Ada Lovelace")).to_have_count(0)


def test_a_prompt_is_shared_used_changed_and_taken_back(opening: Opening, starting: Starting) -> None:
    served, page = begin(opening, starting)
    other = join(opening(served), served, "ben")
    page.goto("/settings/prompts")
    page.get_by_role("button", name="Add a prompt").click()
    page.get_by_role("textbox", name="Name").fill("letter")
    page.get_by_role("textbox", name="Text", exact=True).fill("Dear {{who}}")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("/letter").click()
    page.get_by_role("button", name="Share letter").click()
    dialog = page.get_by_role("dialog", name="Share /letter")
    expect(dialog.get_by_text("Nobody yet")).to_be_visible()
    pick(page, "be", "Ben")
    expect(dialog.get_by_label("Ben", exact=True)).to_have_value("view")
    check(page)
    other.get_by_role("textbox", name="Your message").press_sequentially("/let")
    offered = other.get_by_role("option", name="/letter")
    expect(offered).to_contain_text("Prompt shared by Ada Lovelace")
    other.keyboard.press("Enter")
    other.get_by_label("who").fill("all")
    other.keyboard.press("Enter")
    expect(other.get_by_role("textbox", name="Your message")).to_have_value("Dear all")
    other.goto("/settings/prompts")
    other.get_by_text("/letter").click()
    expect(other.get_by_text("Dear {{who}}")).to_be_visible()
    expect(other.get_by_role("button", name="Save")).to_have_count(0)
    dialog.get_by_label("Ben", exact=True).select_option("May change")
    text = other.get_by_role("textbox", name="Text", exact=True)
    expect(text).to_be_visible()
    expect(other.get_by_role("button", name="Delete “letter”")).to_have_count(0)
    text.fill("Hello {{who}}")
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    dialog.get_by_role("button", name="Ben").last.click()
    expect(dialog.get_by_text("Nobody yet")).to_be_visible()
    expect(other.get_by_text("No prompts yet.")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("textbox", name="Text", exact=True)).to_have_value("Hello {{who}}")


def test_two_people_read_in_an_emergency_and_the_owner_is_told(opening: Opening, starting: Starting) -> None:
    served, page = begin(opening, starting)
    context = opening(served)
    context.add_init_script(path=AXE)
    owner = join(context, served, "ben")
    auditor = join(opening(served), served, "eve", "auditor")
    owner.get_by_role("textbox", name="Your message").fill("script: say=Please call somebody.")
    owner.keyboard.press("Enter")
    expect(owner.get_by_text("Please call somebody.", exact=True)).to_be_visible()
    page.goto("/admin/emergency")
    expect(page.get_by_text("Nobody has asked.")).to_be_visible()
    page.get_by_label("People").fill("be")
    page.get_by_role("list", name="People").get_by_role("button", name="Ben").click()
    page.get_by_label("Reason, which the person will read").fill(REASON)
    page.get_by_role("button", name="Ask to read").click()
    expect(page.get_by_text("Waiting for a second person")).to_be_visible()
    expect(page.get_by_role("button", name="Agree")).to_have_count(0)
    auditor.goto("/admin/emergency")
    auditor.get_by_role("button", name="Agree").click()
    expect(auditor.get_by_text("Eve agreed, until")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Read the conversations").click()
    page.get_by_role("list", name="Conversations").last.get_by_role("button").first.click()
    expect(page.get_by_text("Please call somebody.", exact=True)).to_be_visible()
    check(page)
    owner.reload()
    told = owner.get_by_role("dialog", name="Emergency reading")
    expect(told).to_contain_text("Ada Lovelace asked to read your conversations, and Eve agreed.")
    expect(told).to_contain_text(REASON)
    check(owner)
    told.get_by_role("button", name="Understood").click()
    expect(told).to_have_count(0)
    owner.reload()
    expect(owner.get_by_role("textbox", name="Your message")).to_be_visible()
    expect(told).to_have_count(0)


def test_a_link_for_the_house_opens_for_who_is_signed_in(
    opening: Opening, starting: Starting, watches: list[Watch]
) -> None:
    served, page = begin(opening, starting)
    other = join(opening(served), served, "ben")
    page.get_by_role("textbox", name="Your message").fill("script: say=Bread is baked.")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Bread is baked.", exact=True)).to_be_visible()
    choose(page, "script: say=Bread is baked.", "Share…")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Only for people with an account here").check()
    dialog.get_by_role("button", name="Create link").click()
    link = dialog.get_by_label("Link", exact=True).input_value()
    other.goto(link)
    expect(other.get_by_text("Bread is baked.", exact=True)).to_be_visible()
    stranger = opening(served).new_page()
    watches[-1].forgive("401")
    stranger.goto(link)
    expect(stranger.get_by_role("alert")).to_contain_text("Only for people with an account here")
    expect(stranger.get_by_role("link", name="Sign in")).to_be_visible()
