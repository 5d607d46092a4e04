// Updates a part of the page with HTML that has grown. Unchanged nodes stay, so that a selection, a scroll position or
// a toggled button survive the next word. Code and formulas are typeset when they come near the view, and diagrams are
// drawn.

import { sanitize } from "./sanitize.ts";
import { controls, name } from "./escape.ts";
import type { Run } from "./typesetting.ts";
import { highlightCode, renderFormula, TypesettingFailed } from "./typesetter.ts";

const MAX_HIGHLIGHTED_CHARS = 200_000;
/** Growing code is highlighted again when it is this much longer, or has paused for a while. */
const REHIGHLIGHT_GROWTH = 1.2;
const REHIGHLIGHT_DELAY_MS = 150;
const MAX_CACHED_FORMULAS = 3000;
/** Marks a complete block of code that can be drawn as a diagram. */
const DIAGRAM = "diagram";

export function patch(into: Element, html: string): void {
  morph(into, sanitize(html));
}

function morph(into: Element, from: ParentNode): void {
  let at = into.firstChild;
  for (const fresh of [...from.childNodes]) {
    if (at !== null && isSameNode(at, fresh)) {
      const old = at;
      at = at.nextSibling;
      updateNode(old, fresh);
    } else {
      into.insertBefore(fresh, at);
      if (fresh instanceof Element) prepare(fresh);
    }
  }
  while (at !== null) {
    const removed = at;
    at = at.nextSibling;
    removed.remove();
  }
}

function isSameNode(old: Node, fresh: Node): boolean {
  if (old.nodeName !== fresh.nodeName) return false;
  if (!(old instanceof HTMLElement && fresh instanceof HTMLElement)) return !(old instanceof Element);
  if (old.classList.contains("code")) return old.dataset["info"] === fresh.dataset["info"] && !(DIAGRAM in old.dataset && !(DIAGRAM in fresh.dataset));
  if (old.classList.contains("math")) return formulaKey(old) === formulaKey(fresh);
  const { attributes } = fresh;
  return old.attributes.length === attributes.length && [...attributes].every(({ name, value }) => old.getAttribute(name) === value);
}

function updateNode(old: Node, fresh: Node): void {
  if (old instanceof CharacterData && fresh instanceof CharacterData) {
    if (old.data !== fresh.data) old.data = fresh.data;
  } else if (old instanceof HTMLElement && fresh instanceof HTMLElement) {
    if (old.classList.contains("math")) return;
    const code = old.classList.contains("code") ? old.querySelector("code") : null;
    if (code === null) morph(old, fresh);
    else {
      updateCode(code, fresh.querySelector("code")?.textContent ?? "");
      if (!(DIAGRAM in fresh.dataset)) return;
      old.dataset[DIAGRAM] = "";
      observer.observe(old);
    }
  }
}

/** Milliseconds per frame for applying finished code and formulas: text, keys and scrolling come first. */
const FRAME_SHARE_MS = 4;
const waiting: (() => void)[] = [];

/** Run `show` in one of the next frames. */
function scheduleUpdate(show: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const act = () => {
      try {
        resolve(show());
      } catch (error) {
        reject(error);
      }
    };
    if (waiting.push(act) === 1) requestAnimationFrame(runUpdates);
  });
}

function runUpdates(): void {
  const end = performance.now() + FRAME_SHARE_MS;
  do waiting.shift()?.();
  while (waiting.length > 0 && performance.now() < end);
  if (waiting.length > 0) requestAnimationFrame(runUpdates);
}

const observer = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting || !(target instanceof HTMLElement)) continue;
      observer.unobserve(target);
      if (target.classList.contains("math")) void typesetFormula(target);
      else if (DIAGRAM in target.dataset) void drawDiagram(target);
      else void highlight(target);
    }
  },
  { rootMargin: import.meta.env.MODE === "viewer" ? "10000000px" : "600px" }, // an exported file is ready for printing
);

function prepare(fresh: Element): void {
  const targets = ".math, code[data-grammar], .code[data-diagram]";
  const found = [...fresh.querySelectorAll<HTMLElement>(targets)];
  if (fresh instanceof HTMLElement && fresh.matches(targets)) found.push(fresh);
  for (const element of found) {
    const rendered = element.classList.contains("math") ? formulas.get(formulaKey(element)) : undefined;
    if (rendered === undefined) observer.observe(element);
    else showFormula(element, rendered);
  }
}

/** Rendered formulas, by their key. */
const formulas = new Map<string, Promise<string> | string>();

function formulaKey(element: HTMLElement): string {
  return `${element.classList.contains("display")} ${element.dataset["tex"]}`;
}

