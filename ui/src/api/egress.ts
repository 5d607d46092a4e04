// What left the machine, as /api/egress has it.

import type { PlainKey } from "../lib/i18n/translate.ts";

export type Verdict = "passed" | "failed" | "refused";
export type Purpose = "engine" | "model" | "search" | "page" | "feed" | "robots";
export type Policy = "offline" | "listed" | "eu" | "open";

/** One call. `url` is null once what was asked was erased; `reason` is a sentence, in English. */
export interface Call {
  readonly id: number;
  /** In milliseconds since 1970. */
  readonly moment: number;
  readonly purpose: Purpose;
  readonly url: string | null;
  readonly host: string;
  readonly address: string | null;
  /** An ISO code, where it is known. */
  readonly country: string | null;
  /** Bytes. */
  readonly sent: number;
  readonly received: number;
  readonly status: number | null;
  readonly milliseconds: number;
  readonly verdict: Verdict;
  readonly reason: string | null;
}

/** A page of the ledger, newest first; `next` is where the one after it begins. */
export interface Calls {
  readonly policy: Policy;
  readonly hosts: readonly string[];
  /** For how many days rows are kept; 0 is without end. */
  readonly days: number;
  readonly counts: Readonly<Partial<Record<Verdict, number>>>;
  readonly calls: readonly Call[];
  readonly next: number | null;
}

/** Which calls; empty is any. */
export interface CallFilter {
  readonly host: string;
  readonly verdict: Verdict | "";
  readonly purpose: Purpose | "";
}

export const VERDICTS: Readonly<Record<Verdict, PlainKey>> = {
  passed: "egressPassed",
  failed: "egressFailed",
  refused: "egressRefused",
};

export const PURPOSES: Readonly<Record<Purpose, PlainKey>> = {
  engine: "egressAnswer",
  model: "egressModel",
  search: "egressSearch",
  page: "egressPage",
  feed: "egressFeed",
  robots: "egressRobots",
};

export const POLICIES: Readonly<Record<Policy, PlainKey>> = {
  offline: "egressOffline",
  listed: "egressListed",
  eu: "egressEu",
  open: "egressOpen",
};

/** The query of a filter. */
export function asked(filter: CallFilter): URLSearchParams {
  return new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== ""));
}

/** What was asked of the host: the address without its beginning; empty for its front page. */
export function path(url: string): string {
  try {
    const { pathname, search } = new URL(url);
    return pathname === "/" && search === "" ? "" : pathname + search;
  } catch {
    return url;
  }
}
