// What went wrong, for the person. The server says it in English, as precisely as it can; where another language is
// spoken, the page's own sentence for its code comes first.

import type { ErrorCode, Remark, RemarkCode } from "./events.ts";
import { type PlainKey, say, spoken } from "./i18n/say.ts";

const PROBLEMS: Readonly<Record<ErrorCode, PlainKey>> = {
  error: "problemInternal",
  invalid_request: "problemInput",
  invalid_input: "problemInput",
  unauthorized: "keyTitle",
  forbidden: "problemInput",
  not_found: "problemMissing",
  method_not_allowed: "problemInput",
  conflict: "problemConflict",
  licence_asks: "problemInput",
  gone: "problemGone",
  too_large: "problemLarge",
  setup: "problemSetup",
  settings: "problemSetup",
  port_in_use: "problemSetup",
  engine_missing: "problemSetup",
  model_missing: "problemSetup",
  store: "problemStore",
  upstream: "problemBroken",
  engine_refused: "problemEngine",
  engine_busy: "problemBusy",
  engine_unavailable: "problemDown",
  engine_broken: "problemBroken",
};

const REMARKS: Readonly<Record<RemarkCode, PlainKey>> = { history_trimmed: "leftOut", not_saved: "notSaved", answered_by: "answeredBy" };

/** A failure: its code, the server's sentence and, where there was one, the HTTP status. */
export function problem(code: string, message: string, status = 500): string {
  return said(known(PROBLEMS, code) ?? byStatus(status), message);
}

/** Something to know about an answer. */
export function remark({ code, message }: Remark): string {
  return said(known(REMARKS, code), message);
}

/** A server that is newer than this page may say what it does not know. */
function known(sentences: Readonly<Record<string, PlainKey>>, code: string): PlainKey | undefined {
  return Object.hasOwn(sentences, code) ? sentences[code] : undefined;
}

function said(key: PlainKey | undefined, english: string): string {
  return key === undefined || spoken() === "en" ? english : `${say(key)} ${say("problemDetail", { text: english })}`;
}

function byStatus(status: number): PlainKey {
  switch (status) {
    case 404:
      return "problemMissing";
    case 409:
      return "problemConflict";
    case 410:
      return "problemGone";
    case 413:
      return "problemLarge";
    case 429:
      return "problemBusy";
    case 502:
      return "problemBroken";
    case 503:
    case 504:
      return "problemDown";
    default:
      return status >= 400 && status < 500 ? "problemInput" : "problemInternal";
  }
}
