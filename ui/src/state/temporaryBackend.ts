// The backend of a temporary chat: its tree is in this tab's memory alone, and the server answers without storing
// anything.

import type { AcceptedTurn, AnswerSettings, ConversationBackend, ConversationCalls, ConversationChanges, ConversationStart, MessageTree, PrefillReply, Turn, UnstoredTurn } from "../api/conversations.ts";
import { ApiError } from "../api/client.ts";
import { NO_SETTINGS } from "../api/conversations.ts";
import { fold, messageText } from "../api/fold.ts";
import { t } from "../lib/i18n/translate.ts";
import { userMessage } from "../lib/userMessage.ts";
import { branchTo, leafUnder, siblingsByParent } from "../lib/messageTree.ts";
import type { Conversation, Event, Message } from "../api/events.ts";
import { END } from "../api/events.ts";
import { Parser } from "../api/sse.ts";

/** An answer in progress, with every event so far. */
interface Run {
  readonly id: string;
  readonly log: Event[];
  readonly controller: AbortController;
  readonly waiting: Set<() => void>;
}

/** Implements in the page what the server does for a stored conversation. */
export class TemporaryBackend implements ConversationBackend {
  readonly #calls: Pick<ConversationCalls, "answer">;
  readonly #messages = new Map<string, Message>();
  #leaf: string | null = null;
  #settings = NO_SETTINGS;
  #assistant: string | null = null;
  #run: Run | null = null;

  constructor(calls: Pick<ConversationCalls, "answer">) {
    this.#calls = calls;
  }

  async get(id: string): Promise<MessageTree> {
    const messages = [...this.#messages.values()];
    const run = this.#run;
    return { conversation: this.#values(id), messages, running: run === null || hasEnded(run) ? null : run.id };
  }

  async change(id: string, { leaf, ...settings }: ConversationChanges): Promise<Conversation> {
    if (leaf !== undefined) this.#leaf = leaf;
    this.#settings = { ...this.#settings, ...settings };
    return this.#values(id);
  }

  /** Delete a message with everything after it, and show a sibling then, or else its parent. */
  async removeMessage(id: string, message: string): Promise<Conversation> {
    const parent = this.#messages.get(message)?.parent ?? null;
    const deleted = new Set([message]);
    for (const { id: other, parent: under } of this.#messages.values()) if (under !== null && deleted.has(under)) deleted.add(other);
    for (const other of deleted) this.#messages.delete(other);
    const sibling = [...this.#messages.values()].findLast((other) => other.parent === parent);
    this.#leaf = sibling === undefined ? parent : leafUnder(siblingsByParent(this.#messages), sibling.id);
    return this.#values(id);
  }

  /** Does nothing: the engine gets the messages only with the question. */
  async prefill(): Promise<PrefillReply> {
    return { follows_drafts: false };
  }

  /** Does nothing: each turn says which servers are on. */
  async switchMcpServer(): Promise<void> {}

  begin(id: string, turn: Turn, settings: AnswerSettings, { assistant }: ConversationStart): Promise<AcceptedTurn> {
    this.#settings = settings;
    this.#assistant = assistant;
    return this.turn(id, turn);
  }

  async turn(id: string, turn: Turn): Promise<AcceptedTurn> {
    const question = this.#question(id, turn);
    const path = branchTo(new Map(this.#messages).set(question.id, question), question.id);
    const messages = path.map((message) => ({ role: message.role, text: messageText(message) })).filter(({ text }) => text !== "");
    const controller = new AbortController();
    const options = [...Object.keys(NO_SETTINGS), "mcp_servers"].flatMap((name) => (name in turn ? [[name, turn[name as keyof AnswerSettings]]] : []));
    const body = { messages, assistant_id: this.#assistant, ...Object.fromEntries(options) } as UnstoredTurn;
    const events = read(await this.#calls.answer(body, controller.signal));
    const { value: first } = await events.next();
    if (first?.type !== "run.started") throw new ApiError(0, "unreachable", t("temporaryLost"));
    const started = { ...first, conversation: id, parent: question.id };
    const run = { id: first.run, log: [started], controller, waiting: new Set<() => void>() };
    this.#messages.set(question.id, question).set(started.message, fold(null, started));
    this.#leaf = started.message;
    this.#run = run;
    void this.#receive(run, events);
    return { run: run.id, message: question.id, answer: started.message, model: started.model };
  }

  async stop(id: string): Promise<void> {
    const run = this.#run;
    if (run?.id !== id) return;
    append(run, [{ type: "run.stopped", seq: run.log.length + 1 }]);
    run.controller.abort();
  }

  /** Files belong to conversations that are stored. */
  async answerNow(): Promise<void> {}

  async events(id: string, after: number, signal: AbortSignal): Promise<Response> {
    const run = this.#run;
    if (run?.id !== id) return new Response(null, { status: 404 });
    const encoder = new TextEncoder();
    let sent = after;
    const start = (controller: ReadableStreamDefaultController<Uint8Array>) =>
      signal.addEventListener("abort", () => controller.error(signal.reason));
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      while (run.log.length <= sent) await new Promise<void>((resolve) => run.waiting.add(resolve));
      const events = run.log.slice(sent);
      sent = run.log.length;
      if (signal.aborted) return;
      controller.enqueue(encoder.encode(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")));
      if (hasEnded(run)) controller.close();
    };
    return new Response(new ReadableStream({ start, pull }));
  }

  async #receive(run: Run, events: AsyncGenerator<Event>): Promise<void> {
    try {
      for await (const event of events) {
        if (hasEnded(run)) break;
        append(run, [event]);
      }
    } catch (error) {
      if (!run.controller.signal.aborted && !(error instanceof TypeError)) throw error;
    }
    if (!hasEnded(run)) {
      append(run, [{ type: "run.failed", seq: run.log.length + 1, code: "unreachable", message: t("temporaryLost") }]);
    }
    const message = run.log.reduce<Message | null>(fold, null);
    if (message !== null) this.#messages.set(message.id, message);
  }

  #values(id: string): Conversation {
    const rest = { owner: "", title: "", created: 0, updated: 0, pinned: false, archived: false, tags: [], branched_from: null, project_id: null, unread: false, assistant_id: this.#assistant };
    return { id, leaf: this.#leaf, ...this.#settings, ...rest };
  }

  /** The message to be answered, which may exist already. */
  #question(conversation: string, turn: Turn): Message {
    if ("text" in turn) return userMessage(conversation, { id: turn.id, parent: turn.parent, text: turn.text });
    const id = "retry" in turn ? turn.retry : this.#messages.get(turn.continue)?.parent;
    const found = this.#messages.get(id ?? "");
    if (found === undefined) throw new ApiError(404, "not_found", t("gone"));
    return found;
  }
}

function append(run: Run, events: readonly Event[]): void {
  run.log.push(...events);
  for (const wake of run.waiting) wake();
  run.waiting.clear();
}

function hasEnded(run: Run): boolean {
  return END.has(run.log.at(-1)?.type ?? "");
}

async function* read(response: Response): AsyncGenerator<Event> {
  const parser = new Parser();
  const reader = response.body?.getReader();
  for (;;) {
    const piece = await reader?.read();
    if (piece === undefined || piece.done) return;
    for (const frame of parser.feed(piece.value)) yield JSON.parse(frame.data) as Event;
  }
}
