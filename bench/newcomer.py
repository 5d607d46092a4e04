"""A newcomer's first minutes: an empty home, `make run`'s server, a real Chromium and the real model, by the clock.

The time runs from the start of the server; installing isn't in it. The models are linked from this machine, so that
nothing is downloaded; `--download` has them fetched as for anybody, which then is in the time. The newcomer asks for a
product, for a sum in a German lease, for a chart of a table and for that table as a workbook, and types at once. What
the page then shows is checked: words, citations, the picture, and files as they are saved.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import ROOT, SERVE, Goals, Process, options, run, running, table
from playwright.async_api import Browser, Error, Page, async_playwright, expect
from tasks import Person, text
from tools import SOLD, TASKS

from eclair.documents.photos.classifier import classifier_file
from eclair.models import catalog
from eclair.models.installed import model_path, models_folder
from eclair.settings import Settings

sys.path.append(str(ROOT))

from tests.browser import chromium
from tests.documents.files import pdf

DOWNLOAD_S = 1800.0
"""Time for the real model to come."""
ANSWER_S = 600.0
SHOWN_S = 300.0
"""Time for what is there to be shown, on a machine that is busy."""
MAX_PAGE_S, MAX_ANSWERS_S = 60.0, 180.0

PRODUCT, CHART, WORKBOOK = "What is 17 × 23?", "Make a bar chart of revenue by region.", "Convert the table to XLSX."
DEPOSIT = "Wie hoch ist die Kaution?"
DEPOSIT_SUM = re.compile(r"\b2[.\s]?055\b")

LEASE = (
    (
        "*Mietvertrag über Wohnraum",
        "Zwischen Frau Hannelore Brandt, Lindenweg 4, 34117 Kassel (Vermieterin),",
        "und Herrn Jonas Keller (Mieter) wird folgender Mietvertrag geschlossen.",
        "*§ 1 Mietsache",
        "Vermietet wird die Wohnung im zweiten Obergeschoss des Hauses Lindenweg 6",
        "mit drei Zimmern, Küche und Bad. Die Wohnfläche beträgt 74 Quadratmeter.",
        "*§ 2 Mietzeit",
        "Das Mietverhältnis beginnt am 1. März 2026 und läuft auf unbestimmte Zeit.",
        "*§ 3 Miete",
        "Die Grundmiete beträgt monatlich 685,00 Euro. Für die Betriebskosten zahlt der",
        "Mieter eine Vorauszahlung von monatlich 195,00 Euro. Für den Stellplatz im Hof",
        "sind monatlich 40,00 Euro zu zahlen. Die Miete ist am dritten Werktag fällig.",
    ),
    (
        "*§ 4 Mietsicherheit",
        "Der Mieter leistet eine Kaution in Höhe von 2.055,00 Euro. Er darf sie in drei",
        "gleichen Raten zahlen; die erste ist zu Beginn des Mietverhältnisses fällig.",
        "*§ 5 Schönheitsreparaturen",
        "Kleine Reparaturen bis zu 80,00 Euro im Einzelfall trägt der Mieter, im Jahr",
        "jedoch nicht mehr als 400,00 Euro.",
        "*§ 6 Kündigung",
        "Die Kündigung bedarf der Schriftform. Die Frist beträgt für den Mieter drei Monate.",
        "Kassel, den 12. Januar 2026",
    ),
)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that the newcomer met, the seconds from the start until it was there, and what is wrong with it."""

    name: str
    seconds: float
    fault: str


Deed = Callable[[Person], Awaitable[str]]
"""Something that the newcomer does; returns what is wrong with what came of it."""


def lease() -> bytes:
    """Return the lease, a PDF of two pages."""
    return pdf([[(72.0, 90.0 + 24 * at, 11.0, line) for at, line in enumerate(lines)] for lines in LEASE])


