// One conversation as the page shows it: its tree, the answer that grows, what the person writes and what waits.

import { ApiError, type Backend, type Turn } from "../api.ts";
import { type Attached, compose } from "../composer/files.ts";
import type { Event, Message } from "../events.ts";
import { fold } from "../fold.ts";
import { say } from "../i18n/say.ts";
import { newId } from "../ids.ts";
import { type Batch, follow, Refused } from "../stream.ts";
import { type Draft, inherit, isKept, keepDraft, keepInMemory, NEW, readDraft, type Sent } from "./drafts.ts";
import { Queue, type Queued } from "./queue.svelte.ts";
import { alone, isHeld } from "./tabs.ts";
import { branch, leafUnder, type Messages, siblings } from "./tree.ts";

const RETRIES = [400, 1200];
const LATER = 4000;

export interface Surroundings {
  readonly api: Backend;
  /** Nothing of it is to be stored, here or on the server. */
  readonly temporary?: true;
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
  readonly model?: string;
}

/** What the person has put into the composer. */
type Written = Pick<Draft, "text" | "files" | "model">;

export class Conversation {
  readonly id: string;
  readonly temporary: boolean;
  /** Whether the server knows it; a new chat is made with its first message. */
  kept = $state(false);
  missing = $state(false);
  loaded = $state(false);
  title = $state("");
  messages = $state.raw<Messages>(new Map());
  leaf = $state<string | null>(null);
  run = $state<string | null>(null);
  live = $state.raw<Message | null>(null);
  connected = $state(true);
  outgoing = $state.raw<Outgoing | null>(null);
  error = $state<string | null>(null);
  draft = $state("");
  files = $state.raw<readonly Attached[]>([]);
  /** The model that was chosen for the next message alone. */
  chosen = $state<string | null>(null);
  /** What waits until the running answer ends. */
  readonly queue: Queue;
  /** The message of the line that the server refused, or that waits for the person. */
  held = $state<string | null>(null);
  /** The person's message that is to be opened for editing. */
  editing = $state<string | null>(null);

  #asking = $state(false);
  #safe = $state(true);

