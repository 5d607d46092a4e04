// Research reports: the questions of a plan, and the steps taken for each.

import type { Step } from "../api/events.ts";
import { isWebStep } from "./web.ts";

/** Limits of a plan. */
export const MAX_QUESTIONS = 8;
export const MAX_QUESTION_CHARS = 300;

/** A question of a report, and its web steps; none while it waits its turn. */
export interface ResearchQuestion {
  readonly step: Step;
  readonly steps: readonly Step[];
}

/** True for the steps of a report. */
export function isResearch(steps: readonly Step[]): boolean {
  return steps.some(isQuestion);
}

/** The questions in the order of the plan: steps such as `2`, to which steps such as `2.p1` belong. Empty where the
 * steps are of no report. */
export function researchQuestions(steps: readonly Step[]): ResearchQuestion[] {
  const questions = steps.filter(isQuestion);
  const found = questions.map((step) => ({ step, steps: steps.filter((other) => isWebStep(other) && other.step.startsWith(`${step.step}.`)) }));
  return found.toSorted((a, b) => Number(a.step.step) - Number(b.step.step));
}

/** The text after `/research` in the composer; null where there is no such command. */
export function parseResearchCommand(draft: string): string | null {
  const [found, words = ""] = /^\s*\/research(?:\s+([^]*))?$/.exec(draft) ?? [];
  return found === undefined ? null : words.trim();
}

function isQuestion({ kind, step }: Step): boolean {
  return kind === "search" && /^\d+$/.test(step);
}
