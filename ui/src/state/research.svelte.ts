// A research report before it begins: its topic, and the plan, which the person can edit.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { AnswerOptions } from "../api/conversations.ts";
import type { Message } from "../api/events.ts";
import { type ErrorReport, toReport } from "../lib/errors.ts";
import { MAX_QUESTIONS, parseResearchCommand } from "../lib/research.ts";
import type { ResearchPlan } from "../api/web.ts";
import type { Conversation } from "./conversation.svelte.ts";

/** A question of the plan. */
export interface PlanQuestion {
  readonly id: number;
  readonly text: string;
}

/** A report to be made again, in place of the one that the message `before` asked for. */
export interface RepeatedResearch {
  readonly before: Message;
  readonly questions: readonly string[];
}

export class Research {
  request = $state("");
  questions = $state.raw<readonly PlanQuestion[]>([]);
  /** Whether the model or a rule made the plan; null before there is one, and for a repeated one. */
  by = $state<ResearchPlan["by"] | null>(null);
  planning = $state(false);
  /** The request is on its way to the server. */
  sending = $state(false);
  problem = $state<string | ErrorReport>("");
  readonly conversation: Conversation;
  readonly full = $derived(this.questions.length >= MAX_QUESTIONS);
  readonly #texts = $derived(this.questions.map(({ text }) => text.trim()).filter((text) => text !== ""));
  /** It can begin: there is a topic with a question, and no answer is in progress. */
  readonly ready = $derived.by(() => this.request.trim() !== "" && this.#texts.length > 0 && !this.planning && !this.sending && !this.conversation.running);
  readonly #api: Api;
  readonly #answerOptions: () => AnswerOptions;
  readonly #repeated: RepeatedResearch | null;
  #planRequest: AbortController | null = null;

  constructor(api: Api, conversation: Conversation, answerOptions: () => AnswerOptions, request: string, repeated: RepeatedResearch | null) {
    this.#api = api;
    this.#answerOptions = answerOptions;
    this.#repeated = repeated;
    this.conversation = conversation;
    this.request = request;
    this.questions = (repeated?.questions ?? []).map(newQuestion);
  }

  /** Plan the questions, replacing the current ones. True once there is a plan. */
  async plan(): Promise<boolean> {
    const request = this.request.trim();
    if (request === "" || this.planning) return false;
    const planRequest = new AbortController();
    this.#planRequest = planRequest;
    this.planning = true;
    this.problem = "";
    try {
      const { model, mode } = this.#answerOptions();
      const asked = { question: request, has_documents: this.conversation.hasDocuments, ...(model && { model }), ...(mode && { mode }) };
      const plan = await this.#api.web.plan(asked, planRequest.signal);
      this.questions = plan.questions.map(newQuestion);
      this.by = plan.by;
      return true;
    } catch (error) {
      if (!planRequest.signal.aborted) this.#showError(error);
      return false;
    } finally {
      this.planning = false;
    }
  }

  /** Stop planning when the person leaves. */
  leave(): void {
    this.#planRequest?.abort();
  }

  write(id: number, text: string): void {
    this.questions = this.questions.map((one) => (one.id === id ? { id, text } : one));
  }

  /** Add an empty question after this one, or at the end; returns its id, or null where there is no room. */
  add(after: number | null = null): number | null {
    if (this.full) return null;
    const added = newQuestion("");
    const at = after === null ? this.questions.length : this.questions.findIndex(({ id }) => id === after) + 1;
    this.questions = this.questions.toSpliced(at, 0, added);
    return added.id;
  }

  remove(id: number): void {
    this.questions = this.questions.filter((one) => one.id !== id);
  }

  move(id: number, by: -1 | 1): void {
    const at = this.questions.findIndex((one) => one.id === id);
    const [from, to] = [this.questions[at], this.questions[at + by]];
    if (from !== undefined && to !== undefined) this.questions = this.questions.with(at, to).with(at + by, from);
  }

  /** Request the report, and clear its topic from the composer. True when it was accepted. */
  async begin(): Promise<boolean> {
    if (!this.ready) return false;
    const { conversation, request } = this;
    this.sending = true;
    this.problem = "";
    try {
      const accepted = await conversation.research(request.trim(), this.#texts, this.#repeated?.before);
      const { draft } = conversation;
      if (accepted && (parseResearchCommand(draft) ?? draft).trim() === request.trim()) conversation.write("");
      if (!accepted) [this.problem, conversation.error] = [conversation.shownError ?? "", null];
      return accepted;
    } finally {
      this.sending = false;
    }
  }

  #showError(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    this.problem = toReport(error);
  }
}

let lastId = 0;

function newQuestion(text: string): PlanQuestion {
  lastId += 1;
  return { id: lastId, text };
}