  readonly under = $derived(siblings(this.messages));
  readonly path = $derived(branch(this.messages, this.leaf));
  readonly running = $derived(this.run !== null || this.outgoing !== null || this.#asking);
  /** The last answer was not completed: what waits goes on waiting until the person says more. */
  readonly paused = $derived(!this.running && this.leaf !== null && this.messages.get(this.leaf)?.status !== "finished");
  /** Whether all that is written outlives this page. */
  readonly safe = $derived.by(() => this.temporary || (this.#safe && this.queue.kept));

  readonly #around: Surroundings;
  /** Where the draft lies: all new chats share one place until they are kept. */
  #drawer: string;
  #sent: Sent | undefined;
  /** What was taken out of the composer and is on its way. */
  #sending: Written | null = null;
  #following: AbortController | null = null;
  #frame: { cancel(): void } | null = null;
  #pending: Event[] = [];
  /** Counts our own changes, so that an older reading of the server's state does not undo them. */
  #changes = 0;
  #stopping = false;
  /** Messages that are open for editing; whether another branch was chosen elsewhere since. */
  #reworking = 0;
  #withheld = false;
  /** Whether what was said last may have been heard although no reply came. */
  #lost = false;
  #advancing = false;
  #again = false;
  /** The message of the line that is to go out whatever became of the answer before it. */
  #urgent: string | null = null;
  #later: ReturnType<typeof setTimeout> | undefined;

  constructor(around: Surroundings, id: string, kept: boolean) {
    this.#around = around;
    this.id = id;
    this.temporary = around.temporary === true;
    this.kept = kept;
    this.loaded = !kept;
    this.#drawer = kept || this.temporary ? id : NEW;
    if (this.temporary) keepInMemory(id);
    const draft = readDraft(this.#drawer);
    this.#sent = draft.sent;
    this.#write(draft);
    this.#safe = isKept(this.#drawer);
    this.queue = new Queue(id, !this.temporary);
    void inherit(this.#drawer, (left) => this.#inherit(left));
  }

  /** Bring it up to date with the server, and follow its answer if one is being written. */
  async load(): Promise<void> {
    await this.#read();
    void this.#advance();
  }

  async #read(): Promise<void> {
    if (!this.kept) return;
    const changes = this.#changes;
    try {
      const tree = await this.#around.api.conversation(this.id);
      if (this.outgoing !== null || changes !== this.#changes) return;
      this.missing = false;
      this.title = tree.conversation.title;
      this.messages = new Map(tree.messages.map((message) => [message.id, message]));
      if (this.#reworking === 0 || !this.messages.has(this.leaf ?? "")) this.leaf = tree.conversation.leaf;
      else this.#withheld = this.leaf !== tree.conversation.leaf;
      this.loaded = true;
      if (this.#following === null) this.connected = true;
      this.#forgetSent();
      if (tree.running !== null) this.#follow(tree.running);
      else if (this.#following === null) this.run = null;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) this.missing = true;
      else if (error instanceof ApiError && error.status === 0) {
        this.connected = false;
        this.#loadLater();
      } else this.#tell(error);
    }
  }

  /** Stop following, unless something waits for the answer's end; the answer goes on. True when it is still at work. */
  leave(): boolean {
    const waiting = this.running && this.queue.items.length > 0;
    if (!waiting) {
      clearTimeout(this.#later);
      this.#unfollow();
    }
    return waiting;
  }

  #unfollow(): void {
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
    this.#keep(false);
  }

  attach(file: Attached): void {
    this.files = [...this.files, file];
    this.#keep(true);
  }

  detach(id: string): void {
    this.files = this.files.filter((file) => file.id !== id);
    this.#keep(true);
  }

  /** Let this model answer the next message; null leaves it to what is chosen otherwise. */
  choose(model: string | null): void {
    this.chosen = model;
    this.#keep(false);
  }

  /** Send what is in the composer. Until the server has it, it stays in the draft; while an answer runs, it waits. */
  async send(): Promise<boolean> {
    const written = this.#written();
    if (written.text === "" && written.files.length === 0) return false;
    if (this.running) {
      this.queue.add({ ...written, id: newId("msg") });
      this.#write({ text: "", files: [] });
      this.#keep(true);
      return true;
    }
    if (!(await this.#known())) return false;
    const id = this.#identify(written.text, written.files, this.leaf);
    this.#sending = written;
    const accepted = await this.#say(outgoing(id, written, this.leaf), () => this.#write({ text: "", files: [] }));
    this.#sending = null;
    if (accepted) this.#keep(true);
    else this.#restore(written);
    return accepted;
  }

  /** Take a message out of the line, back into the composer. */
  withdraw(id: string): void {
    const item = this.queue.take(id);
    if (item !== undefined) this.#restore(item);
    void this.#advance();
  }

  /** Say a message of the line differently; null leaves it. If it has left the line, the words go to the composer. */
  reword(id: string, text: string | null): void {
    if (this.held === id && text !== null) this.held = null;
    if (text !== null && !this.queue.change(id, text)) this.#restore({ text, files: [] });
    void this.#advance();
  }

  /** Send a message of the line now: an answer that runs is stopped for it. */
  async hasten(id: string): Promise<void> {
    this.queue.hasten(id);
    this.#urgent = id;
    this.held = null;
    if (this.running) await this.stop();
    else await this.#advance();
  }

  /** A message is being said differently, or no more. Meanwhile another's branch does not take its place. */
  rework(open: boolean): void {
    this.#reworking += open ? 1 : -1;
    if (this.#reworking > 0 || !this.#withheld) return;
    this.#withheld = false;
    if (!this.running) void this.load();
  }

  /** Say a message differently: another one beside it. */
  async edit(message: Message, text: string): Promise<boolean> {
    if (text.trim() === "" || this.running) return false;
    const id = this.#identify(text.trim(), [], message.parent);
    return this.#say({ id, text: text.trim(), parent: message.parent }, () => {});
  }

  async retry(answer: Message, model?: string): Promise<void> {
    if (answer.parent !== null) await this.#ask({ retry: answer.parent, ...(model === undefined ? {} : { model }) });
  }

  async proceed(answer: Message): Promise<void> {
    await this.#ask({ continue: answer.id });
  }

  /** Delete a message with all that follows it. */
  async removeMessage(message: Message): Promise<void> {
    if (this.running) return;
    try {
      await this.#around.api.removeMessage(this.id, message.id);
      this.#changes += 1;
      await this.load();
      this.#around.changed(this.id);
    } catch (error) {
      this.#tell(error);
    }
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

  /** What waits goes out one after another, by one tab alone, each when the answer before it is complete. */
  async #advance(): Promise<void> {
    if (this.queue.items.length === 0) return;
    if (this.#advancing) {
      this.#again = true;
      return;
    }
    this.#advancing = true;
    try {
      do {
        this.#again = false;
        await alone(`eclair.queue.${this.id}`, () => this.#sendNext());
      } while (this.#again);
    } finally {
      this.#advancing = false;
    }
  }

  async #sendNext(): Promise<void> {
    await this.#read();
    this.queue.refresh();
    const next = this.queue.items[0];
    if (next === undefined || this.running) return;
    if (this.messages.has(next.id)) {
      this.queue.take(next.id);
      this.#again = true;
      return;
    }
    if (this.connected && this.#due(next) && !(await isHeld(lockOf(next.id)))) await this.#sendWaiting(next);
  }

  /** Whether its turn has come: the answer before it is complete, or the person wants it now. */
  #due(next: Queued): boolean {
    if (this.held === next.id || this.missing) return false;
    return this.#urgent === next.id || (this.leaf !== null && !this.paused);
  }

  async #sendWaiting(next: Queued): Promise<void> {
    if (await this.#say(outgoing(next.id, next, this.leaf), () => {})) {
      if (this.#urgent === next.id) this.#urgent = null;
      this.queue.take(next.id);
    } else if (this.#lost) this.#loadLater();
    else if (!this.running) this.held = next.id;
  }

  #loadLater(): void {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => void this.load(), LATER);
  }

  /** Whether it is known what is there, so that a message finds its place. */
  async #known(): Promise<boolean> {
    if (this.loaded) return true;
    this.#asking = true;
    await this.#read();
    this.#asking = false;
    if (!this.loaded && !this.connected) this.error = say("unreachable");
    return this.loaded;
  }

  /** The id of what is about to be said: if its reply was lost the last time, the same one again. */
  #identify(text: string, files: readonly Attached[], parent: string | null): string {
    const names = files.map((file) => file.id);
    const last = this.#sent;
    const again = last?.text === text && last.parent === parent && last.files.join() === names.join();
    const id = again ? last.id : newId("msg");
    this.#sent = { id, text, files: names, parent };
    this.#keep(false);
    return id;
  }

  async #say(outgoing: Outgoing, started: () => void): Promise<boolean> {
    this.#stopping = false;
    this.#lost = false;
    this.outgoing = outgoing;
    this.error = null;
    started();
    try {
      await this.#patiently(() => this.#turn(outgoing));
      if (this.#sent?.id === outgoing.id) this.#sent = undefined;
      return true;
    } catch (error) {
      this.#lost = error instanceof ApiError && error.lost;
      if (!this.#lost && this.#sent?.id === outgoing.id) this.#sent = undefined;
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
    const wanted = turn.model === undefined && model !== undefined ? { ...turn, model } : turn;
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
    if (!this.temporary) keepDraft(NEW, { text: "", files: [] }, true);
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
    this.#unfollow();
    this.#pending = [];
    this.run = run;
    this.live = null;
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
    this.connected = true;
    if (live !== null) this.messages = new Map(this.messages).set(live.id, live);
    this.live = null;
    this.#around.changed(this.id);
    void this.#advance();
  }

  #tell(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    this.error = error.message;
  }

  /** What is in the composer. */
  #written(): Written {
    const { draft, files, chosen } = this;
    return { text: draft.trim(), files, ...(chosen !== null && { model: chosen }) };
  }

  #write({ text, files, model }: Written): void {
    this.draft = text;
    this.files = files;
    this.chosen = model ?? null;
  }

  /** Put back into the composer what was taken out of it, before what was written since. */
  #restore(back: Written): void {
    this.#write(joined(back, this.#written()));
    this.#keep(true);
  }

  /** What a closed tab left here is ours from now on. */
  #inherit(left: Draft): void {
    if (this.kept) this.#sent ??= left.sent;
    this.#restore(left);
    if (left.conversation === undefined || left.conversation === this.id) return;
    const line = new Queue(left.conversation);
    for (const { id } of line.items.toReversed()) this.#restore(line.take(id) ?? { text: "", files: [] });
  }

  /** What was on its way when the page was closed, and arrived, is no draft any more. */
  #forgetSent(): void {
    const sent = this.#sent;
    if (sent === undefined || this.#sending !== null || !this.messages.has(sent.id)) return;
    this.#sent = undefined;
    if (this.draft.startsWith(sent.text)) this.draft = this.draft.slice(sent.text.length).trimStart();
    this.files = this.files.filter((file) => !sent.files.includes(file.id));
    this.#keep(true);
  }

  #keep(files: boolean): void {
    const here = { ...this.#written(), text: this.draft };
    const draft = this.#sending === null ? here : joined(this.#sending, here);
    const filled = draft.text !== "" || draft.files.length > 0 || this.queue.items.length > 0;
    const conversation = !this.kept && filled ? { conversation: this.id } : {};
    const sent = this.#sent === undefined ? {} : { sent: this.#sent };
    keepDraft(this.#drawer, { ...draft, ...conversation, ...sent }, files);
    this.#safe = isKept(this.#drawer);
  }
}

function joined(before: Written, after: Written): Written {
  const texts = before.text === after.text ? [after.text] : [before.text, after.text];
  const names = new Set(after.files.map((file) => file.id));
  const model = after.model ?? before.model;
  return {
    text: texts.filter((text) => text !== "").join("\n\n"),
    files: [...before.files.filter((file) => !names.has(file.id)), ...after.files],
    ...(model !== undefined && { model }),
  };
}

function outgoing(id: string, { text, files, model }: Written, parent: string | null): Outgoing {
  return { id, text: compose(text, files), parent, ...(model !== undefined && { model }) };
}

/** Held by the tab in which a message of the line is being edited. */
export function lockOf(message: string): string {
  return `eclair.queued.${message}`;
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
    steps: [],
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
