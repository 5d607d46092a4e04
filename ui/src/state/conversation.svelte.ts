// One conversation as the page shows it: its tree, the answer that grows, and what the person can do.

import { type Api, ApiError, type Turn } from "../api.ts";
import type { Event, Message } from "../events.ts";
import { fold } from "../fold.ts";
import { newId } from "../ids.ts";
import { type Batch, follow, Refused } from "../stream.ts";
import { type Draft, keepDraft, readDraft } from "./drafts.ts";
import { branch, leafUnder, type Messages, siblings } from "./tree.ts";

const RETRIES = [400, 1200];
const NEW = "new";

export interface Surroundings {
  readonly api: Api;
  /** The model that is chosen, or undefined for the default. */
  model(): string | undefined;
  /** Told when the conversation has changed on the server by our doing. */
  changed(conversation: string): void;
}

/** A message on its way: shown, but not yet accepted. */
export interface Outgoing {
  readonly id: string;
  readonly text: string;
  readonly parent: string | null;
}

export class Conversation {
  readonly id: string;
  /** Whether the server knows it; a new chat is made with its first message. */
  kept = $state(false);
  missing = $state(false);
  loaded = $state(false);
  title = $state("");
  messages = $state.raw<Messages>(new Map());
  leaf = $state<string | null>(null);
  run = $state<string | null>(null);
  live = $state.raw<Message | null>(null);
  step = $state<string | null>(null);
  connected = $state(true);
  outgoing = $state.raw<Outgoing | null>(null);
  error = $state<string | null>(null);
  draft = $state("");

  #asking = $state(false);

  readonly under = $derived(siblings(this.messages));
  readonly path = $derived(branch(this.messages, this.leaf));
  readonly running = $derived(this.run !== null || this.outgoing !== null || this.#asking);

  readonly #around: Surroundings;
  /** Where the draft lies: all new chats share one place until they are kept. */
  #drawer: string;
  #sent: Draft["sent"];
  #following: AbortController | null = null;
  #frame: { cancel(): void } | null = null;
  #pending: Event[] = [];
  /** Counts our own changes, so that an older reading of the server's state does not undo them. */
  #changes = 0;
  #stopping = false;

  constructor(around: Surroundings, id: string, kept: boolean) {
    this.#around = around;
    this.id = id;
    this.kept = kept;
    this.loaded = !kept;
    this.#drawer = kept ? id : NEW;
    const draft = readDraft(this.#drawer);
    this.draft = draft.text;
    this.#sent = draft.sent;
  }

  /** Bring it up to date with the server, and follow its answer if one is being written. */
  async load(): Promise<void> {
    if (!this.kept) return;
    const changes = this.#changes;
    try {
      const tree = await this.#around.api.conversation(this.id);
      if (this.outgoing !== null || changes !== this.#changes) return;
      this.missing = false;
      this.title = tree.conversation.title;
      this.messages = new Map(tree.messages.map((message) => [message.id, message]));
      this.leaf = tree.conversation.leaf;
      this.loaded = true;
      if (tree.running !== null) this.#follow(tree.running);
      else if (this.#following === null) this.run = null;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) this.missing = true;
      else if (error instanceof ApiError && error.status === 0) this.connected = false;
      else this.#tell(error);
    }
  }

  /** Stop following; the answer goes on. */
  leave(): void {
    this.#following?.abort();
    this.#following = null;
    this.#frame?.cancel();
    this.#frame = null;
  }

  /** The message as it stands now, the growing answer included. */
  now(message: Message): Message {
    return this.live !== null && this.live.id === message.id ? this.live : message;
  }

  write(text: string): void {
    this.draft = text;
    this.#keep();
  }

  /** Send what is in the composer. Until the server has it, it stays in the draft. */
  async send(): Promise<boolean> {
    const text = this.draft.trim();
    if (text === "" || this.running) return false;
    const accepted = await this.#say(text, this.leaf, () => {
      this.draft = "";
    });
    if (!accepted) this.draft = this.draft === "" ? text : `${text}\n\n${this.draft}`;
    this.#keep();
    return accepted;
  }

  /** Say a message differently: another one beside it. */
  async edit(message: Message, text: string): Promise<boolean> {
    return text.trim() !== "" && !this.running && this.#say(text.trim(), message.parent, () => {});
  }

  async retry(answer: Message): Promise<void> {
    if (answer.parent !== null) await this.#ask({ retry: answer.parent });
  }

  async proceed(answer: Message): Promise<void> {
    await this.#ask({ continue: answer.id });
  }

  async stop(): Promise<void> {
    if (this.run === null) {
      this.#stopping = this.running;
      return;
    }
    try {
      await this.#around.api.stop(this.run);
    } catch (error) {
      this.#tell(error);
    }
  }

  /** Show the branch through this message. */
  async select(id: string): Promise<void> {
    const leaf = leafUnder(this.under, id);
    if (leaf === this.leaf) return;
    this.#changes += 1;
    this.leaf = leaf;
    try {
      await this.#around.api.change(this.id, { leaf });
      this.#around.changed(this.id);
    } catch (error) {
      this.#tell(error);
    }
  }

  async #say(text: string, parent: string | null, started: () => void): Promise<boolean> {
    const again = this.#sent?.text === text && this.#sent.parent === parent;
    const outgoing = { id: again && this.#sent ? this.#sent.id : newId("msg"), text, parent };
    this.#sent = { ...outgoing, conversation: this.id };
    this.#stopping = false;
    this.#keep();
    this.outgoing = outgoing;
    this.error = null;
    started();
    try {
      await this.#patiently(() => this.#turn({ id: outgoing.id, text, parent }));
      this.#sent = undefined;
      this.#keep();
      return true;
    } catch (error) {
      if (error instanceof ApiError && !error.lost) this.#sent = undefined;
      await this.#refused(error);
      return false;
    } finally {
      this.outgoing = null;
    }
  }

  async #ask(turn: Turn): Promise<void> {
    if (this.running) return;
    this.error = null;
    this.#stopping = false;
    this.#asking = true;
    try {
      await this.#turn(turn);
    } catch (error) {
      await this.#refused(error);
    } finally {
      this.#asking = false;
    }
  }

  async #turn(turn: Turn): Promise<void> {
    const { api } = this.#around;
    const model = this.#around.model();
    const wanted = model === undefined ? turn : { ...turn, model };
    const accepted = await (this.kept ? api.turn(this.id, wanted) : api.begin(this.id, wanted));
    const messages = new Map(this.messages);
    const now = Date.now();
    if ("text" in turn) messages.set(accepted.message, said(this.id, accepted.message, turn, now));
    const blank = { type: "run.started", seq: 0, created: now, continues: null } as const;
    const parent = { message: accepted.answer, conversation: this.id, parent: accepted.message };
    messages.set(accepted.answer, fold(null, { ...blank, ...parent, run: accepted.run, model: accepted.model }));
    this.#changes += 1;
    this.messages = messages;
    this.leaf = accepted.answer;
    this.#settleIn();
    this.outgoing = null;
    this.#follow(accepted.run);
    this.#around.changed(this.id);
    if (this.#stopping) await this.stop();
  }

  /** A new chat becomes a kept one, with a place of its own for its drafts. */
  #settleIn(): void {
    if (this.kept) return;
    keepDraft(NEW, { text: "" });
    this.#drawer = this.id;
    this.kept = true;
  }

