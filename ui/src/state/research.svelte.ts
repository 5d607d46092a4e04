// A research report before it begins: its topic, and the plan, which the person can edit.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { AnswerOptions } from "../api/conversations.ts";
import { MAX_QUESTIONS, parseResearchCommand } from "../lib/research.ts";
import type { ResearchPlan } from "../api/web.ts";
import type { Conversation } from "./conversation.svelte.ts";

/** A question of the plan. */
export interface PlanQuestion {
  readonly id: number;
  readonly text: string;
}

/** A report to be made again, as a sibling of the message after `parent`. */
export interface RepeatedResearch {
  readonly parent: string | null;
  readonly questions: readonly string[];
}

export class Research {
  request = $state("");
  lines = $state.raw<readonly PlanQuestion[]>([]);
  /** Whether the model or a rule made the plan; null before there is one, and for a repeated one. */
  by = $state<ResearchPlan["by"] | null>(null);
  making = $state(false);
  /** The request is on its way to the server. */
  going = $state(false);
  problem = $state("");
  readonly conversation: Conversation;
  readonly full = $derived(this.lines.length >= MAX_QUESTIONS);
  readonly #questions = $derived(this.lines.map(({ text }) => text.trim()).filter((text) => text !== ""));
  /** It can begin: there is a topic with a question, and no answer is in progress. */
  readonly ready = $derived.by(() => this.request.trim() !== "" && this.#questions.length > 0 && !this.making && !this.going && !this.conversation.running);
  readonly #api: Api;
  readonly #how: () => AnswerOptions;
  readonly #again: RepeatedResearch | null;
  #asking: AbortController | null = null;

  constructor(api: Api, conversation: Conversation, how: () => AnswerOptions, request: string, again: RepeatedResearch | null) {
    this.#api = api;
    this.#how = how;
    this.#again = again;
    this.conversation = conversation;
    this.request = request;
    this.lines = (again?.questions ?? []).map(line);
  }

  /** Plan the questions, replacing the current ones. True once there is a plan. */
  async plan(): Promise<boolean> {
    const request = this.request.trim();
    if (request === "" || this.making) return false;
    const asking = new AbortController();
    this.#asking = asking;
    this.making = true;
    this.problem = "";
    try {
      const { model, mode } = this.#how();
      const made = await this.#api.web.plan({ question: request, ...(model && { model }), ...(mode && { mode }) }, asking.signal);
      this.lines = made.questions.map(line);
      this.by = made.by;
      return true;
    } catch (error) {
      if (!asking.signal.aborted) this.#tell(error);
      return false;
    } finally {
      this.making = false;
    }
  }

  /** Stop planning when the person leaves. */
  leave(): void {
    this.#asking?.abort();
  }

  write(id: number, text: string): void {
    this.lines = this.lines.map((one) => (one.id === id ? { id, text } : one));
  }

  /** Add an empty question after this one, or at the end; returns its id, or null where there is no room. */
  add(after: number | null = null): number | null {
    if (this.full) return null;
    const fresh = line("");
    const at = after === null ? this.lines.length : this.lines.findIndex(({ id }) => id === after) + 1;
    this.lines = this.lines.toSpliced(at, 0, fresh);
    return fresh.id;
  }

  remove(id: number): void {
    this.lines = this.lines.filter((one) => one.id !== id);
  }

  move(id: number, by: -1 | 1): void {
    const at = this.lines.findIndex((one) => one.id === id);
    const [from, to] = [this.lines[at], this.lines[at + by]];
    if (from !== undefined && to !== undefined) this.lines = this.lines.with(at, to).with(at + by, from);
  }

  /** Request the report, and clear its topic from the composer. True when it was accepted. */
  async begin(): Promise<boolean> {
    if (!this.ready) return false;
    const { conversation, request } = this;
    this.going = true;
    this.problem = "";
    try {
      const accepted = await conversation.research(request.trim(), this.#questions, this.#again?.parent);
      const { draft } = conversation;
      if (accepted && (parseResearchCommand(draft) ?? draft).trim() === request.trim()) conversation.write("");
      if (!accepted) [this.problem, conversation.error] = [conversation.error ?? "", null];
      return accepted;
    } finally {
      this.going = false;
    }
  }

  #tell(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    this.problem = error.message;
  }
}

let lines = 0;

function line(text: string): PlanQuestion {
  lines += 1;
  return { id: lines, text };
}