async function typesetFormula(element: HTMLElement): Promise<void> {
  const key = formulaKey(element);
  const { tex = "" } = element.dataset;
  if (formulas.size > MAX_CACHED_FORMULAS) formulas.clear();
  const rendered = formulas.get(key) ?? renderFormula(tex, element.classList.contains("display"));
  formulas.set(key, rendered);
  try {
    const [html] = await Promise.all([rendered, import("./formulas.ts")]);
    formulas.set(key, html);
    await scheduleUpdate(() => showFormula(element, html));
  } catch (error) {
    if (!(error instanceof TypesettingFailed)) throw error;
    formulas.delete(key);
    element.classList.add("wrong");
    element.title = error.message;
  }
}

function showFormula(element: HTMLElement, rendered: Promise<string> | string): void {
  if (typeof rendered !== "string") {
    void typesetFormula(element);
    return;
  }
  const fragment = sanitize(rendered);
  for (const styled of fragment.querySelectorAll<HTMLElement | SVGElement>("[data-style]")) {
    for (const rule of (styled.dataset["style"] ?? "").split(";")) {
      const [property = "", value = ""] = rule.split(":");
      if (value !== "") styled.style.setProperty(property.trim(), value.trim());
    }
    delete styled.dataset["style"];
  }
  element.classList.add("set");
  element.replaceChildren(fragment);
}

/** The text stays where the typesetter can't be loaded, because the server can't be reached or was updated. */
async function drawDiagram(block: HTMLElement): Promise<void> {
  const part = await import("./diagrams.ts").catch(() => null);
  await part?.drawBlock(block);
}

/** How much of a block of code is highlighted. */
interface Highlighting {
  length: number;
  busy: boolean;
  timer?: ReturnType<typeof setTimeout>;
}
const highlightings = new WeakMap<Element, Highlighting>();

/** Update the code to `text`; what is highlighted stays. */
function updateCode(code: HTMLElement, text: string): void {
  const before = code.textContent;
  if (text === before) return;
  if (text.startsWith(before)) code.append(...plain(text.slice(before.length)));
  else code.replaceChildren(...plain(text));
  const highlighting = highlightings.get(code);
  if (highlighting === undefined || highlighting.busy) return;
  clearTimeout(highlighting.timer);
  if (text.length > highlighting.length * REHIGHLIGHT_GROWTH || text.length < highlighting.length) void highlight(code);
  else highlighting.timer = setTimeout(() => void highlight(code), REHIGHLIGHT_DELAY_MS);
}

async function highlight(code: HTMLElement): Promise<void> {
  const highlighting = highlightings.get(code) ?? { length: 0, busy: false };
  highlightings.set(code, highlighting);
  const text = code.textContent;
  if (highlighting.busy || text.length > MAX_HIGHLIGHTED_CHARS) return;
  highlighting.busy = true;
  highlighting.length = text.length;
  try {
    const runs = await highlightCode(code.dataset["grammar"] ?? "", text);
    await scheduleUpdate(() => {
      if (code.textContent.startsWith(text)) paint(code, runs, text.length);
    });
  } catch (error) {
    if (!(error instanceof TypesettingFailed)) throw error;
    return;
  } finally {
    highlighting.busy = false;
  }
  if (code.textContent.length !== text.length) highlighting.timer = setTimeout(() => void highlight(code), REHIGHLIGHT_DELAY_MS);
}

/** Highlight the first `length` characters of the code. Nodes that are already right stay. */
function paint(code: HTMLElement, runs: readonly Run[], length: number): void {
  const rest = code.textContent.slice(length);
  const targets = runs.flatMap(([text, kind]) => {
    const pieces = controls(text).map((piece, i) => ({ text: piece, kind: i % 2 === 1 ? "control" : kind }));
    return pieces.filter((piece) => piece.text !== "");
  });
  let at = code.firstChild;
  let i = 0;
  for (; at !== null; i++) {
    const target = targets[i];
    const kind = at instanceof HTMLElement ? at.className : "";
    if (target === undefined || kind !== target.kind || at.textContent !== target.text) break;
    at = at.nextSibling;
  }
  while (at !== null) {
    const removed = at;
    at = at.nextSibling;
    removed.remove();
  }
  code.append(...targets.slice(i).map(({ text, kind }) => (kind === "control" ? control(text) : kind === "" ? text : span(text, kind))));
  code.append(...plain(rest));
}

function plain(text: string): (Node | string)[] {
  return controls(text).flatMap((piece, i) => (piece === "" ? [] : [i % 2 === 1 ? control(piece) : piece]));
}

function span(text: string, kind: string): HTMLElement {
  const rendered = document.createElement("span");
  rendered.className = kind;
  rendered.textContent = text;
  return rendered;
}

function control(c: string): HTMLElement {
  const rendered = document.createElement("bdi");
  rendered.className = "control";
  rendered.dataset["code"] = name(c);
  rendered.textContent = c;
  return rendered;
}