  /** Try again, with the same ids, while it is only the connection that fails. */
  async #patiently(action: () => Promise<void>): Promise<void> {
    for (const wait of RETRIES) {
      try {
        return await action();
      } catch (error) {
        if (!(error instanceof ApiError && error.lost)) throw error;
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
    return action();
  }

  async #refused(error: unknown): Promise<void> {
    this.outgoing = null;
    this.#tell(error);
    if (error instanceof ApiError && error.run !== null) {
      const message = this.error;
      await this.load();
      this.error = message;
    }
  }

  #follow(run: string): void {
    if (this.run === run && this.#following !== null) return;
    this.leave();
    this.#pending = [];
    this.run = run;
    this.live = null;
    this.step = null;
    const following = new AbortController();
    this.#following = following;
    void this.#grow(run, following.signal);
  }

  async #grow(run: string, signal: AbortSignal): Promise<void> {
    const open = (after: number, cut: AbortSignal) => this.#around.api.events(run, after, cut);
    const connected = (live: boolean) => {
      this.connected = live;
    };
    try {
      for await (const batch of follow({ open, connected }, signal)) {
        if (signal.aborted) return;
        this.#arrive(batch);
      }
      if (signal.aborted) return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refused)) throw error;
    }
    this.#flush();
    this.#settle();
    if (this.messages.get(this.leaf ?? "")?.status === "running") await this.load();
  }

  #arrive(batch: Batch): void {
    if (batch.reset) {
      this.#pending = [];
      this.live = null;
    }
    this.#pending.push(...batch.events);
    this.#frame ??= nextFrame(() => this.#flush());
  }

  /** What arrived since the last frame becomes visible, in one change. */
  #flush(): void {
    this.#frame?.cancel();
    this.#frame = null;
    let live = this.live;
    for (const event of this.#pending) {
      live = fold(live, event);
      if (event.type === "step.started") this.step = event.title;
      else if (event.type === "step.finished") this.step = null;
    }
    this.#pending = [];
    this.live = live;
  }

  /** The answer is complete: it takes its place in the tree. */
  #settle(): void {
    const live = this.live;
    this.#changes += 1;
    this.#following = null;
    this.run = null;
    this.step = null;
    this.connected = true;
    if (live !== null) this.messages = new Map(this.messages).set(live.id, live);
    this.live = null;
    this.#around.changed(this.id);
  }

  #tell(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    this.error = error.message;
  }

  #keep(): void {
    keepDraft(this.#drawer, this.#sent === undefined ? { text: this.draft } : { text: this.draft, sent: this.#sent });
  }
}

function said(conversation: string, id: string, turn: { text: string; parent: string | null }, created: number): Message {
  return {
    id,
    conversation,
    parent: turn.parent,
    role: "user",
    parts: [{ kind: "text", text: turn.text, id: null, name: null }],
    created,
    status: "finished",
    run: null,
    model: null,
    finish_reason: null,
    usage: null,
    fault: null,
    remarks: [],
  };
}

/** Once, at the next paint; on a hidden page, which does not paint, a little later. */
function nextFrame(action: () => void): { cancel(): void } {
  if (document.hidden) {
    const timer = setTimeout(action, 200);
    return { cancel: () => clearTimeout(timer) };
  }
  const frame = requestAnimationFrame(action);
  const timer = setTimeout(action, 500);
  return {
    cancel: () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    },
  };
}
