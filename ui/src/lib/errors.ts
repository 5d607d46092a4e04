// Errors and notices in the person's language. The server describes them in English, as precisely as it can; in other
// languages the page's own sentence for the code comes first.

import type { AnswerNotice, CallFaultCode, ErrorCode, Fault, NoticeCode } from "../api/events.ts";
import { currentLanguage, type Key, type PlainKey, t } from "./i18n/translate.ts";
import { ApiError, type Failure } from "../api/client.ts";

const PROBLEMS: Readonly<Record<ErrorCode, PlainKey>> = {
  error: "problemInternal",
  no_clip_art: "problemClipArt",
  no_model: "firstNone",
  image_model_missing: "useImageNot",
  speech_part_missing: "speechMissing",
  recognizer_missing: "recognizerMissing",
  download_interrupted: "problemDownload",
  download_wrong: "problemDownloadWrong",
  key_refused: "problemKey",
  model_too_large: "problemMemory",
  invalid_request: "problemInput",
  invalid_input: "problemInput",
  unauthorized: "keyTitle",
  forbidden: "problemInput",
  wrong_credentials: "problemSignIn",
  passkey_refused: "passkeyNotUsed",
  second_factor_needed: "problemSecondStep",
  role_missing: "problemRole",
  right_missing: "problemRight",
  account_locked: "problemLocked",
  not_invited: "problemInvitation",
  not_admitted: "signInRestricted",
  sign_in_denied: "signInDenied",
  sign_in_expired: "signInLate",
  email_shared: "signInEmailShared",
  identity_setup: "signInSetup",
  identity_unavailable: "signInUnavailable",
  identity_unverified: "signInUnverified",
  prohibited_use: "prohibitedUse",
  refused: "problemRefused",
  not_found: "problemMissing",
  method_not_allowed: "problemInput",
  conflict: "problemConflict",
  legal_hold: "problemHeld",
  temporary_only: "problemTemporary",
  license_not_accepted: "problemLicense",
  gone: "problemGone",
  too_large: "problemLarge",
  unreadable_file: "problemFile",
  too_busy: "problemCrowd",
  budget_exceeded: "problemBudget",
  setup: "problemSetup",
  settings: "problemSetup",
  port_in_use: "problemSetup",
  engine_missing: "problemSetup",
  ability_missing: "problemSetup",
  model_missing: "problemModel",
  store: "problemStore",
  damaged: "problemDamaged",
  upstream: "problemBroken",
  engine_refused: "problemEngine",
  context_length_exceeded: "problemContext",
  engine_busy: "problemBusy",
  draining: "problemDraining",
  engine_unavailable: "problemDown",
  engine_broken: "problemBroken",
};

/** Why auto chose flash or think. */
const ROUTED = {
  routed_short: "routedShort",
  routed_long: "routedLong",
  routed_code: "routedCode",
  routed_numbers: "routedNumbers",
  routed_hard: "routedHard",
} as const satisfies Partial<Record<NoticeCode, Key>>;

const NOTICES: Readonly<Record<Exclude<NoticeCode, "language" | "saved" | keyof typeof ROUTED>, PlainKey>> = {
  history_trimmed: "leftOut",
  not_saved: "notSaved",
  answered_by: "answeredBy",
  partly_read: "partlyRead",
  steps_limited: "stepsLimited",
  time_limited: "timeLimited",
  cost_limited: "costLimited",
  calls_repeated: "callsRepeated",
  skimmed: "skimmed",
  unread: "fileUnread",
  nothing_found: "nothingFits",
  not_seen: "photoUnseen",
  picture_offer: "drawOffer",
  left_out: "photoCleaned",
  web_auto: "webByItself",
  web_off: "webIsOff",
  web_shut: "webIsShut",
  web_late: "webLate",
  web_unreachable: "webUnreachable",
  web_unread: "webUnread",
  from_memory: "fromMemory",
  web_refused: "webRefused",
  stale: "webStale",
  contradicted: "webContradicted",
  superseded: "webSuperseded",
  prohibited_use: "prohibitedUse",
  high_risk_use: "highRiskUse",
  budget_low: "budgetLow",
  memory_refused: "memoryRefused",
  memory_not_kept: "memoryNotKept",
};

