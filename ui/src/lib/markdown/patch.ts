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
const FORMULAS = 3000;
/** Marks a complete block of code that can be drawn as a diagram. */
const DIAGRAM = "diagram";

export function patch(into: Element, html: string): void {
  morph(into, sanitize(html));
}

function morph(into: Element, from: ParentNode): void {
  let at = into.firstChild;
  for (const fresh of [...from.childNodes]) {
    if (at !== null && alike(at, fresh)) {
      const kept = at;
      at = at.nextSibling;
      renew(kept, fresh);
    } else {
      into.insertBefore(fresh, at);
      if (fresh instanceof Element) prepare(fresh);
    }
  }
  while (at !== null) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function alike(kept: Node, fresh: Node): boolean {
  if (kept.nodeName !== fresh.nodeName) return false;
  if (!(kept instanceof HTMLElement && fresh instanceof HTMLElement)) return !(kept instanceof Element);
  if (kept.classList.contains("code")) return kept.dataset["info"] === fresh.dataset["info"] && !(DIAGRAM in kept.dataset && !(DIAGRAM in fresh.dataset));
  if (kept.classList.contains("math")) return formulaKey(kept) === formulaKey(fresh);
  const { attributes } = fresh;
  return kept.attributes.length === attributes.length && [...attributes].every(({ name, value }) => kept.getAttribute(name) === value);
}

function renew(kept: Node, fresh: Node): void {
  if (kept instanceof CharacterData && fresh instanceof CharacterData) {
    if (kept.data !== fresh.data) kept.data = fresh.data;
  } else if (kept instanceof HTMLElement && fresh instanceof HTMLElement) {
    if (kept.classList.contains("math")) return;
    const code = kept.classList.contains("code") ? kept.querySelector("code") : null;
    if (code === null) morph(kept, fresh);
    else {
      rewrite(code, fresh.querySelector("code")?.textContent ?? "");
      if (!(DIAGRAM in fresh.dataset)) return;
      kept.dataset[DIAGRAM] = "";
      near.observe(kept);
    }
  }
}

/** Milliseconds per frame for applying finished code and formulas: text, keys and scrolling come first. */
const FRAME_SHARE_MS = 4;
const waiting: (() => void)[] = [];

/** Run `show` in one of the next frames. */
function inTurn(show: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const act = () => {
      try {
        resolve(show());
      } catch (error) {
        reject(error);
      }
    };
    if (waiting.push(act) === 1) requestAnimationFrame(showSome);
  });
}

function showSome(): void {
  const end = performance.now() + FRAME_SHARE_MS;
  do waiting.shift()?.();
  while (waiting.length > 0 && performance.now() < end);
  if (waiting.length > 0) requestAnimationFrame(showSome);
}

const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting || !(target instanceof HTMLElement)) continue;
      near.unobserve(target);
      if (target.classList.contains("math")) void setFormula(target);
      else if (DIAGRAM in target.dataset) void setDiagram(target);
      else void setCode(target);
    }
  },
  { rootMargin: "600px" },
);

function prepare(fresh: Element): void {
  const wanted = ".math, code[data-grammar], .code[data-diagram]";
  const found = [...fresh.querySelectorAll<HTMLElement>(wanted)];
  if (fresh instanceof HTMLElement && fresh.matches(wanted)) found.push(fresh);
  for (const element of found) {
    const made = element.classList.contains("math") ? formulas.get(formulaKey(element)) : undefined;
    if (made === undefined) near.observe(element);
    else showFormula(element, made);
  }
}

/** The TeX that a formula was rendered from. */
const formulas = new Map<string, Promise<string> | string>();

function formulaKey(element: HTMLElement): string {
  return `${element.classList.contains("display")} ${element.dataset["tex"]}`;
}