def link_downloads(data: Path) -> None:
    """Link what `serve --pull` would download, file by file: whatever is written stays out of the originals' folder."""
    own = Settings()
    entries = catalog.load_entries(own.catalog)
    names = (catalog.STARTER_MODEL, catalog.RECOMMENDED_MODEL)
    found = {name: model_path(entries[name], own.data_dir) for name in names}
    photos = classifier_file(own.data_dir)
    if not all(found.values()) or not photos.exists():
        raise SystemExit(
            f"`eclair pull` and `eclair pull {catalog.RECOMMENDED_MODEL}` fetch what is linked; or --download."
        )
    data.mkdir(parents=True, mode=0o700)
    models_folder(data).mkdir()
    for path in (*filter(None, found.values()), photos):
        (models_folder(data) / path.name).symlink_to(path.resolve())


async def ask(person: Person, words: str) -> str:
    """Ask, and return the answer's text once it is complete."""
    await person.ask(words)
    await expect(person.button("stop")).to_be_visible(timeout=1000 * SHOWN_S)
    await expect(person.button("stop")).to_be_hidden(timeout=1000 * ANSWER_S)
    await person.answered()
    return " ".join(" ".join(await person.answer.locator(".prose").all_inner_texts()).split())


async def attach(person: Person, name: str, media: str, data: bytes) -> None:
    """Attach a file in a new conversation, and wait until it has been read."""
    await person.page.goto("/")
    await person.give({"name": name, "mimeType": media, "buffer": data})
    state = person.page.get_by_role("list", name=text("attached")).get_by_role("status")
    await expect(state).to_have_text(text("fileReady"), timeout=1000 * ANSWER_S)


async def ask_product(person: Person) -> str:
    said = await ask(person, PRODUCT)
    return "" if "391" in said else f"The answer has no 391: {said}"


async def ask_deposit(person: Person) -> str:
    await attach(person, "mietvertrag.pdf", "application/pdf", lease())
    said = await ask(person, DEPOSIT)
    if not DEPOSIT_SUM.search(said):
        return f"The answer has no 2.055 euros: {said}"
    marks = person.answer.locator("sup button")
    quote = person.page.get_by_role("complementary").get_by_role("blockquote")
    for number in range(await marks.count()):
        await marks.nth(number).click()
        await expect(quote.first).to_be_visible()
        if DEPOSIT_SUM.search(" ".join(await quote.all_inner_texts())):
            return ""
    return f"The sum is right, but no source with it is cited: {said}"


async def attach_sales(person: Person) -> None:
    name, sales = SOLD
    await attach(person, name, "text/csv", sales.encode())


async def ask_chart(person: Person) -> str:
    await attach_sales(person)
    said = await ask(person, CHART)
    picture = person.answer.get_by_role("region", name="Python").get_by_role("img").last
    if await picture.count() == 0:
        return f"No picture is shown: {said}"
    await expect(picture).to_be_visible()
    if not await picture.evaluate("image => image.complete && image.naturalWidth > 0"):
        return "The picture is broken."
    return await find_fault_of_file(person, CHART, ".svg", said)


async def ask_workbook(person: Person) -> str:
    await attach_sales(person)  # in the chat of the chart, its sums would be a table too
    said = await ask(person, WORKBOOK)
    return await find_fault_of_file(person, WORKBOOK, ".xlsx", said)


async def find_fault_of_file(person: Person, question: str, suffix: str, said: str) -> str:
    """Save the last file of that suffix that the answer offers; say what is wrong with it, as `tools.py` checks it."""
    made = next(task.made for task in TASKS if task.question == question)
    assert made is not None
    named = re.compile(rf"^{text('saveFile', name='')}.*\{suffix}\b")
    button = person.answer.get_by_role("button", name=named).last
    if await button.count() == 0:
        return f"No {suffix} file is offered: {said}"
    async with person.page.expect_download() as saving:
        await button.click()
    saved = await (await saving.value).path()
    _, is_right = made
    return "" if is_right(saved.read_bytes()) else f"The {suffix} file hasn't the right figures: {said}"


DEEDS: tuple[tuple[str, Deed], ...] = (
    (PRODUCT, ask_product),
    (f"a lease: {DEPOSIT}", ask_deposit),
    (f"a table: {CHART}", ask_chart),
    (WORKBOOK, ask_workbook),
)