/** Why a call failed or wasn't made, where the words for answers don't fit. */
const CALL_FAULTS: Readonly<Record<CallFaultCode | "upstream" | "engine_unavailable" | "engine_broken", PlainKey>> = {
  unknown_tool: "callNoTool",
  bad_arguments: "callBadInput",
  call_limit: "callLimit",
  call_closed: "callClosed",
  nobody_asked: "callUnasked",
  repeated: "callRepeated",
  late: "callLate",
  page_unread: "callPageUnread",
  web_unreachable: "webUnreachable",
  text_not_unique: "callTextUnclear",
  no_picture: "callNoPicture",
  memory_refused: "memoryRefused",
  upstream: "callBroken",
  engine_unavailable: "callDown",
  engine_broken: "callBroken",
};

/** An error as the server describes it. */
export interface ErrorReport {
  readonly code: string;
  /** The server's sentence, in English. */
  readonly message: string;
  readonly status?: number;
}

/** The page that helps against an error, and what the button that leads there says. */
export interface ErrorAction {
  readonly label: PlainKey;
  readonly place: "settings" | "usage";
  readonly section?: "models" | "servers" | "speech";
}

const MODELS_ACTION: ErrorAction = { label: "models", place: "settings", section: "models" };
const SPEECH_ACTION: ErrorAction = { label: "speech", place: "settings", section: "speech" };
const ACTIONS: { readonly [code in ErrorCode]?: ErrorAction } = {
  no_clip_art: MODELS_ACTION,
  no_model: MODELS_ACTION,
  model_missing: MODELS_ACTION,
  image_model_missing: MODELS_ACTION,
  speech_part_missing: SPEECH_ACTION,
  recognizer_missing: SPEECH_ACTION,
  model_too_large: MODELS_ACTION,
  key_refused: { label: "changeKey", place: "settings", section: "servers" },
  budget_exceeded: { label: "usage", place: "usage" },
};

/** An error in the page's language. The server's sentence comes first where it is English and names no command, and is
 * a detail otherwise. */
export function describeReport({ code, message, status = 500 }: ErrorReport): { readonly sentence: string; readonly details: string } {
  if (currentLanguage() === "en" && !message.includes("`eclair ")) return { sentence: message, details: "" };
  return { sentence: t(known(PROBLEMS, code) ?? byStatus(status)), details: message };
}

/** The action that helps against an error; null where the page has none. */
export function errorAction(code: string): ErrorAction | null {
  return (ACTIONS as Readonly<Record<string, ErrorAction>>)[code] ?? null;
}

/** A failure as ErrorText shows it: the server's report, or the page's own sentence. */
export function toReport(error: unknown): string | ErrorReport {
  if (error instanceof ApiError && error.detail !== "") return { code: error.code, message: error.detail, status: error.status };
  return error instanceof Error ? error.message : String(error);
}

/** Describe a failed call. */
export function explain(failure: Failure): string {
  switch (failure.kind) {
    case "refused":
      return describeError(failure.code, failure.message, failure.status);
    case "unreadable":
      return t("refused", { status: failure.status });
    case "unreachable":
      return t("unreachable");
    case "upload":
      return t("unreached");
  }
}

/** Describe a failure by its code, the server's sentence and, where there was one, the HTTP status. */
export function describeError(code: string, message: string, status = 500): string {
  return inLanguage(known(PROBLEMS, code) ?? byStatus(status), message);
}

/** Describe a failure of which only the code is known. */
export function describeCode(code: string, otherwise: PlainKey): string {
  return t(known(PROBLEMS, code) ?? otherwise);
}

/** Describe a notice about an answer by `model`; LanguageAdvice.svelte handles the one about its language. */
export function describeNotice({ code, message }: AnswerNotice, model = ""): string {
  return isRoutingNotice(code) ? t(ROUTED[code], { model }) : inLanguage(known(NOTICES, code), message);
}

/** Describe why a call failed or wasn't made. */
export function describeCallFault({ code, message }: Fault): string {
  return inLanguage(known(CALL_FAULTS, code) ?? known(PROBLEMS, code) ?? byStatus(500), message);
}

/** True for the notice that says why auto chose flash or think. */
export function isRoutingNotice(code: string): code is keyof typeof ROUTED {
  return Object.hasOwn(ROUTED, code);
}

/** A newer server may send codes that this page doesn't know. */
function known(sentences: Readonly<Record<string, PlainKey>>, code: string): PlainKey | undefined {
  return Object.hasOwn(sentences, code) ? sentences[code] : undefined;
}

function inLanguage(key: PlainKey | undefined, english: string): string {
  if (key === undefined) return english;
  if (currentLanguage() === "en") return english.includes("`eclair ") ? t(key) : english;
  return `${t(key)} ${t("problemDetail", { text: english })}`;
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

/** The server's English text, labelled as English where the page has another language. */
export function serverText(english: string): string {
  return currentLanguage() === "en" ? english : t("problemDetail", { text: english });
}
