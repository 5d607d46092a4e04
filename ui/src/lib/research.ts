// Research reports: the questions of a plan, and the steps taken for each.

import type { AgentBudget, AgentEnding, Message, Step, SubAgent } from "../api/events.ts";
import { formatDuration } from "./format.ts";
import { formatNumber, type PlainKey, t } from "./i18n/translate.ts";

/** Limits of a plan. */
export const MAX_QUESTIONS = 8;
export const MAX_QUESTION_CHARS = 300;

/** A question of a report, with its steps and its sub-agent; none while it waits its turn. */
export interface ResearchQuestion {
  readonly step: Step;
  readonly steps: readonly Step[];
  readonly agent: SubAgent | null;
}

/** True for the steps of a report. */
export function isResearch(steps: readonly Step[]): boolean {
  return steps.some(isQuestion);
}

/** The questions in the order of the plan: steps such as `2`, to which steps such as `2.p1` belong. Empty where the
 * steps are of no report. */
export function researchQuestions({ steps, agents }: Pick<Message, "steps" | "agents">): ResearchQuestion[] {
  const found = steps.filter(isQuestion).map((step) => ({
    step,
    steps: steps.filter((other) => other.step.startsWith(`${step.step}.`)),
    agent: agents.find(({ agent }) => agent === step.step) ?? null,
  }));
  return found.toSorted((a, b) => Number(a.step.step) - Number(b.step.step));
}

/** The budget of all sub-agents together, and how much of it they have used. */
export function totalBudget(agents: readonly SubAgent[]): Record<"budget" | "spent", AgentBudget> {
  const sum = (which: "budget" | "spent", field: keyof AgentBudget) => agents.reduce((total, agent) => total + agent[which][field], 0);
  const total = (which: "budget" | "spent") => ({ rounds: sum(which, "rounds"), tokens: sum(which, "tokens"), seconds: sum(which, "seconds") });
  return { budget: total("budget"), spent: total("spent") };
}

/** `Rounds: 7 of 24 · Tokens: 12,300 of 320,000 · Time: 70 sec of 16 min`. One that asks no model has no tokens. */
export function budgetText(agents: readonly SubAgent[]): string {
  const { budget, spent } = totalBudget(agents);
  const parts = [t("researchRounds", { done: formatNumber(spent.rounds), total: formatNumber(budget.rounds) })];
  if (budget.tokens > 0) parts.push(t("researchTokens", { done: formatNumber(spent.tokens), total: formatNumber(budget.tokens) }));
  parts.push(t("researchTime", { done: formatDuration(spent.seconds), total: formatDuration(budget.seconds) }));
  return parts.join(" · ");
}

const ENDINGS: Readonly<Record<Exclude<AgentEnding, "done" | "failed">, PlainKey>> = {
  rounds: "researchEndRounds",
  tokens: "researchEndTokens",
  time: "researchEndTime",
  repeated: "researchEndRepeated",
  enough: "researchEndEnough",
  stopped: "researchEndStopped",
};

/** Why a sub-agent ended early; empty where it didn't. */
export function endingText({ ending, fault }: SubAgent): string {
  if (ending === "failed") return fault ?? t("outcomeFailed");
  return ending === null || ending === "done" ? "" : t(ENDINGS[ending]);
}

/** The text after `/research` in the composer; null where there is no such command. */
export function parseResearchCommand(draft: string): string | null {
  const [found, words = ""] = /^\s*\/research(?:\s+([^]*))?$/.exec(draft) ?? [];
  return found === undefined ? null : words.trim();
}

function isQuestion({ kind, step }: Step): boolean {
  return kind === "search" && /^\d+$/.test(step);
}
