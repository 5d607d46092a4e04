// Labels of the egress log.

import type { EgressPolicy, Purpose, Verdict } from "../../api/egress.ts";
import type { PlainKey } from "../../lib/i18n/translate.ts";

export const VERDICT_LABELS: Readonly<Record<Verdict, PlainKey>> = {
  begun: "egressBegun",
  passed: "egressPassed",
  failed: "egressFailed",
  refused: "egressRefused",
  interrupted: "egressInterrupted",
};

export const PURPOSE_LABELS: Readonly<Record<Purpose, PlainKey>> = {
  engine: "egressAnswer",
  model: "egressModel",
  search: "egressSearch",
  page: "egressPage",
  feed: "egressFeed",
  robots: "egressRobots",
  trace: "egressTrace",
  audit: "auditLog",
  identity: "egressIdentity",
  mcp: "mcpServers",
  mail: "egressMail",
  storage: "egressStorage",
};

export const POLICY_LABELS: Readonly<Record<EgressPolicy, PlainKey>> = {
  offline: "egressOffline",
  listed: "egressListed",
  eu: "egressEu",
  open: "egressOpen",
};

/** The requested address without scheme and host; empty for a host's front page. */
export function requestPath(url: string): string {
  try {
    const { pathname, search } = new URL(url);
    return pathname === "/" && search === "" ? "" : pathname + search;
  } catch {
    return url;
  }
}
