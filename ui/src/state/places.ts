// The pages beside the conversation: the places of the sidebar, the pages of the settings, and their addresses.

import type { PlainKey } from "../lib/i18n/translate.ts";

/** The label of each place. Its address is its name. */
export const PLACES = {
  projects: "projects",
  assistants: "assistants",
  libraries: "libraries",
  news: "news",
  pictures: "pictures",
  usage: "usage",
  connections: "egress",
  admin: "administration",
  settings: "settings",
} as const satisfies Readonly<Record<string, PlainKey>>;

export type Place = keyof typeof PLACES;

/** The label of each page of the settings, in their order. Its address is `/settings/` and its name. */
export const SETTINGS = {
  account: "account",
  general: "general",
  appearance: "appearance",
  models: "models",
  speech: "speech",
  instructions: "instructions",
  memory: "memory",
  schedules: "schedules",
  prompts: "prompts",
  skills: "skills",
  servers: "engines",
  mcp: "mcpServers",
  keys: "apiKeys",
  web: "webSearch",
  keyboard: "keyboard",
  data: "data",
  compliance: "compliance",
  about: "about",
} as const satisfies Readonly<Record<string, PlainKey>>;

export type SettingsName = keyof typeof SETTINGS;

/** Sections of the settings when they were one page, where their address has changed otherwise than from `#` to `/`. */
const MOVED: Readonly<Record<string, string>> = {
  language: "/settings/general",
  writing: "/settings/general",
  model: "/settings/models",
  engines: "/settings/servers",
  libraries: "/libraries",
  feeds: "/news#feeds",
  usage: "/usage",
  egress: "/connections",
};

/** A place, and the page or the picture in it. */
export interface PlaceAddress {
  readonly place: Place;
  readonly section: string;
}

export function isPlace(name: string): name is Place {
  return Object.hasOwn(PLACES, name);
}

export function isSettingsName(name: string): name is SettingsName {
  return Object.hasOwn(SETTINGS, name);
}

/** The path and hash of a place. */
export function addressOf({ place, section }: PlaceAddress): string {
  if (section === "") return `/${place}`;
  return place === "settings" || place === "admin" || place === "projects" ? `/${place}/${section}` : `/${place}#${section}`;
}

/** The place at an address; null for a conversation. */
export function placeAt(path: string, hash: string): PlaceAddress | null {
  const [, name = "", page = "", ...within] = path.split("/");
  const section = hash.slice(1);
  if (!isPlace(name)) return null;
  if (name === "projects") return { place: name, section: page };
  if (name === "admin") return { place: name, section: [page, ...within].filter(Boolean).join("/") };
  if (name !== "settings") return { place: name, section };
  if (section === "") return { place: name, section: isSettingsName(page) ? page : "" };
  const [moved = "", anchor = ""] = (MOVED[section] ?? `/settings/${section}`).split("#");
  return placeAt(moved, `#${anchor}`);
}
