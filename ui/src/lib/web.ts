// Web search in words: services, outcomes, dates, and stored pages.

import { formatDay, type PlainKey, t } from "./i18n/translate.ts";
import { locationName } from "./location.ts";
import type { Passage, Step, StepOutcome } from "../api/events.ts";
import type { SearchService, WebCopy } from "../api/web.ts";

export const WALL_TEXTS: Readonly<Record<NonNullable<WebCopy["wall"]>, PlainKey>> = { pay: "wallPay", consent: "wallConsent", script: "wallScript" };

const OUTCOMES: Readonly<Record<StepOutcome, PlainKey>> = {
  done: "outcomeRead",
  nothing: "outcomeNothing",
  late: "outcomeLate",
  refused: "outcomeRefused",
  failed: "outcomeFailed",
  wall: "outcomeWall",
};

/** True for a web step: a service that is asked, or a page that is read. */
export function isWebStep({ kind }: Step): boolean {
  return kind === "ask" || kind === "fetch";
}

/** An address that a link may lead to; null for any that isn't on the web. */
export function webAddress(url: string | null): string | null {
  const parsed = url === null ? null : URL.parse(url);
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? parsed.href : null;
}

/** `example.org` of `https://www.example.org/a`. */
export function siteName(url: string): string {
  return (URL.parse(url)?.host || url).replace(/^www\./, "");
}

/** `24 November 2026` of `2026-11-24`; anything else stays as it is. */
export function publicationDay(published: string): string {
  const moment = Date.parse(published);
  return Number.isNaN(moment) ? published : formatDay(moment, "UTC");
}

/** The origin of a web passage: `example.org, 24 November 2026`. */
export function webOrigin({ url, published }: Pick<Passage, "url" | "published">): string {
  return [url === null ? "" : siteName(url), published === null ? "" : publicationDay(published)].filter((part) => part !== "").join(", ");
}

/** How a web step ended: `12 results`, `read`, `timed out`; empty while it is in progress. */
export function stepOutcome({ kind, outcome, count }: Step): string {
  if (outcome === null) return "";
  if (kind === "ask" && outcome === "done") return count === null ? "" : t("found", { count });
  return t(OUTCOMES[outcome]);
}

/** `3 services, 5 of 6 pages read`. */
export function webSummary(steps: readonly Step[]): string {
  const services = steps.filter(({ kind }) => kind === "ask");
  const pages = steps.filter(({ kind }) => kind === "fetch");
  const read = pages.filter(({ outcome }) => outcome === "done" || outcome === "wall").length;
  const parts = [
    services.length > 0 ? t("stepServices", { count: services.length }) : "",
    pages.length > 0 ? t("stepPages", { read, count: pages.length }) : "",
  ];
  return parts.filter((part) => part !== "").join(", ");
}

/** How long the steps took, in milliseconds. Web steps run in parallel: at least until the slowest service had answered,
 * or from the first answer until the slowest page was read. */
export function totalMilliseconds(steps: readonly Step[]): number {
  const times = (matches: (step: Step) => boolean) => steps.filter(matches).map(({ milliseconds }) => milliseconds ?? 0);
  const sequential = times((step) => !isWebStep(step)).reduce((sum, each) => sum + each, 0);
  const services = times(({ kind }) => kind === "ask");
  const first = services.length === 0 ? 0 : Math.min(...services);
  return sequential + Math.max(0, ...services, ...times(({ kind }) => kind === "fetch").map((each) => first + each));
}

/** The newest date of these passages; null where none is known. */
export function newestDay(passages: readonly Passage[]): string | null {
  const days = passages.flatMap(({ url, published }) => (url === null || published === null ? [] : [published]));
  return days.toSorted().at(-1) ?? null;
}

/** `News feeds (this machine), Wikipedia (US)`: the services in use and their jurisdictions. */
export function serviceNames(services: readonly Pick<SearchService, "title" | "jurisdiction" | "asked">[]): string {
  const jurisdictionLabel = (place: string) => (place.length === 2 ? place : locationName(place));
  return services.flatMap(({ title, jurisdiction, asked }) => (asked ? [`${title} (${jurisdictionLabel(jurisdiction)})`] : [])).join(", ");
}
