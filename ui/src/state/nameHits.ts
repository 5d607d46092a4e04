// Names that a search found: where each leads, and what it belongs to.

import { toAddress } from "../api/address.ts";
import type { NameHit } from "../api/events.ts";
import { t } from "../lib/i18n/translate.ts";
import type { App } from "./app.svelte.ts";

export function nameAddress({ conversation, message }: NameHit): string {
  if (conversation === null) return toAddress("/libraries");
  return toAddress(`/c/${conversation}${message === null ? "" : `#${message}`}`);
}

export function openName(app: App, { conversation, message }: NameHit): void {
  if (conversation === null) app.openPlace("libraries");
  else app.open(conversation, message);
}

/** The tag that was found, the library of a file, or the conversation that it is attached in. */
export function nameContext({ kind, name, title, library }: NameHit): string {
  if (kind === "tag") return `#${name}`;
  if (kind === "library") return t("library");
  if (kind === "title") return "";
  return library === null ? title || t("untitled") : `@${title}`;
}
