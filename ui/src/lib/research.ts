// A research as the page shows it: its plan, and of a report what was done for each question.

import type { Step } from "../api/events.ts";
import { isOfWeb } from "./web.ts";

/** Questions of a plan, and characters of one, at most. */
export const MOST_QUESTIONS = 8;
export const LONGEST_QUESTION = 300;

/** The questions that would be looked into, and whether the model or a rule made them. */
export interface Plan {
  readonly questions: readonly string[];
  readonly by: "model" | "rule";
}

/** A question of a report, and the steps of the web that were taken for it; none while it waits its turn. */
export interface Inquiry {
  readonly step: Step;
  readonly steps: readonly Step[];
}

/** What was looked into, in the order of the plan: steps such as `2`, to which those like `2.p1` belong. Empty where
 * the steps are of no report. */
export function inquiries(steps: readonly Step[]): Inquiry[] {
  const asked = steps.filter(({ kind, step }) => kind === "search" && /^\d+$/.test(step));
  const found = asked.map((step) => ({ step, steps: steps.filter((other) => isOfWeb(other) && other.step.startsWith(`${step.step}.`)) }));
  return found.toSorted((a, b) => Number(a.step.step) - Number(b.step.step));
}

/** What a report is wanted on: the words after `/research` in the composer. Null where there is no such command. */
export function requestIn(draft: string): string | null {
  const [found, words = ""] = /^\s*\/research(?:\s+([^]*))?$/.exec(draft) ?? [];
  return found === undefined ? null : words.trim();
}

