// Diagrams: a complete block of Mermaid becomes an image, with its text one click away. The library is loaded with the
// first one, into a frame that only draws; the page shows an image, in which nothing can act. A diagram is drawn again
// when the page's appearance changes.

import "./diagrams.css";
import type { DiagramTheme, DrawDiagram, DrawnDiagram } from "./diagramFrame.ts";
import { t } from "../i18n/translate.ts";

const MAX_DIAGRAM_CHARS = 50_000;
/** Images kept for turns that leave the page and come back. */
const MAX_CACHED_DIAGRAMS = 100;
const AS_SVG = "data:image/svg+xml;charset=utf-8,";

const drawings = new Map<string, Promise<DrawnDiagram>>();
/** The source that each block was last drawn from. */
const shown = new WeakMap<Element, string>();
let frame: Promise<DrawDiagram | null> | undefined;

/** Draw the diagram of a block, unless it shows it already. */
export async function drawBlock(block: HTMLElement): Promise<void> {
  const text = block.querySelector("code")?.textContent ?? "";
  const look = now();
  const key = JSON.stringify([look, text]);
  if (text.trim() === "" || shown.get(block) === key) return;
  shown.set(block, key);
  if (block.querySelector(".diagram") === null) tell(block, t("diagramDrawing"));
  const drawing = text.length > MAX_DIAGRAM_CHARS ? { fault: t("problemLarge") } : await drawn(key, text, look);
  if (shown.get(block) !== key) return;
  if ("fault" in drawing) wrong(block, drawing.fault);
  else show(block, drawing);
}

async function drawn(key: string, text: string, look: DiagramTheme): Promise<DrawnDiagram> {
  if (drawings.size > MAX_CACHED_DIAGRAMS) drawings.clear();
  const known = drawings.get(key) ?? ask(text, look);
  drawings.set(key, known);
  return known;
}

async function ask(text: string, look: DiagramTheme): Promise<DrawnDiagram> {
  frame ??= open();
  const draw = await frame;
  if (draw !== null) return draw(text, look);
  frame = undefined;
  drawings.clear();
  return { fault: t("unreached") };
}

/** The frame's port; null where the frame couldn't be loaded. */
function open(): Promise<DrawDiagram | null> {
  const made = document.createElement("iframe");
  made.title = t("diagram");
  made.className = "drawing-board";
  made.tabIndex = -1;
  made.ariaHidden = "true";
  made.src = "/diagram";
  document.body.append(made);
  return new Promise((resolve) => {
    made.onload = () => {
      const window = made.contentDocument?.defaultView as { readonly draw?: DrawDiagram } | null | undefined;
      if (window?.draw === undefined) made.remove();
      resolve(window?.draw ?? null);
    };
  });
}

function show(block: HTMLElement, { svg, title }: Extract<DrawnDiagram, { svg: string }>): void {
  told(block)?.remove();
  const name = title === "" ? t("diagram") : `${t("diagram")}: ${title}`;
  const src = AS_SVG + encodeURIComponent(svg);
  const known = block.querySelector<HTMLImageElement>(".diagram img");
  if (known !== null) {
    known.src = src;
    known.alt = name;
    return;
  }
  const picture = document.createElement("button");
  picture.type = "button";
  picture.className = "picture";
  picture.dataset["do"] = "enlarge";
  picture.ariaLabel = t("enlarge", { name });
  const image = Object.assign(document.createElement("img"), { src, alt: name });
  picture.append(image);
  const holder = document.createElement("div");
  holder.className = "diagram";
  holder.append(picture);
  block.append(holder);
  block.querySelector(".tools")?.prepend(tool("diagram", t("diagramSource")), tool("svg", t("diagramSave")));
  block.classList.add("drawn");
}

/** Say why there is no image; the text stays visible. */
function wrong(block: HTMLElement, reason: string): void {
  shown.delete(block);
  for (const made of block.querySelectorAll(".diagram, [data-do=diagram], [data-do=svg]")) made.remove();
  block.classList.remove("drawn");
  tell(block, t("diagramWrong", { reason }));
}

function tell(block: HTMLElement, text: string): void {
  const line = told(block) ?? document.createElement("p");
  line.className = "told";
  line.role = "status";
  line.textContent = text;
  block.append(line);
}

function told(block: HTMLElement): Element | null {
  return block.querySelector(":scope > .told");
}

function tool(does: string, label: string): HTMLButtonElement {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
  button.dataset["do"] = does;
  return button;
}

/** The current design tokens. */
function now(): DiagramTheme {
  const probe = document.createElement("span");
  document.body.append(probe);
  const colour = (token: string) => {
    probe.style.color = `var(--${token})`;
    return hex(getComputedStyle(probe).color);
  };
  const tones = ["accent", "code-quoted", "code-name", "code-word", "code-number", "ink-quiet"].map(colour);
  const [paper, ink] = [colour("code"), colour("ink")];
  const names = { raised: "bubble", low: "paper-low", soft: "ink-soft", line: "line-strong", note: "mark" } as const;
  const named = Object.fromEntries(Object.entries(names).map(([name, token]) => [name, colour(token)])) as Record<keyof typeof names, string>;
  probe.style.fontFamily = "var(--sans)";
  const { fontFamily, fontSize } = getComputedStyle(probe);
  probe.remove();
  return { dark: paper < ink, paper, ink, ...named, tones, font: fontFamily, size: fontSize };
}

/** Convert `rgb(43, 33, 27)` to `#2b211b`; of two greys, the darker one sorts first. */
function hex(colour: string): string {
  return `#${[...colour.matchAll(/\d+/g)].slice(0, 3).map(([part]) => Number(part).toString(16).padStart(2, "0")).join("")}`;
}

function renew(): void {
  for (const block of document.querySelectorAll<HTMLElement>(".code:has(.diagram)")) void drawBlock(block);
}

new MutationObserver(renew).observe(document.documentElement, { attributeFilter: ["data-theme", "data-contrast", "data-text"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renew);
