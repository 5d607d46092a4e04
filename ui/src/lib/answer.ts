// The text around an answer: how it ended, its steps and its figures.

import { formatDuration, formatMilliseconds } from "./format.ts";
import { passageLocation } from "./documents.ts";
import { messageText } from "../api/fold.ts";
import { formatNumber, t, withEllipsis } from "./i18n/translate.ts";
import { isImageStep } from "./images.ts";
import { describeError, isRoutingNotice } from "./errors.ts";
import { isWebStep, totalMilliseconds, webAddress, webSummary } from "./web.ts";
import type { Citation, Message, Mode, Part, Passage, AnswerNotice, Step } from "../api/events.ts";
import { insertMarks } from "./markdown/citations.ts";
import { skillName } from "./skillNames.ts";

export interface AnswerEnding {
  readonly text: string;
  readonly fault: boolean;
  /** The answer can be resumed where it ended. */
  readonly resumable: boolean;
}

/** A part of an answer, or consecutive images; `i` is the index of its first part. */
export interface AnswerSegment {
  readonly i: number;
  readonly part?: Part;
  readonly pictures?: readonly Part[];
}

/** Group consecutive images; `more` where the last ones are still in progress. */
export function answerSegments({ parts }: Pick<Message, "parts">, more: boolean): AnswerSegment[] {
  const found: AnswerSegment[] = [];
  parts.forEach((part, i) => {
    const last = found.at(-1);
    if (part.kind !== "picture") found.push({ i, part });
    else if (last?.pictures === undefined) found.push({ i, pictures: [part] });
    else found.splice(-1, 1, { ...last, pictures: [...last.pictures, part] });
  });
  return more && found.at(-1)?.pictures === undefined ? [...found, { i: parts.length, pictures: [] }] : found;
}

/** True for a call that isn't made yet, as it or one beside it is still being written. */
export function isBeingWritten({ parts, status }: Pick<Message, "parts" | "status">, i: number): boolean {
  return status === "running" && parts.slice(i + 1).every(({ kind }) => kind === "tool_call");
}

/** The steps of images in progress. */
export function unfinishedImages({ status, steps }: Pick<Message, "status" | "steps">): Step[] {
  return status === "running" ? steps.filter((step) => isImageStep(step) && step.milliseconds === null) : [];
}

/** The steps to list: finished ones and, where they are followed `live`, unfinished ones. Images have placeholders
 * instead. */
export function visibleSteps({ status, steps }: Pick<Message, "status" | "steps">, live: boolean): Step[] {
  const work = steps.filter((step) => !isImageStep(step));
  return status === "running" && !live ? work.filter(({ milliseconds }) => milliseconds !== null) : work;
}

/** Steps of a finished answer that took less are none that a person wants to see above it. */
const MIN_NOTABLE_MS = 2000;

/** True where steps deserve a line above the answer: the web was searched, a skill read, something failed, or they took long. */
export function areNotable(steps: readonly Step[]): boolean {
  const failed = steps.some(({ outcome }) => outcome === "failed" || outcome === "late" || outcome === "refused");
  return failed || steps.some((step) => isWebStep(step) || step.kind === "skill") || totalMilliseconds(steps) >= MIN_NOTABLE_MS;
}

/** The step that the engine is busy with, if it isn't listed. */
export function currentStep({ status, steps }: Pick<Message, "status" | "steps">): Step | undefined {
  if (status !== "running") return undefined;
  return steps.find((step) => !isImageStep(step) && !isWebStep(step) && step.milliseconds === null);
}

/** How the answer ended, unless it simply finished. */
export function answerEnding(message: Message): AnswerEnding | null {
  switch (message.status) {
    case "stopped":
      return { text: t("stopped"), fault: false, resumable: true };
    case "interrupted":
      return { text: t("interrupted"), fault: false, resumable: true };
    case "failed":
      return { text: message.fault === null ? t("failed") : describeError(message.fault.code, message.fault.message), fault: true, resumable: true };
    case "finished":
      if (message.finish_reason === "length") return { text: t("cut"), fault: false, resumable: true };
      return message.finish_reason === "content_filter" ? { text: t("filtered"), fault: false, resumable: false } : null;
    default:
      return null;
  }
}

/** The other mode to offer: for an answer in progress, or one whose mode was chosen by auto. */
export function otherMode({ status, parts, remarks }: Message, mode: Mode | null): "flash" | "think" | null {
  const why = remarks.find(({ code }) => isRoutingNotice(code))?.code;
  if (why === undefined && status !== "running") return null;
  const thought = why === undefined ? mode === "think" || parts.some(({ kind }) => kind === "reasoning") : why !== "routed_short";
  return thought ? "flash" : "think";
}

/** `SmolLM2 · 98 words/s`: the model and its speed, or the time it took where that says more. */
export function answerSummary({ usage, model }: Pick<Message, "usage" | "model">, models: ReadonlyMap<string, string>): string {
  const name = model === null ? "" : (models.get(model) ?? model);
  const { words_per_second: rate = null, seconds = null } = usage ?? {};
  const speed = rate !== null ? t("speed", { rate: formatNumber(rate, { maximumFractionDigits: rate < 10 ? 1 : 0 }) }) : seconds ? formatMilliseconds(1000 * seconds) : "";
  return [name, speed].filter((part) => part !== "").join(" · ");
}

