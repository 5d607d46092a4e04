// An in-memory server for one conversation, which writes an answer when the test says so.

import { NO_SETTINGS } from "../src/api/conversations.ts";
import type { AcceptedTurn, AnswerSettings, ConversationBackend, ConversationChanges, MessageTree, PrefillReply, Turn } from "../src/api/conversations.ts";
import { ApiError } from "../src/api/client.ts";
import { userMessage } from "../src/lib/userMessage.ts";
import type { Conversation, Event, Message } from "../src/api/events.ts";
import { END } from "../src/api/events.ts";
import { fold } from "../src/api/fold.ts";
import { leafUnder, siblingsByParent } from "../src/lib/messageTree.ts";

type Unnumbered = Event extends infer Each ? (Each extends Event ? Omit<Each, "seq"> : never) : never;

/** An answer in progress, and its followers. */
class Run {
  readonly id: string;
  readonly log: Event[] = [];
  readonly #followers = new Set<ReadableStreamDefaultController<Uint8Array>>();

  constructor(id: string) {
    this.id = id;
  }

  get ended(): boolean {
    return END.has(this.log.at(-1)?.type ?? "");
  }

  add(event: Unnumbered): void {
    const numbered = { ...event, seq: this.log.length + 1 } as Event;
    this.log.push(numbered);
    for (const follower of this.#followers) follower.enqueue(encoded([numbered]));
    if (!this.ended) return;
    for (const follower of this.#followers) follower.close();
    this.#followers.clear();
  }

  follow(after: number, signal: AbortSignal): Response {
    const start = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      controller.enqueue(encoded(this.log.slice(after)));
      if (this.ended) return controller.close();
      this.#followers.add(controller);
      signal.addEventListener("abort", () => this.#followers.delete(controller) && controller.error(signal.reason));
    };
    return new Response(new ReadableStream({ start }));
  }

  cut(): void {
    for (const follower of this.#followers) follower.error(new TypeError("network"));
    this.#followers.clear();
  }
}

export class Server implements ConversationBackend {
  /** The MCP servers that were switched in a conversation. */
  readonly switched: (readonly [server: string, on: boolean])[] = [];

  async switchMcpServer(_conversation: string, server: string, on: boolean): Promise<void> {
    this.switched.push([server, on]);
  }

  readonly messages = new Map<string, Message>();
  /** Every turn that arrived, including refused and repeated ones. */
  readonly turns: Turn[] = [];
  readonly stopped: string[] = [];
  /** The conversations in which a message was begun; null is a new one. */
  readonly prefilled: (string | null)[] = [];
  /** The drafts that were sent while they were written. */
  readonly drafts: string[] = [];
  /** A slow model reads what fits them. */
  followsDrafts = false;
  leaf: string | null = null;
  settings: AnswerSettings = NO_SETTINGS;
  /** The connection is down: nothing arrives. */
  unreachable = false;
  /** How many replies will be lost. */
  lostReplies = 0;
  /** The errors that the next turns are refused with. */
  refusals: ApiError[] = [];
  /** A turn waits for this before it is answered. */
  accepting: Promise<void> = Promise.resolve();
  run: Run | null = null;
  /** Ids are counted, so that nothing is random. */
  #count = 0;

  async get(id: string): Promise<MessageTree> {
    this.#connect();
    if (this.messages.size === 0) throw new ApiError(404, "not_found", "This conversation is not there.");
    const running = this.run === null || this.run.ended ? null : this.run.id;
    return { conversation: this.#values(id), messages: [...this.messages.values()], running };
  }

  async change(id: string, { leaf, ...settings }: ConversationChanges): Promise<Conversation> {
    this.#connect();
    if (leaf !== undefined) this.leaf = leaf;
    this.settings = { ...this.settings, ...settings };
    return this.#values(id);
  }

  async removeMessage(id: string, message: string): Promise<Conversation> {
    this.#connect();
    const { parent = null } = this.messages.get(message) ?? {};
    for (const [other, { parent: under }] of this.messages) if (other === message || under === message) this.messages.delete(other);
    this.leaf = parent === null ? null : leafUnder(siblingsByParent(this.messages), parent);
    return this.#values(id);
  }

  begin(id: string, turn: Turn, settings: AnswerSettings): Promise<AcceptedTurn> {
    this.settings = settings;
    return this.turn(id, turn);
  }

  async turn(conversation: string, turn: Turn): Promise<AcceptedTurn> {
    this.#connect();
    if (this.turns.push(turn) > 50) throw new Error("the page asks without end");
    await this.accepting;
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    const accepted = this.#accept(conversation, turn);
    if (this.lostReplies > 0) {
      this.lostReplies -= 1;
      throw new ApiError(0, "unreachable", "The reply was lost.");
    }
    return accepted;
  }

  async prefill({ conversation, text }: { conversation?: string; text?: string }): Promise<PrefillReply> {
    if (text === undefined) this.prefilled.push(conversation ?? null);
    else this.drafts.push(text);
    if (this.unreachable) throw new ApiError(0, "unreachable", "unreachable");
    return { follows_drafts: this.followsDrafts };
  }

  async stop(run: string): Promise<void> {
    this.#connect();
    this.stopped.push(run);
    this.end({ type: "run.stopped" });
  }

  async answerNow(): Promise<void> {}

  async events(run: string, after: number, signal: AbortSignal): Promise<Response> {
    if (this.unreachable) throw new TypeError("network");
    return this.run?.id === run ? this.run.follow(after, signal) : new Response(null, { status: 404 });
  }

  /** Add text to the answer. */
  write(text: string): void {
    this.run?.add({ type: "part.delta", index: 0, text });
  }

  end(event: Unnumbered = { type: "run.finished", reason: "stop" }): void {
    if (this.run === null || this.run.ended) return;
    this.run.add(event);
    this.#store(this.run);
  }

  /** The messages, in the order in which they were accepted. */
  get sentTexts(): string[] {
    return [...this.messages.values()].filter(({ role }) => role === "user").map(({ parts }) => parts[0]?.text ?? "");
  }

  #accept(conversation: string, turn: Turn): AcceptedTurn {
    const known = "text" in turn ? [...this.messages.values()].find(({ parent }) => parent === turn.id) : undefined;
    if (known !== undefined) return { run: known.run ?? "", message: known.parent ?? "", answer: known.id, model: "m" };
    if (this.run !== null && !this.run.ended) throw new ApiError(409, "busy", "An answer is being written.", this.run.id);
    const message = "text" in turn ? turn.id : "retry" in turn ? turn.retry : (this.messages.get(turn.continue)?.parent ?? "");
    if ("text" in turn) this.messages.set(message, userMessage(conversation, { id: message, parent: turn.parent, text: turn.text }));
    const number = ++this.#count;
    const [run, answer, model] = [`run_${number}`, `answer_${number}`, turn.model ?? "m"];
    this.run = new Run(run);
    this.run.add({ type: "run.started", run, message: answer, conversation, parent: message, model, created: number, continues: null });
    this.run.add({ type: "part.started", index: 0, kind: "text", id: null, name: null, round: null });
    this.#store(this.run);
    this.leaf = answer;
    return { run, message, answer, model };
  }

  #store({ log }: Run): void {
    const message = log.reduce<Message | null>(fold, null);
    if (message !== null) this.messages.set(message.id, message);
  }

  #connect(): void {
    if (this.unreachable) throw new ApiError(0, "unreachable", "The server cannot be reached.");
  }

  #values(id: string): Conversation {
    const rest = { owner: "", title: "A title", created: 0, updated: 0, pinned: false, archived: false, tags: [], branched_from: null, project_id: null, unread: false, assistant_id: null };
    return { id, leaf: this.leaf, ...this.settings, ...rest };
  }
}

function encoded(events: readonly Event[]): Uint8Array {
  return new TextEncoder().encode(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(""));
}
