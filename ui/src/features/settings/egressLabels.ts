// What is said of outgoing connections.

import type { EgressPolicy, Purpose, Verdict } from "../../api/egress.ts";
import type { PlainKey } from "../../lib/i18n/translate.ts";

export const VERDICT_LABELS: Readonly<Record<Verdict, PlainKey>> = {
  passed: "egressPassed",
  failed: "egressFailed",
  refused: "egressRefused",
};

export const PURPOSE_LABELS: Readonly<Record<Purpose, PlainKey>> = {
  engine: "egressAnswer",
  model: "egressModel",
  search: "egressSearch",
  page: "egressPage",
  feed: "egressFeed",
  robots: "egressRobots",
};

export const POLICY_LABELS: Readonly<Record<EgressPolicy, PlainKey>> = {
  offline: "egressOffline",
  listed: "egressListed",
  eu: "egressEu",
  open: "egressOpen",
};

/** What was asked of the host: the address without its beginning; empty for its front page. */
export function requestPath(url: string): string {
  try {
    const { pathname, search } = new URL(url);
    return pathname === "/" && search === "" ? "" : pathname + search;
  } catch {
    return url;
  }
}
