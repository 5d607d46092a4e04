"""Tasks of a newcomer in the web app, and the number of actions that each takes in a real Chromium.

An action is a click, a text typed or a key pressed; pressing Enter after a text belongs to it. Each task begins on the
page where one would think of it, in a browser that knows nothing yet, and ends when the page shows that it is done.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from harness import ROOT, Goals, Process, eclair, options, run, table
from playwright.async_api import Browser, Error, Locator, Page, async_playwright, expect

from eclair.llm.scripted import prose

sys.path.append(str(ROOT))

from tests.browser import chromium

TEXTS: dict[str, Any] = json.loads((ROOT / "ui" / "src" / "lib" / "i18n" / "en.json").read_text("utf-8"))
MAX_ACTIONS = 3
LONG = "script: words=4000 rate=40"
NOTE = {"name": "notes.txt", "mimeType": "text/plain", "buffer": "".join(prose(12)).encode()}
"""A file to attach, which says what the scripted engine answers with."""


def _message(role: str, said: str) -> dict[str, Any]:
    content = {"content_type": "text", "parts": [said]}
    return {"id": said, "author": {"role": role}, "create_time": 1700000000, "content": content}


CHATGPT = json.dumps(
    [
        {
            "title": "From elsewhere",
            "create_time": 1700000000,
            "update_time": 1700000000,
            "current_node": "2",
            "mapping": {
                "0": {"id": "0", "message": None, "parent": None, "children": ["1"]},
                "1": {"id": "1", "parent": "0", "children": ["2"], "message": _message("user", "Hello")},
                "2": {"id": "2", "parent": "1", "children": [], "message": _message("assistant", "Hello to you.")},
            },
        }
    ]
).encode()
"""An export of ChatGPT's."""


def text(key: str, **values: str) -> str:
    """The English text of a key, as the page shows it."""
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], TEXTS[key])


@dataclass(slots=True)
class Person:
    """Someone at the page, whose actions are counted."""

    page: Page
    actions: int = 0

    def button(self, key: str, **values: str) -> Locator:
        return self.page.get_by_role("button", name=text(key, **values), exact=True)

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name, exact=True)

    def item(self, key: str, **values: str) -> Locator:
        return self.page.get_by_role("menuitem", name=text(key, **values))

    def field(self, key: str) -> Locator:
        return self.page.get_by_label(text(key), exact=True)

    @property
    def answer(self) -> Locator:
        return self.page.get_by_role("article", name=text("assistant")).last

    async def click(self, target: Locator) -> None:
        self.actions += 1
        await target.click()

    async def hover(self, target: Locator) -> None:
        """Point at something; that is no action."""
        await target.hover()

    async def type(self, target: Locator, words: str, *, enter: bool = True) -> None:
        self.actions += 1
        await target.fill(words)
        if enter:
            await target.press("Enter")

    async def press(self, keys: str) -> None:
        self.actions += 1
        await self.page.keyboard.press(keys)

    async def ask(self, words: str = "Hello") -> None:
        await self.type(self.page.locator("#composer"), words)

    async def choose(self, target: Locator, value: str) -> None:
        self.actions += 1
        await target.select_option(value)

    async def give(self, file: dict[str, Any]) -> None:
        """Choose a file, as the file dialog would."""
        self.actions += 1
        await self.page.locator("main input[type=file]").first.set_input_files([file])  # pyright: ignore[reportArgumentType]

    async def menu_of(self, title: str) -> None:
        """Open a conversation's menu."""
        await self.hover(self.link(title))
        await self.click(self.button("menuOf", title=title))

    async def answered(self) -> None:
        await expect(self.answer).to_have_attribute("aria-busy", "false")


