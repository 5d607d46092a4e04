// Parts of rich text that show more than their words: the boxes of tasks, and the names of languages.

import type { Node } from "prosemirror-model";
import type { EditorView, NodeViewConstructor } from "prosemirror-view";
import { t } from "../../i18n/translate.ts";
import { language } from "../../markdown/codeLanguages.ts";
import { patch } from "../../markdown/patch.ts";
import { html, lex } from "../../markdown/render.ts";

const RENDER_DELAY_MS = 400;
const DISPLAYED = /^(?:\$\$[^]*\$\$|\\\[[^]*\\\])\s*$/;

/** An item of a list; one of tasks has a box that can be ticked. */
const listItem: NodeViewConstructor = (first, view, position) => {
  let node = first;
  const dom = document.createElement("li");
  const contentDOM = document.createElement("div");
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  label.contentEditable = "false";
  label.append(box);
  label.addEventListener("mousedown", (event) => event.preventDefault());
  box.addEventListener("click", (event) => event.preventDefault());
  const tick = () => {
    const at = position();
    if (at !== undefined && view.editable) view.dispatch(view.state.tr.setNodeAttribute(at, "checked", node.attrs["checked"] !== true));
  };
  box.addEventListener("click", () => setTimeout(tick)); // once the browser has put back what it changed
  const show = () => {
    const checked: unknown = node.attrs["checked"];
    dom.classList.toggle("task", checked !== null);
    if (checked === null) label.remove();
    else if (label.parentNode === null) dom.prepend(label);
    box.checked = checked === true;
    box.setAttribute("aria-label", `${t(checked === true ? "taskDone" : "taskOpen")}: ${node.firstChild?.textContent ?? ""}`);
  };
  dom.append(contentDOM);
  show();
  return {
    dom,
    contentDOM,
    update(next: Node) {
      if (next.type !== node.type) return false;
      node = next;
      show();
      return true;
    },
    stopEvent: (event) => event.target instanceof window.Node && label.contains(event.target),
    ignoreMutation: (mutation) => mutation.type !== "selection" && !contentDOM.contains(mutation.target),
  };
};

/** Shows a diagram or formula below its text, for those who see it: others have the text. */
function rendering(): { readonly dom: HTMLElement; show(markdown: string | null): void; stop(): void } {
  const dom = document.createElement("div");
  dom.className = "prose rendered";
  dom.contentEditable = "false";
  dom.inert = true;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let shown: string | null = null;
  return {
    dom,
    show(markdown) {
      if (markdown === shown) return;
      clearTimeout(timer);
      dom.hidden = markdown === null;
      if (markdown !== null) timer = setTimeout(() => patch(dom, html(lex(markdown, {}).tokens)), shown === null ? 0 : RENDER_DELAY_MS);
      shown = markdown;
    },
    stop: () => clearTimeout(timer),
  };
}

/** A block that isn't edited as rich text, with its formula. */
const sourceBlock: NodeViewConstructor = (first) => {
  const dom = document.createElement("div");
  const pre = document.createElement("pre");
  const contentDOM = document.createElement("code");
  const below = rendering();
  dom.className = "code source";
  pre.append(contentDOM);
  dom.append(pre, below.dom);
  const show = ({ textContent }: Node) => below.show(DISPLAYED.test(textContent) ? textContent : null);
  below.dom.hidden = true;
  show(first);
  return {
    dom,
    contentDOM,
    update(next: Node) {
      if (next.type !== first.type) return false;
      show(next);
      return true;
    },
    ignoreMutation: (mutation) => mutation.type !== "selection" && !pre.contains(mutation.target),
    destroy: below.stop,
  };
};

/** A block of code with the field for its language. */
const codeBlock: NodeViewConstructor = (first, view, position) => {
  let node = first;
  const dom = document.createElement("div");
  const field = document.createElement("input");
  const pre = document.createElement("pre");
  const contentDOM = document.createElement("code");
  dom.className = "code";
  field.className = "language";
  field.spellcheck = false;
  field.maxLength = 40;
  field.contentEditable = "false";
  field.setAttribute("aria-label", t("formatLanguage"));
  field.placeholder = t("formatLanguage");
  const below = rendering();
  below.dom.hidden = true;
  pre.append(contentDOM);
  dom.append(field, pre, below.dom);
  const show = () => {
    const info = String(node.attrs["info"]);
    field.value = document.activeElement === field ? field.value : (language(info)?.label ?? info);
    const fence = "`".repeat(Math.max(3, ...(node.textContent.match(/`{3,}/g) ?? []).map(({ length }) => length + 1)));
    below.show(language(info)?.label === "Mermaid" && node.textContent.trim() !== "" ? `${fence}mermaid\n${node.textContent}\n${fence}` : null);
  };
  field.addEventListener("focus", () => (field.value = String(node.attrs["info"])));
  field.addEventListener("blur", () => {
    const at = position();
    const info = field.value.trim().replace(/[`\n]/g, "");
    if (at !== undefined && view.editable && info !== node.attrs["info"]) view.dispatch(view.state.tr.setNodeAttribute(at, "info", info));
    show();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    view.focus();
  });
  show();
  return {
    dom,
    contentDOM,
    update(next: Node) {
      if (next.type !== node.type) return false;
      node = next;
      show();
      return true;
    },
    stopEvent: (event) => event.target === field,
    ignoreMutation: (mutation) => mutation.type !== "selection" && !pre.contains(mutation.target),
    destroy: below.stop,
  };
};

/** A table in a frame of its own, in which a wide one scrolls. */
const table: NodeViewConstructor = () => {
  const dom = document.createElement("div");
  dom.className = "wide";
  const contentDOM = dom.appendChild(document.createElement("table")).appendChild(document.createElement("tbody"));
  return { dom, contentDOM, ignoreMutation: (mutation) => mutation.type !== "selection" && !contentDOM.contains(mutation.target) };
};

export const nodeViews: NonNullable<EditorView["props"]["nodeViews"]> = { listItem, codeBlock, sourceBlock, table };