async def watch(page: Page, server: Process, pictures: Path, *, quick: bool) -> list[Step]:
    """Do what the newcomer does, one after the other, whatever came of the one before."""
    steps: list[Step] = []

    async def take(name: str, deed: Deed) -> None:
        try:
            fault = await deed(person)
        except (AssertionError, Error) as error:
            fault = str(error).strip().splitlines()[0]
        steps.append(Step(name, time.perf_counter() - server.started, fault))
        print(f"{steps[-1].seconds:6.1f} s  {name}{f'  WRONG: {fault}' if fault else ''}", flush=True)
        if fault:
            with contextlib.suppress(Error):  # the browser itself may be gone
                await page.screenshot(path=pictures / f"{len(steps)}.png")

    person = Person(page)
    await take("the page", open_page)
    await take("the real model is the one that answers", wait_for_model)
    for name, deed in DEEDS[: 1 if quick else None]:
        await take(name, deed)
    return steps


async def open_page(person: Person) -> str:
    await person.page.goto("/")
    await expect(person.page.locator("#composer")).to_be_editable()
    return ""


async def wait_for_model(person: Person) -> str:
    """Wait until it is the default, which `serve --pull` makes it as soon as it has come."""
    until = time.monotonic() + DOWNLOAD_S
    default: Any = None
    while time.monotonic() < until:
        default = (await (await person.page.request.get("/api/models")).json())["default"]
        if default == catalog.RECOMMENDED_MODEL:
            return ""
        await asyncio.sleep(0.5)
    return f"After {DOWNLOAD_S:.0f} s, {default} is still the default model."


async def visit(browser: Browser, home: Path, pictures: Path, *, download: bool, quick: bool) -> list[Step]:
    """Start the server with this home, and do what the newcomer does."""
    folders = {"XDG_DATA_HOME": ".local/share", "XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache"}
    environ = {"HOME": str(home), "ECLAIR_PORT": "0", **{name: str(home / path) for name, path in folders.items()}}
    if not download:
        link_downloads(home / folders["XDG_DATA_HOME"] / "eclair")
    async with running([*SERVE, "--pull"], home, **environ) as server:
        context = await browser.new_context(base_url=server.url, locale="en-GB")
        context.set_default_timeout(1000 * SHOWN_S)
        return await watch(await context.new_page(), server, pictures, quick=quick)


def keep_log(home: Path, pictures: Path) -> None:
    pictures.mkdir(parents=True, exist_ok=True)
    shutil.copy(home / "log", pictures)


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--download", action="store_true", help="have the models downloaded, as on a new machine")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="where screenshots of what went wrong go")
    chosen = parser.parse_args()
    path = chromium.find()
    if path is None:
        raise SystemExit("There is no Chromium; on Debian install the package chromium.")
    expect.set_options(timeout=1000 * SHOWN_S)
    pictures: Path = chosen.pictures or Path(tempfile.gettempdir(), f"eclair-newcomer-{time.strftime('%H%M%S')}")
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=path, args=chromium.arguments())
            print(f"Chromium {browser.version}, headless")
            download, quick = chosen.download, chosen.quick
            steps = await visit(browser, Path(folder), pictures, download=download, quick=quick)
            await browser.close()
        has_failed = any(step.fault for step in steps)
        if has_failed:
            keep_log(Path(folder), pictures)
    print()
    verdicts = [(step.name, f"{step.seconds:.1f}", step.fault or "yes") for step in steps]
    table(("step", "seconds since the start", "right"), verdicts)
    if has_failed:
        print(f"\nScreenshots and the server's log are in {pictures}")
    judge(steps)


def judge(steps: list[Step]) -> None:
    """Print the goals; an answer that isn't right comes never."""
    when = [float("inf") if step.fault else step.seconds for step in steps]
    goals = Goals()
    goals.at_most("the page is there", when[0], MAX_PAGE_S, " s")
    goals.at_most("the real model's first two answers are right", max(when[1:4]), MAX_ANSWERS_S, " s")
    goals.at_most("steps that aren't right", sum(step.fault != "" for step in steps), 0)
    goals.print()


if __name__ == "__main__":
    run(main())
