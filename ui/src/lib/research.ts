// A research as the page shows it: its plan, and of a report what was done for each question.

import type { Step } from "../api/events.ts";
import { isWebStep } from "./web.ts";

/** Questions of a plan, and characters of one, at most. */
export const MAX_QUESTIONS = 8;
export const MAX_QUESTION_CHARS = 300;

/** A question of a report, and the steps of the web that were taken for it; none while it waits its turn. */
export interface ResearchQuestion {
  readonly step: Step;
  readonly steps: readonly Step[];
}

/** Whether the steps are those of a report. */
export function isResearch(steps: readonly Step[]): boolean {
  return steps.some(isQuestion);
}

/** What was looked into, in the order of the plan: steps such as `2`, to which those like `2.p1` belong. Empty where
 * the steps are of no report. */
export function researchQuestions(steps: readonly Step[]): ResearchQuestion[] {
  const asked = steps.filter(isQuestion);
  const found = asked.map((step) => ({ step, steps: steps.filter((other) => isWebStep(other) && other.step.startsWith(`${step.step}.`)) }));
  return found.toSorted((a, b) => Number(a.step.step) - Number(b.step.step));
}

/** What a report is wanted on: the words after `/research` in the composer. Null where there is no such command. */
export function parseResearchCommand(draft: string): string | null {
  const [found, words = ""] = /^\s*\/research(?:\s+([^]*))?$/.exec(draft) ?? [];
  return found === undefined ? null : words.trim();
}

function isQuestion({ kind, step }: Step): boolean {
  return kind === "search" && /^\d+$/.test(step);
}
