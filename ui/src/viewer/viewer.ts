// Shows the conversation that an exported file holds, in place of the plain text that is there without scripts.

import "../styles/tokens.css";
import "../styles/base.css";
import { mount } from "svelte";
import { setLanguage, type Translation } from "../lib/i18n/translate.ts";
import ExportedPage, { type ExportedConversation } from "./ExportedPage.svelte";

interface ViewerData {
  readonly language: string;
  /** The page's texts in that language; null for English, which is built in. */
  readonly texts: Translation | null;
  readonly conversation: ExportedConversation;
}

const plain = document.querySelector("main");
const data = document.getElementById("data")?.textContent;
if (plain !== null && data) {
  const { language, texts, conversation } = JSON.parse(data) as ViewerData;
  if (texts !== null) setLanguage(language, texts);
  document.documentElement.lang = language;
  document.getElementById("plain")?.remove();
  for (const style of document.querySelectorAll<HTMLStyleElement>("style.viewer")) style.media = "all";
  const target = document.createElement("div");
  mount(ExportedPage, { target, props: { conversation } });
  plain.before(target);
  plain.hidden = true;
}
