// What is said beneath an answer: how it ended, and its figures.

import { formatEnergy, formatMilliseconds, formatMoney } from "./format.ts";
import { passageLocation } from "./documents.ts";
import { messageText } from "../api/fold.ts";
import { formatNumber, t } from "./i18n/translate.ts";
import { isImageStep } from "./images.ts";
import { describeError, isRoutingRemark } from "./errors.ts";
import { isWebStep, totalMilliseconds, webAddress, webSummary } from "./web.ts";
import type { Citation, Message, Mode, Part, Passage, Remark, Step } from "../api/events.ts";
import { insertMarks } from "./markdown/citations.ts";

export interface AnswerEnding {
  readonly text: string;
  readonly fault: boolean;
  /** Whether the answer can be taken up where it ended. */
  readonly resumable: boolean;
}

/** A part of an answer as it is shown, or pictures that stand together; `i` is the number of its first part. */
export interface AnswerSegment {
  readonly i: number;
  readonly part?: Part;
  readonly pictures?: readonly Part[];
}

/** The parts with pictures that follow one another put together; `more` where the last are still being made. */
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

/** The steps of images that are being made. */
export function unfinishedImages({ status, steps }: Pick<Message, "status" | "steps">): Step[] {
  return status === "running" ? steps.filter((step) => isImageStep(step) && step.milliseconds === null) : [];
}

/** The steps that are listed: those that are done, and where they are followed `live`, those that are not. Images have frames instead. */
export function visibleSteps({ status, steps }: Pick<Message, "status" | "steps">, live: boolean): Step[] {
  const work = steps.filter((step) => !isImageStep(step));
  return status === "running" && !live ? work.filter(({ milliseconds }) => milliseconds !== null) : work;
}

/** What the engine is busy with that is not words, and stands in no list. */
export function currentStep({ status, steps }: Pick<Message, "status" | "steps">): Step | undefined {
  if (status !== "running") return undefined;
  return steps.find((step) => !isImageStep(step) && !isWebStep(step) && step.milliseconds === null);
}

/** How the answer ended, unless it simply ended. */
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

/** The mode in which an answer may be given instead: one that grows, or one that auto chose the mode of. */
export function otherMode({ status, parts, remarks }: Message, mode: Mode | null): "flash" | "think" | null {
  const why = remarks.find(({ code }) => isRoutingRemark(code))?.code;
  if (why === undefined && status !== "running") return null;
  const thought = why === undefined ? mode === "think" || parts.some(({ kind }) => kind === "reasoning") : why !== "routed_short";
  return thought ? "flash" : "think";
}

const SECONDS = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
const WHOLE = { maximumFractionDigits: 0 };

/** `0.12 s to first word · 143 words · 98 words/s · 31 of 36 guesses right · ≈ 3.2 J · €0.0013 · SmolLM2`. */
export function answerStats(message: Message, models: ReadonlyMap<string, string>): string {
  const { usage, model } = message;
  const pieces: string[] = [];
  if (usage !== null) {
    if (usage.first_word_ms !== null) pieces.push(t("firstWord", { seconds: formatNumber(usage.first_word_ms / 1000, SECONDS) }));
    pieces.push(t("words", { count: usage.words }));
    if (usage.words_per_second !== null) pieces.push(t("speed", { rate: formatNumber(usage.words_per_second, WHOLE) }));
    const drafted = usage.drafted_tokens ?? 0;
    if (drafted > 0) pieces.push(t("guessed", { right: usage.accepted_tokens ?? 0, count: drafted }));
    // of an answer from before there were energy and cost, both are missing
    if (usage.energy) pieces.push(formatEnergy(usage.energy.joules, usage.energy.kind === "estimated"));
    if (usage.cost) pieces.push(formatMoney(usage.cost));
  }
  if (model !== null) pieces.push(models.get(model) ?? model);
  return pieces.join(" · ");
}

/** What is done in a step. The server says it in English, with what it is done to behind the verb. */
export function stepText({ kind, title }: Pick<Step, "kind" | "title">): string {
  const [, what] = /^(?:Reading|Searching) (.+)$/s.exec(title) ?? [];
  if (what === undefined || kind === "load") return title;
  return t(kind === "read" ? "stepRead" : "stepSearch", { what });
}

/** All that was done, in one line: `3 services, 5 of 6 pages read · 2.1 s`. */
export function stepsSummary(steps: readonly Step[]): string {
  const web = webSummary(steps.filter(isWebStep));
  const others = steps.filter((step) => !isWebStep(step)).length;
  const what = [web, others > 0 ? t("steps", { count: others }) : ""].filter((part) => part !== "");
  return [...what, formatMilliseconds(totalMilliseconds(steps))].join(" · ");
}

/** What is said of the grounds before the answer's first word: that they are old, or at odds. */
export function isSourceWarning({ code }: Remark): boolean {
  return code === "stale" || code === "contradicted";
}

/** The passages whose numbers a remark names, such as `[2]`. */
export function passagesNamedIn({ message }: Remark, passages: readonly Passage[]): Passage[] {
  const numbers = new Set([...message.matchAll(/\[(\d+)\]/g)].map(([, number]) => Number(number)));
  return passages.filter((passage) => numbers.has(passage.number));
}

/** The first citation of each passage that is cited, in the order of their numbers. */
export function firstCitations({ citations }: Message): Citation[] {
  const first = new Map<number, Citation>();
  for (const citation of citations) if (!first.has(citation.passage)) first.set(citation.passage, citation);
  return [...first.values()].toSorted((a, b) => a.passage - b.passage);
}

/** The words of an answer as Markdown, its sources as footnotes below it. */
export function answerMarkdown(message: Message): string {
  const own = messageText(message);
  const sources = firstCitations(message);
  const prefix = own.includes("[^") ? "s" : "";
  const put = ({ number: source }: { number: number | null }) => (source === null ? "" : `[^${prefix}${source}]`);
  const text = message.parts.map((part, i) => (part.kind === "text" ? insertMarks(part.text, message, i, put) : "")).join("");
  const notes = sources.flatMap(({ passage: wanted, quote, quote_start }) => {
    const passage = message.passages.find((one) => one.number === wanted);
    if (passage === undefined) return [];
    const address = webAddress(passage.url);
    const place = inert(passageLocation(passage, quote_start)) + (address === null ? "" : `, <${address}>`);
    return [`[^${prefix}${wanted}]: ${place}: “${inert(quote)}”`];
  });
  return notes.length === 0 ? text : `${text.trimEnd()}\n\n${notes.join("\n")}\n`;
}

/** Words of others on one line of Markdown: they make no link, picture or tag there. */
function inert(text: string): string {
  return text.replace(/\s+/g, " ").trim().replace(/[\\[\]<`]/g, "\\$&");
}