async function setFormula(element: HTMLElement): Promise<void> {
  const key = formulaKey(element);
  const { tex = "" } = element.dataset;
  if (formulas.size > FORMULAS) formulas.clear();
  const made = formulas.get(key) ?? renderFormula(tex, element.classList.contains("display"));
  formulas.set(key, made);
  try {
    const [html] = await Promise.all([made, import("./formulas.ts")]);
    formulas.set(key, html);
    await inTurn(() => showFormula(element, html));
  } catch (error) {
    if (!(error instanceof TypesettingFailed)) throw error;
    formulas.delete(key);
    element.classList.add("wrong");
    element.title = error.message;
  }
}

function showFormula(element: HTMLElement, made: Promise<string> | string): void {
  if (typeof made !== "string") {
    void setFormula(element);
    return;
  }
  const fragment = sanitize(made);
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
async function setDiagram(block: HTMLElement): Promise<void> {
  const part = await import("./diagrams.ts").catch(() => null);
  await part?.drawBlock(block);
}

/** How much of a block of code is highlighted. */
interface Colouring {
  length: number;
  busy: boolean;
  timer?: ReturnType<typeof setTimeout>;
}
const colourings = new WeakMap<Element, Colouring>();

/** Update the code to `text`; what is highlighted stays. */
function rewrite(code: HTMLElement, text: string): void {
  const before = code.textContent;
  if (text === before) return;
  if (text.startsWith(before)) code.append(...plain(text.slice(before.length)));
  else code.replaceChildren(...plain(text));
  const colouring = colourings.get(code);
  if (colouring === undefined || colouring.busy) return;
  clearTimeout(colouring.timer);
  if (text.length > colouring.length * REHIGHLIGHT_GROWTH || text.length < colouring.length) void setCode(code);
  else colouring.timer = setTimeout(() => void setCode(code), REHIGHLIGHT_DELAY_MS);
}

async function setCode(code: HTMLElement): Promise<void> {
  const colouring = colourings.get(code) ?? { length: 0, busy: false };
  colourings.set(code, colouring);
  const text = code.textContent;
  if (colouring.busy || text.length > MAX_HIGHLIGHTED_CHARS) return;
  colouring.busy = true;
  colouring.length = text.length;
  try {
    const runs = await highlightCode(code.dataset["grammar"] ?? "", text);
    await inTurn(() => {
      if (code.textContent.startsWith(text)) paint(code, runs, text.length);
    });
  } catch (error) {
    if (!(error instanceof TypesettingFailed)) throw error;
    return;
  } finally {
    colouring.busy = false;
  }
  if (code.textContent.length !== text.length) colouring.timer = setTimeout(() => void setCode(code), REHIGHLIGHT_DELAY_MS);
}

/** Highlight the first `length` characters of the code. Nodes that are already right stay. */
function paint(code: HTMLElement, runs: readonly Run[], length: number): void {
  const rest = code.textContent.slice(length);
  const wanted = runs.flatMap(([text, kind]) => {
    const pieces = controls(text).map((piece, i) => ({ text: piece, kind: i % 2 === 1 ? "control" : kind }));
    return pieces.filter((piece) => piece.text !== "");
  });
  let at = code.firstChild;
  let i = 0;
  for (; at !== null; i++) {
    const want = wanted[i];
    const kind = at instanceof HTMLElement ? at.className : "";
    if (want === undefined || kind !== want.kind || at.textContent !== want.text) break;
    at = at.nextSibling;
  }
  while (at !== null) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
  code.append(...wanted.slice(i).map(({ text, kind }) => (kind === "control" ? control(text) : kind === "" ? text : span(text, kind))));
  code.append(...plain(rest));
}

function plain(text: string): (Node | string)[] {
  return controls(text).flatMap((piece, i) => (piece === "" ? [] : [i % 2 === 1 ? control(piece) : piece]));
}

function span(text: string, kind: string): HTMLElement {
  const made = document.createElement("span");
  made.className = kind;
  made.textContent = text;
  return made;
}

function control(c: string): HTMLElement {
  const made = document.createElement("bdi");
  made.className = "control";
  made.dataset["code"] = name(c);
  made.textContent = c;
  return made;
}
