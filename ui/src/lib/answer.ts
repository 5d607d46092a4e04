// The text around an answer: how it ended, its steps and its figures.

import { formatDuration, formatEnergy, formatMilliseconds, formatMoney } from "./format.ts";
import { passageLocation } from "./documents.ts";
import { messageText } from "../api/fold.ts";
import { formatNumber, t } from "./i18n/translate.ts";
import { isImageStep } from "./images.ts";
import { describeError, isRoutingNotice } from "./errors.ts";
import { isWebStep, totalMilliseconds, webAddress, webSummary } from "./web.ts";
import type { Citation, Message, Mode, Part, Passage, AnswerNotice, Step } from "../api/events.ts";
import { insertMarks } from "./markdown/citations.ts";

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

const SECONDS = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
const WHOLE = { maximumFractionDigits: 0 };

/** One line such as `0.12 s to first word · 143 words · 98 words/s · 31 of 36 drafted tokens kept · ≈ 3.2 J · €0.0013 ·
 * SmolLM2`. */
export function answerStats(message: Message, models: ReadonlyMap<string, string>): string {
  const { usage, model } = message;
  const pieces: string[] = [];
  if (usage !== null) {
    if (usage.first_word_ms !== null) pieces.push(t("firstWord", { seconds: formatNumber(usage.first_word_ms / 1000, SECONDS) }));
    pieces.push(t("words", { count: usage.words }));
    if (usage.words_per_second !== null) pieces.push(t("speed", { rate: formatNumber(usage.words_per_second, WHOLE) }));
    const drafted = usage.drafted_tokens ?? 0;
    if (drafted > 0) pieces.push(t("draftedTokens", { right: usage.accepted_tokens ?? 0, count: drafted }));
    // answers from before energy and cost existed have neither
    if (usage.energy) pieces.push(formatEnergy(usage.energy.joules, usage.energy.kind === "estimated"));
    if (usage.cost) pieces.push(formatMoney(usage.cost));
  }
  if (model !== null) pieces.push(models.get(model) ?? model);
  return pieces.join(" · ");
}

/** Describe a step: what is being done, how far it is and how long it takes. */
export function stepText(step: Pick<Step, "kind" | "title" | "done" | "of"> & Partial<Pick<Step, "milliseconds" | "seconds_left">>): string {
  const { kind, done, of, milliseconds, seconds_left: left } = step;
  if (kind !== "read" || !of || typeof milliseconds === "number") return stepTitle(step);
  const count = t("pullOf", { done: formatNumber(done ?? 0), total: formatNumber(of) });
  const share = formatNumber((done ?? 0) / of, { style: "percent" });
  return [stepTitle(step), count, share, ...(left ? [t("pullLeft", { time: formatDuration(left) })] : [])].join(" · ");
}

/** The server says it in English, with the object after the verb. */
function stepTitle({ kind, title, done, of }: Pick<Step, "kind" | "title" | "done" | "of">): string {
  if (kind === "prompt") return [t("stepPrompt"), of ? formatNumber((done ?? 0) / of, { style: "percent" }) : ""].join(" ").trim();
  const [, again] = /^Searching again for (.+)$/s.exec(title) ?? [];
  if (again !== undefined) return t("stepSearchAgain", { what: again });
  const [, what] = /^(?:Reading|Searching|Waiting for) (.+)$/s.exec(title) ?? [];
  if (what === undefined || kind === "load") return title;
  if (kind === "wait") return t("stepWait", { what });
  return t(kind === "read" ? "stepRead" : "stepSearch", { what });
}

/** Summarize all steps in one line: `3 services, 5 of 6 pages read · 2.1 s`. */
export function stepsSummary(steps: readonly Step[]): string {
  const web = webSummary(steps.filter(isWebStep));
  const others = steps.filter((step) => !isWebStep(step)).length;
  const what = [web, others > 0 ? t("steps", { count: others }) : ""].filter((part) => part !== "");
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
