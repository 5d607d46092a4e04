"""Markdown in a canvas as it will look: typed, formatted, pasted, changed by a model, and stored as it was written."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import check
from tests.browser.test_canvas import begin, change, field, open_block, pane, stored, versions, write_elsewhere

MINUTES = """# Minutes

Held on **12 May**, with __ten__ people.

* The roof
* The *gutter*

- [ ] Ask for offers
- [x] Tell everybody

| Item | Price |
|:-----|------:|
| Tiles | 100 |

The area is $a^2$[^1] and H<sub>2</sub>O.

[^1]: Measured.
"""

SAVE = "ControlOrMeta+s"


def save(page: Page, text: str) -> None:
    """Save, and wait until the server has `text`."""
    page.keyboard.press(SAVE)
    expect(pane(page).get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert stored(page) == text


def take(page: Page, item: str) -> None:
    """Choose an item of the toolbar's menu for tables."""
    bar(page).get_by_role("button", name="Table").click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def bar(page: Page) -> Locator:
    return pane(page).get_by_role("toolbar", name="Formatting")


def button(page: Page, name: str) -> Locator:
    return bar(page).get_by_role("button", name=name, exact=True)


def test_markdown_looks_as_it_will_and_stays_as_it_was_written(page: Page) -> None:
    open_block(page, MINUTES.rstrip("\n"))
    expect(field(page).get_by_role("heading", name="Minutes", level=1)).to_be_visible()
    expect(field(page).locator("strong")).to_have_text(["12 May", "ten"])
    expect(field(page).get_by_role("columnheader")).to_have_text(["Item", "Price"])
    expect(field(page).locator("sub")).to_have_text("2")
    field(page).click()
    page.keyboard.press("ControlOrMeta+Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press(SAVE)
    pane(page).get_by_role("button", name="Versions").click()
    expect(versions(page)).to_have_count(1)
    field(page).get_by_text("The roof").click()
    page.keyboard.press("End")
    page.keyboard.type(" leaks")
    save(page, MINUTES.rstrip("\n").replace("The roof", "The roof leaks"))
    expect(versions(page)).to_have_count(2)


def test_formulas_and_diagrams_are_shown(page: Page) -> None:
    open_block(page, "So $x^2$ it is.\n\n$$\ny^2\n$$\n\n```mermaid\nflowchart LR\n  A --> B\n```")
    expect(field(page).locator(".katex")).to_have_count(2)
    expect(field(page).locator(".diagram img")).to_be_visible()


def test_formulas_within_words_are_text_where_the_cursor_is(page: Page) -> None:
    open_block(page, "# One\n\nThe area $a^2$ and \\(b\\) of it")
    text = field(page)
    expect(text.locator(".formula .katex")).to_have_count(2)
    text.locator(".formula .katex-base").first.click()
    expect(text.locator(".formula")).to_have_count(1)
    page.keyboard.type("c")
    expect(text).to_contain_text("$a^2c$")
    page.keyboard.press("Home")
    expect(text.locator(".formula .katex").first).to_contain_text("a2c")
    page.keyboard.press("End")
    for _ in "\\) of it":
        page.keyboard.press("ArrowLeft")
    expect(text.locator(".formula")).to_have_count(1)
    page.keyboard.type("d")
    save(page, "# One\n\nThe area $a^2c$ and \\(bd\\) of it")
    page.keyboard.press("ControlOrMeta+a")
    expect(text.locator(".formula")).to_have_count(2)
    page.keyboard.press("Delete")
    expect(text.locator(".formula")).to_have_count(0)


def test_what_is_typed_as_markdown_becomes_what_it_means(page: Page) -> None:
    begin(page, "Text")
    field(page).click()
    page.keyboard.type("# Bread\nIt is **ready**, *warm* and `round`: $2^3$ loaves.\n- one\n- two\n\n1. first\n\n")
    page.keyboard.type("> said\n\n[ ] buy\n\n---\n```python\nx = 1 * 2")
    expect(field(page).get_by_role("heading", name="Bread")).to_be_visible()
    expect(field(page).locator("ul:not(:has(.task)) > li")).to_have_text(["one", "two"])
    expect(field(page).get_by_role("checkbox", name="to do: buy")).not_to_be_checked()
    expect(field(page).locator("pre code")).to_have_text("x = 1 * 2")
    save(
        page,
        "# Bread\n\nIt is **ready**, *warm* and `round`: $2^3$ loaves.\n\n- one\n- two\n\n1. first\n\n> said\n\n"
        "- [ ] buy\n\n---\n\n```python\nx = 1 * 2\n```",
    )


def test_words_that_look_like_markdown_stay_words(page: Page) -> None:
    begin(page, "Text")
    field(page).click()
    page.keyboard.insert_text("2 * 3 * 4 and _x_ <b>")
    save(page, "2 * 3 * 4 and \\_x\\_ \\<b>")
    page.reload()
    page.get_by_role("list", name="Canvases").get_by_role("button").click()
    expect(field(page)).to_have_text("2 * 3 * 4 and _x_ <b>")


def test_a_text_is_formatted_by_toolbar_and_keys(page: Page) -> None:
    begin(page, "Text")
    field(page).click()
    page.keyboard.type("bread")
    page.keyboard.press("ControlOrMeta+a")
    expect(button(page, "Bold")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("ControlOrMeta+b")
    expect(field(page).locator("strong")).to_have_text("bread")
    expect(button(page, "Bold")).to_have_attribute("aria-pressed", "true")
    button(page, "Bulleted list").click()
    expect(field(page).locator("li strong")).to_have_text("bread")
    expect(button(page, "Bulleted list")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ControlOrMeta+z")
    expect(field(page).locator("li")).to_have_count(0)
    page.keyboard.press("ControlOrMeta+z")
    expect(field(page).locator("strong")).to_have_count(0)
    page.keyboard.press("ControlOrMeta+y")
    expect(field(page).locator("strong")).to_have_text("bread")
    page.keyboard.press("ControlOrMeta+a")
    expect(bar(page).locator("[tabindex='0']")).to_have_count(1)
    button(page, "Bold").focus()
    page.keyboard.press("ArrowRight")
    expect(button(page, "Italic")).to_be_focused()
    page.keyboard.press("Enter")
    expect(field(page)).to_be_focused()
    expect(field(page).locator("strong em")).to_have_text("bread")
    bar(page).get_by_role("button", name="Paragraph style: Text").click()
    page.get_by_role("menuitemradio", name="Heading 2").click()
    expect(field(page).get_by_role("heading", level=2)).to_have_text("bread")
    expect(bar(page).get_by_role("button", name="Paragraph style: Heading 2")).to_be_visible()
    button(page, "Strikethrough").click()
    save(page, "## ***~~bread~~***")
    pane(page).get_by_role("combobox", name="Kind").select_option("Python")
    expect(bar(page)).to_have_count(0)


def test_a_link_is_put_changed_and_taken_away(page: Page) -> None:
    begin(page, "Text")
    field(page).click()
    page.keyboard.type("the bread")
    page.keyboard.press("ControlOrMeta+k")
    dialog = page.get_by_role("dialog", name="Link")
    expect(dialog.get_by_role("textbox", name="Text")).to_have_value("bread")
    dialog.get_by_role("textbox", name="Address").fill("bread.example.eu")
    page.keyboard.press("Enter")
    expect(field(page).get_by_role("link", name="bread")).to_have_attribute("href", "https://bread.example.eu")
    expect(field(page)).to_be_focused()
    page.keyboard.type(" now")
    expect(field(page).get_by_role("link")).to_have_text("bread")
    save(page, "the [bread](https://bread.example.eu) now")
    field(page).get_by_role("link").click()
    button(page, "Link").click()
    dialog.get_by_role("button", name="Remove").click()
    save(page, "the bread now")
    button(page, "Link").click()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(field(page)).to_be_visible()


def test_a_table_is_made_and_edited_by_keyboard(page: Page) -> None:
    begin(page, "Text")
    field(page).click()
    bar(page).get_by_role("button", name="Table").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(field(page).get_by_role("columnheader")).to_have_count(3)
    expect(field(page)).to_be_focused()
    for cell in ("Item", "Price", "Tax", "Tiles", "1|2"):
        page.keyboard.type(cell)
        page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    take(page, "Align right")
    take(page, "Delete row")
    page.keyboard.press("ControlOrMeta+z")
    page.keyboard.press("Tab")
    take(page, "Delete column")
    field(page).get_by_text("1|2").click()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.type("300")
    expect(field(page).get_by_role("row")).to_have_count(4)
    save(page, "| Item | Price |\n| --- | ---: |\n| Tiles | 1\\|2 |\n|  |  |\n|  | 300 |")
    take(page, "Insert row above")
    take(page, "Insert column before")
    expect(field(page).get_by_role("columnheader")).to_have_text(["Item", "", "Price"])
    expect(field(page).get_by_role("row")).to_have_count(5)
    field(page).get_by_text("300").click()
    page.keyboard.press("Tab")
    expect(field(page)).not_to_be_focused()


def test_tasks_are_ticked(page: Page) -> None:
    open_block(page, MINUTES.rstrip("\n"))
    field(page).get_by_role("checkbox", name="to do: Ask for offers").click()
    expect(field(page).get_by_role("checkbox", name="done: Ask for offers")).to_be_checked()
    field(page).get_by_role("checkbox", name="done: Tell everybody").focus()
    page.keyboard.press("Space")
    expect(field(page).get_by_role("checkbox", name="to do: Tell everybody")).not_to_be_checked()
    field(page).get_by_text("Ask for offers").click()
    save(page, MINUTES.rstrip("\n").replace("[ ]", "[-]").replace("[x]", "[ ]").replace("[-]", "[x]"))


PASTE = """([element, type, data]) => {
  const transfer = new DataTransfer();
  for (const [kind, text] of Object.entries(data)) transfer.setData(kind, text);
  const event = new ClipboardEvent(type, { clipboardData: transfer, bubbles: true, cancelable: true });
  element.dispatchEvent(event);
  return Object.fromEntries([...transfer.types].map((kind) => [kind, transfer.getData(kind)]));
}"""

WORD = """<html><head><style>p { color: red }</style></head><body><!--StartFragment-->
<h1 style='mso-list:none'>Offer<o:p></o:p></h1>
<p class=MsoNormal><span style='font-weight:bold;color:red'>Dear</span> <b style='font-weight:normal'>Ada</b>,
<i>hello</i><o:p>&nbsp;</o:p></p>
<p class=MsoListParagraph style='text-indent:-18.0pt;mso-list:l0 level1 lfo1'><![if !supportLists]><span
style='mso-list:Ignore'>·<span style='font:7.0pt "Times New Roman"'>&nbsp;&nbsp; </span></span><![endif]>Bread</p>
<p class=MsoListParagraph style='mso-list:l0 level2 lfo1'><span style='mso-list:Ignore'>o </span>White</p>
<table><tr><td><p>Item</p></td><td><p>Price</p></td></tr><tr><td>Tiles</td></tr></table>
<img src="https://elsewhere.example.eu/x.png" onerror="alert(1)"><script>alert(1)</script><!--EndFragment-->
</body></html>"""


def paste(page: Page, **data: str) -> None:
    """Paste `html` and `plain`."""
    field(page).evaluate(
        f"(element, data) => ({PASTE})([element, 'paste', data])", {f"text/{kind}": data[kind] for kind in data}
    )


def test_pages_and_word_are_pasted_as_what_they_mean(page: Page) -> None:
    begin(page, "Text")
    field(page).click()
    paste(page, html=WORD, plain="Offer")
    expect(field(page).get_by_role("heading", name="Offer")).to_be_visible()
    expect(field(page).get_by_role("columnheader")).to_have_text(["Item", "Price"])
    save(
        page,
        "# Offer\n\n**Dear** Ada, *hello*\n\n- Bread\n  - White\n\n| Item | Price |\n| --- | --- |\n| Tiles |  |\n\n"
        "![](https://elsewhere.example.eu/x.png)",
    )


def test_markdown_is_pasted_and_copied(page: Page) -> None:
    begin(page, "Text")
    field(page).click()
    paste(page, plain="## Bread\n\n- **white**\n- rye")
    expect(field(page).get_by_role("heading", name="Bread", level=2)).to_be_visible()
    expect(field(page).locator("li")).to_have_text(["white", "rye"])
    page.keyboard.press("ControlOrMeta+a")
    copied = field(page).evaluate(f"(e) => ({PASTE})([e, 'copy', {{}}])")
    assert copied["text/plain"] == "## Bread\n\n- **white**\n- rye"


def test_what_is_moved_stays_as_it_was_written(page: Page) -> None:
    text = (
        'Call [us](tel:+4930) or [read](guide.md "A guide") and [this](javascript:x).\n\n1) one\n2) two\n\n   more\n\n'
        "* three\n\nend"
    )
    open_block(page, text)
    expect(field(page).locator("a")).to_have_count(3)
    expect(field(page).locator("a[href]")).to_have_count(0)
    field(page).click()
    page.keyboard.press("ControlOrMeta+a")
    cut = field(page).evaluate(f"(e) => ({PASTE})([e, 'cut', {{}}])")
    expect(field(page)).to_have_text("")
    paste(page, html=cut["text/html"], plain=cut["text/plain"])
    expect(field(page)).to_contain_text("three")
    page.keyboard.type("!")
    save(page, f"{text}!")


def test_programs_and_cells_are_pasted_whole(page: Page) -> None:
    open_block(page, "| a | b |\n| --- | --- |\n| c | d |\n\nend")
    field(page).get_by_text("c", exact=True).click()
    page.keyboard.press("End")
    paste(page, plain="one\n\n- two")
    field(page).get_by_text("end").click()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    code = "def f():\n    return 1"
    lines = "".join(f"<div><span>{line}</span></div>" for line in code.split("\n"))
    html = f'<meta charset="utf-8"><div style="color: red;white-space: pre;">{lines}</div>'
    paste(page, html=html, plain=code)
    table = "| a | b |\n| --- | --- |\n| cone<br>two | d |"
    save(page, f"{table}\n\nend\n\n```\n{code}\n```")


def test_links_follow_the_addresses_that_they_name(page: Page) -> None:
    open_block(page, "a [x][r] b\n\n[r]: https://r.eu")
    expect(field(page).locator("a")).to_have_attribute("href", "https://r.eu")
    field(page).get_by_text("[r]:").click()
    page.keyboard.press("End")
    page.keyboard.type("/new")
    expect(field(page).locator("a")).to_have_attribute("href", "https://r.eu/new")
    save(page, "a [x][r] b\n\n[r]: https://r.eu/new")
    page.keyboard.press("ControlOrMeta+z")
    expect(field(page).locator("a")).to_have_attribute("href", "https://r.eu")


def test_a_selection_alone_is_changed_by_a_model(page: Page) -> None:
    open_block(page, MINUTES.rstrip("\n"))
    field(page).get_by_text("12 May").dblclick()
    pane(page).get_by_role("button", name="Change this…").click()
    expect(pane(page).get_by_text("Selection", exact=True)).to_be_visible()
    change(page, "[1] June")
    pane(page).get_by_role("button", name="Accept").click()
    expect(field(page).locator("strong").first).to_have_text(re.compile("June"))
    changed = MINUTES.rstrip("\n").replace("May", "June")
    expect(pane(page).get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert stored(page) in (changed, MINUTES.rstrip("\n").replace("12", "June"))


def test_a_selection_keeps_its_place_in_a_text_from_elsewhere(page: Page) -> None:
    open_block(page, "one **two** three")
    field(page).get_by_text("two").dblclick()
    expect(pane(page).get_by_role("button", name="Change this…")).to_be_visible()
    pane(page).get_by_role("button", name="Versions").click()
    write_elsewhere(page, "\n\none **two** three")
    expect(versions(page)).to_have_count(2)
    pane(page).get_by_role("button", name="Change this…").click()
    change(page, "[1] 2")
    pane(page).get_by_role("button", name="Accept").click()
    expect(field(page).locator("strong")).to_have_text("2")
    expect(versions(page)).to_have_count(3)
    assert stored(page) == "\n\none **2** three"


def test_a_text_from_elsewhere_leaves_the_cursor_and_undoing(page: Page) -> None:
    open_block(page, "# One\n\nfirst\n\nsecond\n\nthird")
    field(page).get_by_text("second").click()
    page.keyboard.press("End")
    page.keyboard.type(" mine")
    save(page, "# One\n\nfirst\n\nsecond mine\n\nthird")
    text = "# One, two\n\nfirst!\n\nsecond mine\n\nthird\n\nfourth"
    write_elsewhere(page, text)
    expect(field(page)).to_contain_text("fourth")
    expect(field(page).get_by_role("heading")).to_have_text("One, two")
    page.keyboard.type(" again")
    save(page, text.replace("second mine", "second mine again"))
    page.keyboard.press("ControlOrMeta+z")
    expect(field(page)).not_to_contain_text("again")
    page.keyboard.press("ControlOrMeta+z")
    expect(field(page)).not_to_contain_text("mine")
    expect(field(page)).to_contain_text("fourth")


def test_the_ends_of_lines_stay(page: Page) -> None:
    open_block(page, "one")
    field(page).click()
    page.keyboard.type("x")
    save(page, "onex")
    text = "one\r\n\r\ntwo"
    write_elsewhere(page, text)
    expect(field(page)).to_contain_text("two")
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(" more")
    save(page, text + " more")


def test_the_markdown_itself_is_shown_where_somebody_prefers_that(page: Page) -> None:
    open_block(page, "# One\n\n*two*")
    button(page, "Show as Markdown").click()
    expect(field(page)).to_contain_text("*two*")
    expect(bar(page).get_by_role("button")).to_have_count(1)
    field(page).click()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(" three")
    page.reload()
    page.get_by_role("list", name="Canvases").get_by_role("button").click()
    expect(button(page, "Show as Markdown")).to_have_attribute("aria-pressed", "true")
    expect(field(page)).to_contain_text("*two* three")
    button(page, "Show as Markdown").click()
    expect(field(page).locator("em")).to_have_text("two")
    expect(field(page)).to_contain_text("two three")


@pytest.mark.parametrize("width", [320, 1400])
def test_everybody_can_use_it(look: Callable[..., Page], width: int) -> None:
    page = look(width)
    page.goto("/")
    open_block(page, MINUTES + "\n\n```python\nx = 1\n```\n\n![Roof](https://example.eu/roof.png)")
    expect(field(page).get_by_role("table")).to_be_visible()
    expect(field(page)).to_have_attribute("aria-multiline", "true")
    check(page)
    field(page).get_by_text("Tiles").click()
    bar(page).get_by_role("button", name="Table").click()
    expect(page.get_by_role("menuitem", name="Delete table")).to_be_visible()
    check(page)
    page.keyboard.press("Escape")
    field(page).get_by_text("Roof", exact=True).dblclick()
    expect(page.get_by_role("dialog", name="Image")).to_be_visible()
    check(page)
