// People in words: their roles, and the devices of their sessions.

import type { Group } from "../api/people.ts";
import type { Person, PersonSession, Role } from "../api/session.ts";
import { dateLocale, formatDay, type PlainKey, t } from "./i18n/translate.ts";

export const ROLE_LABELS: Readonly<Record<Role, PlainKey>> = {
  admin: "roleAdmin",
  auditor: "roleAuditor",
  member: "roleMember",
  guest: "roleGuest",
};

export const ROLES = Object.keys(ROLE_LABELS) as readonly Role[];

/** Browsers by a word of what they call themselves; most name others as well, so that the order matters. */
const BROWSERS: readonly (readonly [string, string])[] = [
  ["Edg", "Edge"],
  ["OPR/", "Opera"],
  ["SamsungBrowser", "Samsung Internet"],
  ["Firefox", "Firefox"],
  ["Chrome", "Chrome"],
  ["Safari", "Safari"],
];
const SYSTEMS: readonly (readonly [string, string])[] = [
  ["Android", "Android"],
  ["iPhone", "iOS"],
  ["iPad", "iPadOS"],
  ["Windows", "Windows"],
  ["Mac OS", "macOS"],
  ["CrOS", "ChromeOS"],
  ["Linux", "Linux"],
];

/** The initials of a name: those of its first and last word. */
export function initialsOf(name: string): string {
  const words = name.split(" ").filter(Boolean);
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends
    .map((word) => [...(word ?? "")][0] ?? "")
    .join("")
    .toLocaleUpperCase();
}

/** The device of a session, such as `Firefox · Linux`, from what it calls itself. */
export function deviceName({ device }: PersonSession): string {
  const find = (names: readonly (readonly [string, string])[]) => names.find(([word]) => device.includes(word))?.[1];
  const found = [find(BROWSERS), find(SYSTEMS)].filter((name) => name !== undefined);
  return found.join(" · ") || device.slice(0, 60) || t("deviceUnknown");
}

/** A moment as people read it, such as `28 Nov 2026, 23:30`. */
export function formatMoment(moment: number): string {
  return new Intl.DateTimeFormat(dateLocale(), { dateStyle: "medium", timeStyle: "short" }).format(moment);
}

/** A person's name to sign in with, address, role, and when they were last here unless that isn't shown. */
export function describePerson({ name, email, role, seen }: Person, showsSeen: boolean): string {
  const last = !showsSeen ? null : seen === null ? t("seenNever") : t("sessionSeen", { when: formatDay(Date.parse(seen), "UTC") });
  return [name, email, t(ROLE_LABELS[role]), last].filter(Boolean).join(" · ");
}

/** The origin of a group: made here, or the identity provider that it comes from. */
export function originName({ origin }: Group): string {
  return origin === "local" ? t("originLocal") : origin.replace(/^(oidc|saml|ldap|scim):/, "");
}
