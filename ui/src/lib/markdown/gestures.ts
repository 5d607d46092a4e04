// The buttons within an answer, which render.ts creates.

import { t } from "../i18n/translate.ts";
import { copyToClipboard } from "../clipboard.ts";
import { csvField } from "../csv.ts";
import { fileName } from "./codeLanguages.ts";

const COPIED_MS = 1500;

export interface ContentActions {
  /** Shows an image in full. */
  enlarge(picture: HTMLImageElement): void;
  /** Shows the source or the doubt with this key. */
  source(key: string): void;
  /** Opens a block of code in a canvas, by its text and the words after its fence. */
  canvas(text: string, info: string): void;
}

/** Run the clicked button or heading link. */
export async function handleClick(root: HTMLElement, event: MouseEvent, { enlarge, source, canvas }: ContentActions): Promise<void> {
  if (!(event.target instanceof Element)) return;
  const link = event.target.closest<HTMLAnchorElement>('a[href^="#"]');
  if (link !== null) {
    event.preventDefault(); // the page's own address is the conversation's
    return scrollTo(findHeading(root, link.getAttribute("href")?.slice(1) ?? ""));
  }
  const button = event.target.closest<HTMLButtonElement>("button[data-do]");
  if (button === null) return;
  switch (button.dataset["do"]) {
    case "copy":
      await copyToClipboard(codeOf(button));
      return showCopied(button);
    case "csv":
      await copyToClipboard(csv(button.closest(".table")?.querySelectorAll("tr") ?? []));
      return showCopied(button);
    case "wrap":
      return toggle(button, button.closest(".code")?.classList.toggle("wrapped") === true);
    case "save":
      return save(fileName(button.closest<HTMLElement>(".code")?.dataset["info"] ?? "", codeOf(button)), codeOf(button));
    case "canvas":
      return canvas(codeOf(button), button.closest<HTMLElement>(".code")?.dataset["info"] ?? "");
    case "diagram": {
      const drawn = button.closest(".code")?.classList.toggle("drawn") === true;
      button.textContent = t(drawn ? "diagramSource" : "diagramShow");
      return;
    }
    case "svg":
      return save("diagram.svg", svgOf(button), "image/svg+xml");
    case "note":
      return scrollTo(root.querySelector<HTMLElement>(`.note[data-note="${CSS.escape(button.dataset["note"] ?? "")}" i]`));
    case "back":
      return scrollTo(root.querySelector<HTMLElement>(`.mark[data-note="${CSS.escape(button.closest<HTMLElement>(".note")?.dataset["note"] ?? "")}" i]`));
    case "source":
      return source(button.dataset["source"] ?? "");
    case "enlarge": {
      const picture = button.querySelector("img");
      if (picture !== null) enlarge(picture);
    }
  }
}

function codeOf(button: Element): string {
  return button.closest(".code")?.querySelector("code")?.textContent ?? "";
}

/** The image of a diagram, which is stored in its address. */
function svgOf(button: Element): string {
  const { src = "" } = button.closest(".code")?.querySelector<HTMLImageElement>(".diagram img") ?? {};
  return decodeURIComponent(src.slice(src.indexOf(",") + 1));
}

function toggle(button: Element, pressed: boolean): void {
  button.setAttribute("aria-pressed", String(pressed));
}

function showCopied(button: HTMLElement): void {
  const label = button.textContent;
  if (label === t("copied")) return;
  button.textContent = t("copied");
  setTimeout(() => {
    button.textContent = label;
  }, COPIED_MS);
}

/** The heading that links call `name`: in GitHub's style, lower case with hyphens. */
function findHeading(root: HTMLElement, name: string): HTMLElement | null {
  const wanted = name.toLowerCase();
  const found = [...root.querySelectorAll<HTMLElement>("h1, h2, h3, h4, h5, h6")].find(({ textContent }) => named(textContent) === wanted);
  found?.setAttribute("tabindex", "-1");
  return found ?? null;
}

function named(heading: string): string {
  return heading.trim().toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-");
}

function scrollTo(to: HTMLElement | null): void {
  to?.scrollIntoView({ block: "nearest" });
  to?.focus({ preventScroll: true });
}

/** The rows as CSV. */
function csv(rows: Iterable<HTMLTableRowElement>): string {
  return [...rows].map((row) => [...row.cells].map((cell) => csvField(textOf(cell).trim())).join(",")).join("\r\n");
}

/** The text of an element, with formulas as TeX. */
function textOf(element: Element): string {
  const copy = element.cloneNode(true) as Element;
  for (const math of copy.querySelectorAll<HTMLElement>(".math")) math.textContent = `$${math.dataset["tex"]}$`;
  for (const line of copy.querySelectorAll("br")) line.replaceWith("\n");
  return copy.textContent;
}

function save(name: string, text: string, type = "text/plain"): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
