// Diagrams: a complete block of Mermaid becomes an image, with its text one click away. The library is loaded with the
// first one, into a frame that only draws; the page shows an image, in which nothing can act. A diagram is drawn again
// when the page's appearance changes.

import "./diagrams.css";
import { fillDrawingBoard } from "./drawingBoard.ts";
import type { DiagramTheme, DrawDiagram, DrawnDiagram } from "./diagramFrame.ts";
import { t } from "../i18n/translate.ts";

const MAX_DIAGRAM_CHARS = 50_000;
/** Images kept for turns that leave the page and come back. */
const MAX_CACHED_DIAGRAMS = 100;
const SVG_DATA_URL = "data:image/svg+xml;charset=utf-8,";

const drawings = new Map<string, Promise<DrawnDiagram>>();
/** The source that each block was last drawn from. */
const shown = new WeakMap<Element, string>();
let frame: Promise<DrawDiagram | null> | undefined;

/** Draw the diagram of a block, unless it shows it already. */
export async function drawBlock(block: HTMLElement): Promise<void> {
  const text = block.querySelector("code")?.textContent ?? "";
  const theme = currentTheme();
  const key = JSON.stringify([theme, text]);
  if (text.trim() === "" || shown.get(block) === key) return;
  shown.set(block, key);
  if (block.querySelector(".diagram") === null) setStatus(block, t("diagramDrawing"));
  const drawing = text.length > MAX_DIAGRAM_CHARS ? { fault: t("problemLarge") } : await cachedDrawing(key, text, theme);
  if (shown.get(block) !== key) return;
  if ("fault" in drawing) showFault(block, drawing.fault);
  else show(block, drawing);
}

async function cachedDrawing(key: string, text: string, theme: DiagramTheme): Promise<DrawnDiagram> {
  if (drawings.size > MAX_CACHED_DIAGRAMS) drawings.clear();
  const known = drawings.get(key) ?? requestDrawing(text, theme);
  drawings.set(key, known);
  return known;
}

async function requestDrawing(text: string, theme: DiagramTheme): Promise<DrawnDiagram> {
  frame ??= openFrame();
  const draw = await frame;
  if (draw !== null) return draw(text, theme);
  frame = undefined;
  drawings.clear();
  return { fault: t("unreached") };
}

/** The draw function of the frame; null where the frame could not be loaded. */
function openFrame(): Promise<DrawDiagram | null> {
  const element = document.createElement("iframe");
  element.title = t("diagram");
  element.className = "drawing-board";
  element.tabIndex = -1;
  element.ariaHidden = "true";
  fillDrawingBoard(element);
  document.body.append(element);
  return new Promise((resolve) => {
    element.onload = () => {
      const window = element.contentDocument?.defaultView as { readonly draw?: DrawDiagram } | null | undefined;
      if (window?.draw === undefined) element.remove();
      resolve(window?.draw ?? null);
    };
  });
}

function show(block: HTMLElement, { svg, title }: Extract<DrawnDiagram, { svg: string }>): void {
  statusLine(block)?.remove();
  const name = title === "" ? t("diagram") : `${t("diagram")}: ${title}`;
  const src = SVG_DATA_URL + encodeURIComponent(svg);
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
  block.querySelector(".tools")?.prepend(toolButton("diagram", t("diagramSource")), toolButton("svg", t("diagramSave")));
  block.classList.add("drawn");
}

/** Say why there is no image; the text stays visible. */
function showFault(block: HTMLElement, reason: string): void {
  shown.delete(block);
  for (const element of block.querySelectorAll(".diagram, [data-do=diagram], [data-do=svg]")) element.remove();
  block.classList.remove("drawn");
  setStatus(block, t("diagramWrong", { reason }));
}

function setStatus(block: HTMLElement, text: string): void {
  const line = statusLine(block) ?? document.createElement("p");
  line.className = "status";
  line.role = "status";
  line.textContent = text;
  block.append(line);
}

function statusLine(block: HTMLElement): Element | null {
  return block.querySelector(":scope > .status");
}

function toolButton(action: string, label: string): HTMLButtonElement {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
  button.dataset["do"] = action;
  return button;
}

/** The current design tokens. */
function currentTheme(): DiagramTheme {
  const probe = document.createElement("span");
  document.body.append(probe);
  const color = (token: string) => {
    probe.style.color = `var(--${token})`;
    return hex(getComputedStyle(probe).color);
  };
  const tones = ["accent", "code-quoted", "code-name", "code-word", "code-number", "ink-quiet"].map(color);
  const [paper, ink] = [color("code"), color("ink")];
  const names = { raised: "bubble", low: "paper-low", soft: "ink-soft", line: "line-strong", note: "mark" } as const;
  const roleColors = Object.fromEntries(Object.entries(names).map(([name, token]) => [name, color(token)])) as Record<keyof typeof names, string>;
  probe.style.fontFamily = "var(--sans)";
  const { fontFamily, fontSize } = getComputedStyle(probe);
  probe.remove();
  return { dark: paper < ink, paper, ink, ...roleColors, tones, font: fontFamily, size: fontSize };
}

/** Convert `rgb(43, 33, 27)` to `#2b211b`; of two greys, the darker one sorts first. */
function hex(color: string): string {
  return `#${[...color.matchAll(/\d+/g)].slice(0, 3).map(([part]) => Number(part).toString(16).padStart(2, "0")).join("")}`;
}

function redrawAll(): void {
  for (const block of document.querySelectorAll<HTMLElement>(".code:has(.diagram)")) void drawBlock(block);
}

new MutationObserver(redrawAll).observe(document.documentElement, { attributeFilter: ["data-theme", "data-contrast", "data-text"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
