// The entries of the command palette: actions, settings, models and conversations, best matches first.

import type { Found } from "../../api/conversations.ts";
import type { Hit, NameHit } from "../../api/events.ts";
import { type PlainKey, t } from "../../lib/i18n/translate.ts";
import { ACTIONS, keysFor } from "../../state/actions.ts";
import type { App } from "../../state/app.svelte.ts";
import { nameContext, openName } from "../../state/nameHits.ts";
import { SETTINGS, type SettingsName } from "../../state/places.ts";
import { match, type Match } from "./fuzzy.ts";

const RECENT_CONVERSATIONS = 6;
const MAX_ITEMS_PER_GROUP = 20;

export interface Item {
  readonly id: string;
  readonly text: string;
  readonly ranges: Match["ranges"];
  readonly keys: string;
  /** An excerpt of a message, with its matches marked. */
  readonly excerpt: string;
  /** The conversation or library that it belongs to. */
  readonly detail: string;
  /** It is the current choice. */
  readonly current: boolean;
  run(): void | Promise<unknown>;
}

export interface Group {
  readonly label: PlainKey;
  readonly items: readonly Item[];
}

type Entry = Omit<Item, "ranges" | "keys" | "excerpt" | "detail" | "current"> & Partial<Pick<Item, "keys" | "current">>;

/** The groups that aren't empty; `searched` is what the server found. */
export function groups(app: App, query: string, searched: Found): Group[] {
  const found = [
    bestMatches("actions", actions(app), query),
    bestMatches("conversations", conversations(app), query, query === "" ? RECENT_CONVERSATIONS : MAX_ITEMS_PER_GROUP),
    bestMatches("settings", sections(app), query),
    bestMatches("models", models(app), query),
  ];
  if (query !== "") found.sort((a, b) => b.score - a.score);
  const known = new Set(app.conversations.all.map(({ id }) => id));
  const others = searched.names.filter(({ kind, conversation }) => kind !== "title" || !known.has(conversation ?? ""));
  const conversationHits = others.filter(({ kind }) => kind === "title" || kind === "tag");
  return nonEmpty([
    ...found.map((group) => (group.label === "conversations" ? { ...group, items: [...group.items, ...names(app, conversationHits)] } : group)),
    { label: "libraries", items: names(app, others.filter(({ kind }) => kind === "library")) },
    { label: "files", items: names(app, others.filter(({ kind }) => kind === "file")) },
    messages(app, searched.hits),
  ]);
}

function nonEmpty(all: readonly Group[]): Group[] {
  return all.filter(({ items }) => items.length > 0);
}

function bestMatches(label: PlainKey, entries: readonly Entry[], query: string, limit = MAX_ITEMS_PER_GROUP): Group & { score: number } {
  const found = entries.flatMap((entry) => {
    const matched = match(query, entry.text);
    return matched === null ? [] : [{ entry, matched }];
  });
  if (query !== "") found.sort((a, b) => b.matched.score - a.matched.score);
  const items = found.slice(0, limit).map(({ entry, matched }) => ({
    ...{ keys: "", current: false, excerpt: "", detail: "" },
    ...entry,
    ranges: matched.ranges,
  }));
  return { label, items, score: found[0]?.matched.score ?? 0 };
}

function actions(app: App): Entry[] {
  const can = ACTIONS.filter((action) => action.id !== "palette" && action.enabled(app));
  return can.map((action) => ({
    id: `action-${action.id}`,
    text: t(action.label),
    keys: keysFor(action, app.preferences.now.shortcuts),
    run: () => action.run(app),
  }));
}

function sections(app: App): Entry[] {
  return (Object.keys(SETTINGS) as SettingsName[]).map((page) => ({
    id: `section-${page}`,
    text: `${t("settings")}: ${t(SETTINGS[page])}`,
    run: () => app.openSettings(page),
  }));
}

function models(app: App): Entry[] {
  const known = app.models.map(({ id, name }) => ({
    id: `model-${id}`,
    text: t("useModel", { name }),
    current: id === app.model,
    run: () => app.chooseModel(id),
  }));
  return [...known, { id: "more-models", text: t("moreModels"), run: () => app.openSettings("models") }];
}

function conversations(app: App): Entry[] {
  return app.conversations.all.map(({ id, title }) => ({
    id: `conversation-${id}`,
    text: title || t("untitled"),
    current: app.page === "chat" && id === app.current.id,
    run: () => app.open(id),
  }));
}

function names(app: App, hits: readonly NameHit[]): Item[] {
  return hits.map((hit) => ({
    id: `name-${hit.kind}-${hit.library ?? hit.conversation}-${hit.name}`,
    text: hit.kind === "tag" ? hit.title || t("untitled") : hit.name,
    detail: nameContext(hit),
    ...{ ranges: [], keys: "", excerpt: "", current: false },
    run: () => openName(app, hit),
  }));
}

function messages(app: App, hits: readonly Hit[]): Group {
  const items = hits.map((hit) => ({
    id: `message-${hit.message}`,
    text: hit.title || t("untitled"),
    excerpt: hit.excerpt,
    ...{ ranges: [], keys: "", detail: "", current: false },
    run: () => app.open(hit.conversation, hit.message),
  }));
  return { label: "messages", items };
}
