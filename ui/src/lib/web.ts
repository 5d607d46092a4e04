// What the server tells of the web: who is asked, how that ended, and pages as they were kept; in words and dates.

import type { DocumentPage } from "./documents.ts";
import type { Outcome, Passage, Step } from "../api/events.ts";
import { day, number, type PlainKey, say } from "./i18n/translate.ts";
import { placed } from "./location.ts";

/** Who can be asked on the web; `asked` where it is. `jurisdiction` is an ISO code, `machine`, `network` or `unknown`. */
export interface Service {
  readonly name: string;
  readonly title: string;
  readonly jurisdiction: string;
  readonly asked: boolean;
}

/** A page of the web as it was read for an answer. `published` is a day (ISO 8601), `fetched` milliseconds since 1970. */
export interface WebCopy {
  readonly title: string;
  readonly site: string;
  readonly url: string;
  readonly published: string | null;
  readonly fetched: number;
  readonly language: string | null;
  readonly author: string | null;
  /** Why it shows less than it has. */
  readonly wall: "pay" | "consent" | "script" | null;
  readonly pages: readonly DocumentPage[];
}

export const WALLS: Readonly<Record<NonNullable<WebCopy["wall"]>, PlainKey>> = { pay: "wallPay", consent: "wallConsent", script: "wallScript" };

const OUTCOMES: Readonly<Record<Outcome, PlainKey>> = {
  done: "outcomeRead",
  nothing: "outcomeNothing",
  late: "outcomeLate",
  refused: "outcomeRefused",
  failed: "outcomeFailed",
  wall: "outcomeWall",
};

/** Whether a step is of the web: a service that is asked, or a page that is read. */
export function isOfWeb({ kind }: Step): boolean {
  return kind === "ask" || kind === "fetch";
}

/** An address that a link may lead to; null for what is none of the web. */
export function addressOf(url: string | null): string | null {
  const parsed = url === null ? null : URL.parse(url);
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? parsed.href : null;
}

/** `example.org` of `https://www.example.org/a`. */
export function siteOf(url: string): string {
  return (URL.parse(url)?.host || url).replace(/^www\./, "");
}

/** `24 November 2026` of `2026-11-24`; what is no day stays as it is. */
export function dayOf(published: string): string {
  const moment = Date.parse(published);
  return Number.isNaN(moment) ? published : day(moment, "UTC");
}

/** Where a passage of the web is from: `example.org, 24 November 2026`. */
export function originOf({ url, published }: Pick<Passage, "url" | "published">): string {
  return [url === null ? "" : siteOf(url), published === null ? "" : dayOf(published)].filter((part) => part !== "").join(", ");
}

/** How a step of the web ended: `12 results`, `read`, `took too long`; empty while it has not. */
export function ended({ kind, outcome, count }: Step): string {
  if (outcome === null) return "";
  if (kind === "ask" && outcome === "done") return count === null ? "" : say("found", { count });
  return say(OUTCOMES[outcome]);
}

/** `3 services, 5 of 6 pages read`. */
export function looked(steps: readonly Step[]): string {
  const asked = steps.filter(({ kind }) => kind === "ask");
  const fetched = steps.filter(({ kind }) => kind === "fetch");
  const read = fetched.filter(({ outcome }) => outcome === "done" || outcome === "wall").length;
  const parts = [
    asked.length > 0 ? say("stepServices", { count: asked.length }) : "",
    fetched.length > 0 ? say("stepPages", { read, count: fetched.length }) : "",
  ];
  return parts.filter((part) => part !== "").join(", ");
}

/** How long steps took, in milliseconds. Those of the web run side by side: at least until the slowest service had
 * answered, or from the first that did until the slowest page was read. */
export function duration(steps: readonly Step[]): number {
  const times = (wanted: (step: Step) => boolean) => steps.filter(wanted).map(({ milliseconds }) => milliseconds ?? 0);
  const alone = times((step) => !isOfWeb(step)).reduce((sum, each) => sum + each, 0);
  const asked = times(({ kind }) => kind === "ask");
  const first = asked.length === 0 ? 0 : Math.min(...asked);
  return alone + Math.max(0, ...asked, ...times(({ kind }) => kind === "fetch").map((each) => first + each));
}

/** `412 ms`, `2.1 s`. */
export function time(milliseconds: number): string {
  if (milliseconds < 1000) return number(milliseconds, { style: "unit", unit: "millisecond", maximumFractionDigits: 0 });
  return say("seconds", { seconds: number(milliseconds / 1000, { minimumFractionDigits: 1, maximumFractionDigits: 1 }) });
}

/** The day of the newest of these passages; null where none is known. */
export function newest(passages: readonly Passage[]): string | null {
  const days = passages.flatMap(({ url, published }) => (url === null || published === null ? [] : [published]));
  return days.toSorted().at(-1) ?? null;
}

/** `Newsroom (this machine), Wikipedia (US)`: those that are asked, and whose law they are under. */
export function named(services: readonly Service[]): string {
  const law = (place: string) => (place.length === 2 ? place : placed(place));
  return services.flatMap(({ title, jurisdiction, asked }) => (asked ? [`${title} (${law(jurisdiction)})`] : [])).join(", ");
}