Deed = Callable[[Person], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Task:
    """Something that a person does, beginning on a page at `path`; `before` brings it about and isn't counted."""

    name: str
    deed: Deed
    path: str
    before: Deed | None


TASKS: list[Task] = []


def task(name: str, path: str = "/", before: Deed | None = None) -> Callable[[Deed], Deed]:
    def add(deed: Deed) -> Deed:
        TASKS.append(Task(name, deed, path, before))
        return deed

    return add


async def with_answer(person: Person) -> None:
    await person.ask("script: say=The light of morning falls on a quiet square.")
    await person.answered()


async def while_answering(person: Person) -> None:
    await person.ask(LONG)
    await expect(person.button("stop")).to_be_visible()


@task("ask a question")
async def ask(person: Person) -> None:
    await person.ask()
    await person.answered()


@task("stop an answer", before=while_answering)
async def stop(person: Person) -> None:
    await person.click(person.button("stop"))
    await expect(person.page.get_by_text(text("stopped")).first).to_be_visible()


@task("let a stopped answer go on", before=while_answering)
async def go_on(person: Person) -> None:
    await person.click(person.button("stop"))
    await person.click(person.button("proceed"))
    await expect(person.button("stop")).to_be_visible()


@task("write the next question while an answer comes", before=while_answering)
async def queue(person: Person) -> None:
    await person.ask("And then?")
    await expect(person.page.get_by_label(text("waiting"))).to_be_visible()


@task("have an answer again", before=with_answer)
async def again(person: Person) -> None:
    await person.hover(person.answer)
    await person.click(person.button("retry"))
    await expect(person.page.get_by_role("group", name=text("version", index="2", count="2"))).to_be_visible()


@task("copy an answer", before=with_answer)
async def copy(person: Person) -> None:
    await person.hover(person.answer)
    await person.click(person.button("copy"))
    await expect(person.button("copied").first).to_be_visible()


@task("change a question that was sent", before=with_answer)
async def change(person: Person) -> None:
    await person.hover(person.page.get_by_role("article", name=text("you")))
    await person.click(person.button("edit"))
    await person.type(person.field("editing"), "Something else")
    await person.answered()
    await expect(person.page.get_by_text("Something else")).to_be_visible()


@task("see why an answer is slow", before=with_answer)
async def why_slow(person: Person) -> None:
    await person.click(person.answer.locator("summary").last)
    await expect(person.answer.get_by_text(text("written"))).to_be_visible()


@task("begin another conversation", before=with_answer)
async def begin(person: Person) -> None:
    await person.click(person.button("newChat").first)
    await expect(person.page).to_have_url(re.compile(r"/$"))


@task("chat without leaving a trace")
async def temporary(person: Person) -> None:
    await person.click(person.button("temporary"))
    await person.ask()
    await person.answered()


@task("find a conversation by its title")
async def by_title(person: Person) -> None:
    await person.type(person.page.get_by_role("searchbox"), "Zebra", enter=False)
    await person.click(person.page.get_by_role("link", name=re.compile("Zebra crossings")))
    await expect(person.page.get_by_text("Where may one cross?")).to_be_visible()


@task("find a conversation by what was said")
async def by_words(person: Person) -> None:
    await person.type(person.page.get_by_role("searchbox"), "penguins", enter=False)
    await person.click(person.page.get_by_role("link", name=re.compile("penguins", re.I)))
    await expect(person.page.get_by_text("Do penguins fly?").last).to_be_visible()


@task("rename a conversation")
async def rename(person: Person) -> None:
    await person.menu_of("Old name")
    await person.click(person.item("renameIt"))
    await person.type(person.field("title"), "A better name")
    await expect(person.link("A better name")).to_be_visible()


@task("pin a conversation")
async def pin(person: Person) -> None:
    await person.menu_of("Birds")
    await person.click(person.item("pin").first)
    await expect(person.page.get_by_role("heading", name=text("pinned"))).to_be_visible()


@task("archive a conversation")
async def archive(person: Person) -> None:
    await person.menu_of("Archive me")
    await person.click(person.item("archive"))
    await expect(person.page.get_by_text(text("archivedNow", title="Archive me")).first).to_be_visible()


@task("delete a conversation, and have it back")
async def delete(person: Person) -> None:
    await person.menu_of("Deleted by mistake")
    await person.click(person.item("removeIt"))
    await person.click(person.button("undo"))
    await expect(person.link("Deleted by mistake")).to_be_visible()


@task("put a tag on a conversation")
async def tag(person: Person) -> None:
    await person.menu_of("Birds")
    await person.click(person.item("tagIt"))
    await person.type(person.field("newTag"), "nature")
    await expect(person.page.get_by_label(re.compile("nature")).first).to_be_attached()


@task("share a conversation by link")
async def share(person: Person) -> None:
    await person.menu_of("Birds")
    await person.click(person.item("shareIt"))
    await person.click(person.button("makeLink"))
    await expect(person.field("link").first).to_be_visible()


@task("turn the web on for a question")
async def web(person: Person) -> None:
    await person.press("Control+/")
    await person.ask()
    await person.answered()


@task("ask about a file")
async def about_file(person: Person) -> None:
    await person.give(NOTE)
    await expect(person.page.get_by_role("list", name=text("attached")).get_by_role("status")).to_have_text(
        text("fileReady")
    )
    await person.ask("Where is the key?")
    await person.answered()


@task("make an image")
async def image(person: Person) -> None:
    await person.click(person.button("toolImage"))
    await person.ask("a cat in a boat")
    await expect(person.answer.get_by_role("img").first).to_be_visible(timeout=60_000)


@task("let the model think first")
async def think(person: Person) -> None:
    await person.click(person.page.get_by_role("button", name=re.compile(text("modeThink"))).first)
    await person.click(person.page.get_by_role("menuitemradio", name=re.compile("^" + text("modeThink"))))
    await person.ask()
    await person.answered()


@task("change the model")
async def model(person: Person) -> None:
    await person.click(person.page.get_by_role("button", name=re.compile(f"^{text('model')}: ")))
    await person.click(person.page.get_by_role("dialog").locator("button.choose").last)
    await expect(person.page.get_by_role("dialog")).to_have_count(0)


@task("see which better models run here")
async def better(person: Person) -> None:
    await person.click(person.page.get_by_role("button", name=re.compile(f"^{text('model')}: ")))
    await person.click(person.button("moreModels"))
    await expect(person.page.get_by_text(text("fitsHere")).first).to_be_visible()


async def about_note(person: Person) -> None:
    await person.give(NOTE)
    await expect(person.page.get_by_role("list", name=text("attached")).get_by_role("status")).to_have_text(
        text("fileReady")
    )
    await person.ask("Which people were in the square?\nscript: words=12")
    await person.answered()


@task("see the passage that a sentence rests on", before=about_note)
async def source(person: Person) -> None:
    await person.click(person.answer.get_by_role("button", name=text("sourceMark", number="1")).first)
    await expect(person.page.get_by_role("complementary")).to_be_visible()


@task("say that an answer is good", before=with_answer)
async def rate(person: Person) -> None:
    await person.click(person.button("rateUp"))
    await expect(person.button("rateUp")).to_have_attribute("aria-pressed", "true")


@task("go on from an answer in a conversation of its own", before=with_answer)
async def branch(person: Person) -> None:
    await person.click(person.answer.get_by_role("button", name=text("more"), exact=True))
    await person.click(person.item("branchIt"))
    await expect(person.page.get_by_text(text("branchedFrom"))).to_be_visible()


@task("give a conversation instructions of its own")
async def settings(person: Person) -> None:
    await person.type(person.page.locator("#composer"), "/answers")
    await person.type(person.field("systemPrompt"), "Answer like a pirate.", enter=False)
    await person.click(person.button("save"))
    await expect(person.page.get_by_role("dialog")).to_have_count(0)


@task("put a conversation into a folder")
async def folder(person: Person) -> None:
    await person.menu_of("Cold places")
    await person.click(person.item("moveIt"))
    await person.type(person.page.get_by_role("textbox", name=text("newFolder")), "Travel")
    await expect(person.page.get_by_text(text("movedTo", name="Travel")).first).to_be_visible()


@task("archive a conversation with the selection")
async def select(person: Person) -> None:
    await person.menu_of("Old talk")
    await person.click(person.item("selectIt"))
    await person.click(person.button("archive"))
    await expect(person.link("Old talk")).to_have_count(0)


@task("see which services search the web")
async def services(person: Person) -> None:
    await person.click(person.link(text("settings")))
    await person.click(person.link(text("webSearch")))
    await expect(person.page.get_by_role("list", name=text("webServices"))).to_be_visible()


@task("make a library")
async def library(person: Person) -> None:
    await person.click(person.link(text("libraries")))
    await person.type(person.field("libraryNew"), "handbook")
    await expect(person.page.get_by_text(text("libraryMade", name="handbook")).first).to_be_visible()


@task("ask a library")
async def ask_library(person: Person) -> None:
    await person.click(person.button("libraries"))
    await person.click(person.page.get_by_role("menuitemcheckbox", name=re.compile("recipes")))
    await person.ask("How is bread made?")
    await person.answered()


@task("plan a report from the web")
async def research(person: Person) -> None:
    await person.click(person.button("research"))
    await person.type(person.field("researchAbout"), "Bridges of Europe", enter=False)
    await person.click(person.button("researchMake"))
    await expect(person.page.get_by_text(text("researchPlan")).first).to_be_visible()


@task("read the news")
async def news(person: Person) -> None:
    await person.click(person.link(text("news")))
    await expect(person.page.get_by_role("heading", name=text("news"), level=1)).to_be_visible()


@task("find the images that were made")
async def images(person: Person) -> None:
    await person.click(person.link(text("pictures")))
    await expect(person.page.get_by_role("heading", name=text("pictures"), level=1)).to_be_visible()


@task("see what left this machine")
async def connections(person: Person) -> None:
    await person.click(person.button("more"))
    await person.click(person.link(text("egress")))
    await expect(person.page.get_by_text(text("egressNone"))).to_be_visible()


@task("see how much was written")
async def usage(person: Person) -> None:
    await person.click(person.button("more"))
    await person.click(person.link(text("usage")))
    await expect(person.page.get_by_role("heading", name=text("usage"), level=1)).to_be_visible()


@task("switch to the dark theme")
async def dark(person: Person) -> None:
    await person.click(person.link(text("settings")))
    await person.click(person.link(text("appearance")))
    await person.click(person.page.get_by_role("radio", name=text("dark"), exact=True))
    await expect(person.page.locator("html")).to_have_attribute("data-theme", "dark")


@task("read the page in German")
async def german(person: Person) -> None:
    await person.click(person.link(text("settings")))
    await person.choose(person.field("language"), "de")
    await expect(person.page.get_by_role("heading", name="Einstellungen").first).to_be_visible()


@task("tell Éclair something for every conversation")
async def instructions(person: Person) -> None:
    await person.click(person.link(text("settings")))
    await person.click(person.link(text("instructions")))
    await person.type(person.page.get_by_role("textbox").last, "Answer briefly.", enter=False)
    await expect(person.page.get_by_text(text("saved")).first).to_be_visible()


@task("use a saved prompt")
async def prompt(person: Person) -> None:
    await person.type(person.page.locator("#composer"), "/polite", enter=False)
    await person.press("Enter")
    await expect(person.page.locator("#composer")).to_have_value("Please be polite.")


@task("take conversations along from another program")
async def import_(person: Person) -> None:
    await person.click(person.button("importing"))
    person.actions += 1
    export = {"name": "conversations.json", "mimeType": "application/json", "buffer": CHATGPT}
    await person.page.get_by_role("dialog").locator("input[type=file]").set_input_files([export])  # pyright: ignore[reportArgumentType]
    await person.click(person.button("importIt"))
    await expect(person.page.get_by_text(re.compile("imported", re.I)).first).to_be_visible()


@task("export a conversation")
async def export(person: Person) -> None:
    await person.menu_of("Birds")
    await person.click(person.item("exportIt"))
    async with person.page.expect_download():
        await person.click(person.button("download"))


@task("export everything")
async def export_all(person: Person) -> None:
    await person.click(person.link(text("settings")))
    await person.click(person.link(text("data")))
    async with person.page.expect_download():
        await person.click(person.page.get_by_text(text("exportAll"), exact=True))


@task("make room for the conversation")
async def hide_sidebar(person: Person) -> None:
    await person.click(person.button("hideSidebar"))
    await expect(person.page.get_by_role("searchbox")).to_be_hidden()


@task("find out whether AI made a file")
async def made(person: Person) -> None:
    await person.press("Control+k")
    await person.type(person.page.get_by_role("combobox", name=text("palette")), text("madeTitle"))
    await expect(person.page.get_by_role("heading", name=text("madeTitle"))).to_be_visible()


@task("see which keys do what")
async def keys(person: Person) -> None:
    await person.page.locator("body").click(position={"x": 5, "y": 400})
    await person.press("?")
    await expect(person.page.get_by_role("dialog", name=text("shortcuts"))).to_be_visible()


CONVERSATIONS = {
    "Zebra crossings": "Where may one cross?",
    "Cold places": "Do penguins fly?",
    "Birds": "Which bird is it?",
    "Old name": "Hello",
    "Archive me": "Hello",
    "Deleted by mistake": "Hello",
    "Old talk": "Hello",
}
"""Titles and questions of what the person talked about before."""

TIMEOUT_MS = 20_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task went: `fault` says what didn't happen, and is empty where all did."""

    name: str
    actions: int
    fault: str = ""


async def prepare(browser: Browser, server: Process) -> None:
    context = await browser.new_context(base_url=server.url)
    for title, question in CONVERSATIONS.items():
        made = await context.request.post("/api/conversations", data={"title": title, "turn": {"text": question}})
        if not made.ok:
            raise SystemExit(f"The conversations can't be made: {await made.text()}")
    await context.request.post("/api/libraries", data={"name": "recipes"})
    known = await (await context.request.get("/api/preferences")).json()
    prompts = [{"name": "polite", "text": "Please be polite."}]
    await context.request.put("/api/preferences", data={"version": known["version"], "prompts": prompts})
    await context.close()


async def perform(browser: Browser, server: Process, task: Task) -> Outcome:
    context = await browser.new_context(
        base_url=server.url,
        viewport={"width": 1366, "height": 800},
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(TIMEOUT_MS)
    page = await context.new_page()
    person = Person(page)
    try:
        await page.goto(task.path)
        await page.locator("#composer").wait_for()
        if task.before is not None:
            await task.before(person)
            person.actions = 0
        await task.deed(person)
    except (AssertionError, Error, KeyError) as error:
        return Outcome(task.name, person.actions, str(error).splitlines()[0][:100])
    finally:
        await context.close()
    return Outcome(task.name, person.actions)


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="tasks whose name has one of these words")
    wanted = parser.parse_args()
    chosen = [each for each in TASKS if not wanted.only or any(word in each.name for word in wanted.only)]
    path = chromium.find()
    if path is None:
        raise SystemExit("There is no Chromium; on Debian install the package chromium.")
    expect.set_options(timeout=TIMEOUT_MS)
    goals = Goals()
    async with eclair(scripted=True) as server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=chromium.arguments())
        await prepare(browser, server)
        outcomes = [await perform(browser, server, each) for each in chosen[: 8 if wanted.quick else None]]
        await browser.close()
    table(("task", "actions", ""), [(each.name, str(each.actions), each.fault) for each in outcomes])
    goals.at_most("tasks that could not be done", sum(each.fault != "" for each in outcomes), 0)
    goals.at_most("actions that a task takes, most", max(each.actions for each in outcomes), MAX_ACTIONS)
    goals.print()


if __name__ == "__main__":
    run(main())
