// The hidden frame in which diagrams are drawn. Only here are inline styles allowed, and nothing can be fetched from
// here; the result leaves as an image. diagrams.ts opens it and sends requests.

import mermaid, { type MermaidConfig } from "mermaid";

/** Colors as `#rrggbb` by role, and the font and size of the text. */
export interface DiagramTheme {
  readonly dark: boolean;
  readonly paper: string;
  readonly raised: string;
  readonly low: string;
  readonly ink: string;
  readonly soft: string;
  readonly line: string;
  readonly note: string;
  /** The palette of things told apart by color; `paper` is legible on each. */
  readonly tones: readonly string[];
  readonly font: string;
  readonly size: string;
}

/** An image and its author's title, or the reason why there is none. */
export type DrawnDiagram = { readonly svg: string; readonly title: string } | { readonly fault: string };

export type DrawDiagram = (text: string, theme: DiagramTheme) => Promise<DrawnDiagram>;

/** What a diagram's text may not set: all diagrams share the page's look. */
const PAGE_SETTINGS = ["theme", "themeVariables", "themeCSS", "darkMode", "fontFamily", "altFontFamily", "fontSize", "htmlLabels", "look", "dompurifyConfig"];
const SAFETY_SETTINGS = ["secure", "securityLevel", "startOnLoad", "maxTextSize", "suppressErrorRendering", "maxEdges"];
const MAX_FAULT_CHARS = 160;

let last: Promise<unknown> = Promise.resolve();
let count = 0;

/** One after another, since the library has one global theme. */
export const draw: DrawDiagram = (text, theme) => {
  const drawn = last.then(() => drawOne(text, theme));
  last = drawn;
  return drawn;
};

async function drawOne(text: string, theme: DiagramTheme): Promise<DrawnDiagram> {
  try {
    // A mind map misplaces its root unless its labels are HTML; elsewhere more programs can read text.
    mermaid.initialize({ ...mermaidConfig(theme), htmlLabels: /^\s*mindmap\b/m.test(text) });
    const { svg } = await mermaid.render(`diagram-${++count}`, text);
    return finish(svg, theme);
  } catch (error) {
    return { fault: reason(error) };
  } finally {
    document.body.replaceChildren();
  }
}

function mermaidConfig(theme: DiagramTheme): MermaidConfig {
  const { dark, paper, raised, low, ink, soft, line, note, tones, font, size } = theme;
  const themeVariables = {
    darkMode: dark, background: paper, fontFamily: font, fontSize: size, textColor: ink, titleColor: ink, lineColor: soft,
    primaryColor: raised, primaryTextColor: ink, primaryBorderColor: line, mainBkg: raised, nodeBorder: line,
    secondaryColor: note, secondaryTextColor: ink, secondaryBorderColor: line,
    tertiaryColor: low, tertiaryTextColor: ink, tertiaryBorderColor: line,
    clusterBkg: low, clusterBorder: line, edgeLabelBackground: paper, noteBkgColor: note, noteTextColor: ink, noteBorderColor: line,
    pieSectionTextColor: paper, pieStrokeColor: paper, pieOuterStrokeColor: line, pieOpacity: "1",
    gridColor: line, xyChart: { backgroundColor: paper, titleColor: ink, plotColorPalette: tones.join(","), ...axes(ink) },
    ...scale("pie", 1, 12, tones), ...scale("cScale", 0, 12, tones), ...scale("cScaleLabel", 0, 12, [paper]),
    ...scale("git", 0, 8, tones), ...scale("gitBranchLabel", 0, 8, [paper]),
  };
  const themeCSS = `.lineWrapper line { stroke: ${soft} !important; }`; // a timeline's boxes would have the color of its text
  const secure = [...SAFETY_SETTINGS, ...PAGE_SETTINGS];
  return { themeCSS, securityLevel: "strict", suppressErrorRendering: true, startOnLoad: false, theme: "base", themeVariables, fontFamily: font, secure };
}

function axes(ink: string): Record<string, string> {
  return Object.fromEntries(["x", "y"].flatMap((axis) => ["Label", "Title", "Tick", "Line"].map((part) => [`${axis}Axis${part}Color`, ink])));
}

function scale(name: string, from: number, count: number, values: readonly string[]): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}${from + i}`, values[i % values.length] ?? ""]));
}

/** The image as a document of its own, at full size, without references to anything outside. */
function finish(svg: string, { ink, paper }: DiagramTheme): DrawnDiagram {
  const root = new DOMParser().parseFromString(svg, "text/html").querySelector("svg");
  if (root === null) return { fault: "" };
  const { width, height } = root.viewBox.baseVal;
  root.setAttribute("width", String(Math.ceil(width)));
  root.setAttribute("height", String(Math.ceil(height)));
  root.style.removeProperty("max-width");
  document.body.append(root);
  for (const node of root.querySelectorAll(".node")) applyContrast(node, [ink, paper]);
  for (const element of root.querySelectorAll("*")) {
    for (const { name, value } of [...element.attributes]) {
      if (/^(?:xlink:)?href$/.test(name) && !value.startsWith("#")) element.removeAttribute(name);
    }
  }
  const title = [root.querySelector(":scope > title"), root.querySelector(":scope > desc")].map((element) => element?.textContent.trim() ?? "");
  return { svg: new XMLSerializer().serializeToString(root), title: title.filter(Boolean).join(". ") };
}

/** Where the diagram gives a node a color of its own, give its text the one of `inks` that is legible on it. */
function applyContrast(node: Element, inks: readonly [string, string]): void {
  const shape = node.querySelector('[style*="fill:"]:not(.label, .label *)');
  const label = node.querySelector<SVGElement>(".label");
  if (shape === null || label === null || /(?:^|[;\s])color:/.test(label.getAttribute("style") ?? "")) return;
  const background = lightness(getComputedStyle(shape).fill);
  const distance = (ink: string) => Math.abs(lightness(ink) - background);
  const ink = distance(inks[0]) >= distance(inks[1]) ? inks[0] : inks[1];
  for (const word of label.querySelectorAll<SVGElement>("text, tspan")) word.style.setProperty("fill", ink, "important");
}

/** Parse `rgb(…)` or `#rrggbb`. */
function lightness(color: string): number {
  const parts = color.startsWith("#") ? color.match(/[\da-f]{2}/g)?.map((part) => parseInt(part, 16)) : color.match(/[\d.]+/g)?.map(Number);
  const [red = 0, green = 0, blue = 0] = parts ?? [];
  return 0.21 * red + 0.72 * green + 0.07 * blue;
}

/** The first line of an error. */
function reason(error: unknown): string {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  return line.replace(/[:\s]+$/, "").slice(0, MAX_FAULT_CHARS);
}

Object.assign(window, { draw });