/** Describe a step: what is being done, how far it is and how long it takes. */
export function stepText(step: Pick<Step, "kind" | "title" | "done" | "of"> & Partial<Pick<Step, "milliseconds" | "seconds_left">>): string {
  const { kind, done, of, milliseconds, seconds_left: left } = step;
  const title = stepTitle(step);
  if (!of || typeof milliseconds === "number") return title;
  const share = formatNumber((done ?? 0) / of, { style: "percent" });
  const leftText = left ? [t("pullLeft", { time: formatDuration(left) })] : [];
  switch (kind) {
    case "read":
      return [title, t("pullOf", { done: formatNumber(done ?? 0), total: formatNumber(of) }), share, ...leftText].join(" · ");
    case "prompt":
    case "load":
      return [title, share, ...leftText].join(", ");
    case "wait":
      return [title, t("answersAhead", { count: of - (done ?? 0) })].join(", ");
    default:
      return title;
  }
}

/** The server says it in English, with the object after the verb. */
export function stepTitle({ kind, title, of }: Pick<Step, "kind" | "title" | "of">): string {
  if (kind === "prompt") return of ? t("stepTokens", { count: of }) : t("stepPrompt");
  const [, again] = /^Searching again for (.+)$/s.exec(title) ?? [];
  if (again !== undefined) return t("stepSearchAgain", { what: again });
  const [, packaged, skill] = /^Reading the (packaged )?skill (.+)$/s.exec(title) ?? [];
  if (kind === "skill" && skill !== undefined) return t("stepSkill", { what: skillName(skill, packaged !== undefined) });
  const [, what] = /^(?:Loading|Reading|Searching|Waiting for) (.+)$/s.exec(title) ?? [];
  if (what === undefined) return title;
  if (kind === "load") return t("stepLoad", { what });
  if (kind === "wait") return t("stepWait", { what });
  return t(kind === "read" ? "stepRead" : "stepSearch", { what });
}

/** Waiting is told with the seconds that have passed from here on, where nothing better is known. */
const SHOW_SECONDS_FROM_S = 3;

/** The stage of an answer that has no words yet: `Reading 588 tokens, 40%`, or `Waiting for SmolLM2, 5 sec`. */
export function waitingText(step: Step | undefined, model: string, seconds: number): string {
  const text = step !== undefined ? stepText(step) : model === "" ? "" : t("stepWait", { what: model });
  const isMeasured = step !== undefined && Boolean(step.of) && step.kind !== "wait";
  if (!isMeasured && seconds >= SHOW_SECONDS_FROM_S) return [text, formatDuration(seconds)].filter((part) => part !== "").join(", ");
  return text === "" || isMeasured ? text : withEllipsis(text);
}

/** Summarize all steps in one line: `3 services, 5 of 6 pages read · 2.1 s`, or a single one in its own words. */
export function stepsSummary(steps: readonly Step[]): string {
  const web = webSummary(steps.filter(isWebStep));
  const others = steps.filter((step) => !isWebStep(step));
  const [only] = others;
  const rest = only === undefined ? "" : others.length === 1 ? stepText(only) : t("steps", { count: others.length });
  const what = [web, rest].filter((part) => part !== "");
  return [...what, formatMilliseconds(totalMilliseconds(steps))].join(" · ");
}

/** A warning about the sources, shown above the answer: they are old, or contradict one another. */
export function isSourceWarning({ code }: AnswerNotice): boolean {
  return code === "stale" || code === "contradicted" || code === "superseded";
}

/** The passages whose numbers a notice names, such as `[2]`. */
export function passagesNamedIn({ message }: AnswerNotice, passages: readonly Passage[]): Passage[] {
  const numbers = new Set([...message.matchAll(/\[(\d+)\]/g)].map(([, number]) => Number(number)));
  return passages.filter((passage) => numbers.has(passage.number));
}

/** The first citation of each cited passage, ordered by passage number. */
export function firstCitations({ citations }: Message): Citation[] {
  const first = new Map<number, Citation>();
  for (const citation of citations) if (!first.has(citation.passage)) first.set(citation.passage, citation);
  return [...first.values()].toSorted((a, b) => a.passage - b.passage);
}

/** An answer as Markdown, with its sources as footnotes. */
export function answerMarkdown(message: Message): string {
  const own = messageText(message);
  const sources = firstCitations(message);
  const prefix = own.includes("[^") ? "s" : "";
  const footnoteMark = ({ number: source }: { number: number | null }) => (source === null ? "" : `[^${prefix}${source}]`);
  const text = message.parts.map((part, i) => (part.kind === "text" ? insertMarks(part.text, message, i, footnoteMark) : "")).join("");
  const notes = sources.flatMap(({ passage: number, quote, quote_start }) => {
    const passage = message.passages.find((candidate) => candidate.number === number);
    if (passage === undefined) return [];
    const address = webAddress(passage.url);
    const place = escapeLine(passageLocation(passage, quote_start)) + (address === null ? "" : `, <${address}>`);
    return [`[^${prefix}${number}]: ${place}: “${escapeLine(quote)}”`];
  });
  return notes.length === 0 ? text : `${text.trimEnd()}\n\n${notes.join("\n")}\n`;
}

/** Escape foreign text for one line of Markdown, so that it makes no link, image or tag. */
function escapeLine(text: string): string {
  return text.replace(/\s+/g, " ").trim().replace(/[\\[\]<`]/g, "\\$&");
}
