// One conversation as the page shows it: its tree, the answer that grows, what the person writes and what waits.

import type { AnswerOptions, AnswerSettings, ConversationBackend, ImageOptions, Turn } from "../api/conversations.ts";
import { ApiError } from "../api/client.ts";
import { t } from "../lib/i18n/translate.ts";
import { fromStoredOptions } from "../lib/images.ts";
import { keepInMemory } from "../lib/storage.ts";
import { RunFollower } from "./runFollower.svelte.ts";
import { QueueSender, type SendOutcome } from "./queueSender.svelte.ts";
import { userMessage } from "../lib/userMessage.ts";
import { MessageQueue } from "./messageQueue.svelte.ts";
import { branchTo, leafUnder, type Messages, siblings } from "../lib/messageTree.ts";
import { ComposerDraft, type DraftContent } from "./composerDraft.svelte.ts";
import type { Attachment, LibraryName, Message, Mode, Web } from "../api/events.ts";
import { fold } from "../api/fold.ts";
import { newId } from "../lib/ids.ts";

const RETRY_DELAYS_MS = [400, 1200];
const RELOAD_DELAY_MS = 4000;

export interface ConversationContext {
  readonly api: ConversationBackend;
  /** Nothing of it is to be stored, here or on the server. */
  readonly temporary?: true;
  /** Whether a new chat looks on the web, until the person chooses otherwise. */
  readonly web?: Web | null;
  /** The options with which a message of a conversation with these settings is answered. */
  how(remembered: AnswerSettings): AnswerOptions;
  /** What of the files and libraries of a message is still there. */
  there(message: Message): Promise<Pick<Message, "files" | "libraries">>;
  /** Told when the conversation has changed on the server by our doing. */
  changed(conversation: string): void;
}

/** A message on its way: shown, but not yet accepted. */
export interface Outgoing {
  readonly id: string;
  readonly text: string;
  readonly files: readonly Attachment[];
  readonly libraries: readonly LibraryName[];
  readonly parent: string | null;
  readonly model?: string;
  /** How images of it are wanted. */
  readonly draw?: ImageOptions;
  /** The questions that are to be looked into, where a report is asked for. */
  readonly research?: readonly string[];
}

export class Conversation {
  readonly id: string;
  readonly temporary: boolean;
  /** Whether the server knows it; a new chat is made with its first message. */
  kept = $state(false);
  missing = $state(false);
  loaded = $state(false);
  title = $state("");
  /** What was chosen for this conversation; null leaves it to what holds otherwise. */
  model = $state<string | null>(null);
  mode = $state<Mode | null>(null);
  web = $state<Web | null>(null);
  messages = $state.raw<Messages>(new Map());
  leaf = $state<string | null>(null);
  connected = $state(true);
  outgoing = $state.raw<Outgoing | null>(null);
  error = $state<string | null>(null);
  /** What waits until the running answer ends. */
  readonly queue: MessageQueue;
  /** The person's message that is to be opened for editing. */
  editing = $state<string | null>(null);

  readonly #context: ConversationContext;
  readonly #composer: ComposerDraft;
  readonly #follower: RunFollower;
  readonly #sender: QueueSender;
  #asking = $state(false);

  readonly under = $derived(siblings(this.messages));
  readonly path = $derived(branchTo(this.messages, this.leaf));
  readonly running = $derived(this.run !== null || this.outgoing !== null || this.#asking);
  /** The last answer was not completed: what waits goes on waiting until the person says more. */
  readonly paused = $derived(!this.running && this.leaf !== null && this.messages.get(this.leaf)?.status !== "finished");
  /** Whether all that is written outlives this page. */
  readonly safe = $derived.by(() => this.temporary || (this.#composer.safe && this.queue.kept));

  /** Counts our own changes, so that an older reading of the server's state does not undo them. */
  #changes = 0;
  #stopping = false;
  /** What is asked as soon as the answer at work has ended. */
  #next: Turn | null = null;
  /** The answer that was asked for last, and in which mode. */
  #asked = $state.raw<{ readonly answer: string; readonly mode: Mode | null } | null>(null);
  /** Messages that are open for editing; whether another branch was chosen elsewhere since. */
  #editors = 0;
  #withheld = false;
  #later: ReturnType<typeof setTimeout> | undefined;

  constructor(context: ConversationContext, id: string, kept: boolean) {
    this.#context = context;
    this.id = id;
    this.temporary = context.temporary === true;
    this.kept = kept;
    this.web = kept ? null : (context.web ?? null);
    this.loaded = !kept;
    if (this.temporary) keepInMemory(id);
    this.queue = new MessageQueue(id, !this.temporary);
    this.#composer = new ComposerDraft(id, !kept && !this.temporary, this.queue);
    this.#follower = new RunFollower({
      open: (run, after, signal) => context.api.events(run, after, signal),
      connected: (live) => (this.connected = live),
      ended: (answer) => this.#settle(answer),
    });
    this.#sender = new QueueSender(this, {
      refresh: () => this.#read(),
      send: (next) => this.#say(outgoing(next.id, next, this.leaf)),
      retryLater: () => this.#loadLater(),
    });
  }

  /** The run that writes the answer, while one does. */
  get run(): string | null {
    return this.#follower.run;
  }

  /** The answer that grows. */
  get live(): Message | null {
    return this.#follower.live;
  }

  get draft(): string {
    return this.#composer.draft;
  }

  get files(): readonly Attachment[] {
    return this.#composer.files;
  }

  /** The libraries that are to be searched for the next message. */
  get libraries(): readonly LibraryName[] {
    return this.#composer.libraries;
  }

  /** The model that was chosen for the next message alone. */
  get chosen(): string | null {
    return this.#composer.chosen;
  }

  /** How images are wanted of the next message; null where words are. */
  get drawing(): ImageOptions | null {
    return this.#composer.drawing;
  }

  /** The message of the line that the server refused, or that waits for the person. */
  get held(): string | null {
    return this.#sender.held;
  }

  /** Bring it up to date with the server, and follow its answer if one is being written. */
  async load(): Promise<void> {
    await this.#read();
    void this.#sender.advance();
  }

  async #read(): Promise<void> {
    if (!this.kept) return;
    const changes = this.#changes;
    try {
      const tree = await this.#context.api.get(this.id);
      if (this.outgoing !== null || changes !== this.#changes) return;
      this.missing = false;
      this.title = tree.conversation.title;
      this.model = tree.conversation.model;
      this.mode = tree.conversation.mode;
      this.web = tree.conversation.web;
      this.messages = new Map(tree.messages.map((message) => [message.id, message]));
      if (this.#editors === 0 || !this.messages.has(this.leaf ?? "")) this.leaf = tree.conversation.leaf;
      else this.#withheld = this.leaf !== tree.conversation.leaf;
      this.loaded = true;
      if (!this.#follower.followed) this.connected = true;
      this.#composer.forget(this.messages);
      if (tree.running !== null) this.#follower.follow(tree.running);
      else if (!this.#follower.followed) this.#follower.run = null;
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
      this.#follower.leave();
    }
    return waiting;
  }

  /** The message as it stands now, the growing answer included. */
  latest(message: Message): Message {
    return this.live !== null && this.live.id === message.id ? this.live : message;
  }

  /** The mode in which an answer was asked for, as far as it is known here. */
  modeOf(answer: Message): Mode | null {
    return this.#asked?.answer === answer.id ? this.#asked.mode : this.mode;
  }

  write(text: string): void {
    const begins = this.draft === "" && text !== "";
    this.#composer.write(text);
    if (begins && !this.running) void this.#prefill();
  }

  attach(file: Attachment): void {
    this.#composer.attach(file);
  }

  /** Whether no message may have taken the file along, so that it can be erased. */
  detach(id: string): boolean {
    return this.#composer.detach(id);
  }

  /** Have a library searched for the next message, or not. */
  setLibrary(library: LibraryName, wanted = true): void {
    this.#composer.setLibrary(library, wanted);
  }

  /** Let this model answer the next message; null leaves it to what is chosen otherwise. */
  choose(model: string | null): void {
    this.#composer.choose(model);
  }

  /** Have pictures drawn of the next message; null asks for words. */
  draw(drawing: ImageOptions | null): void {
    this.#composer.draw(drawing);
  }

  /** Answer this conversation so from now on, wherever it is open. */
  async remember(chosen: Partial<AnswerSettings>): Promise<void> {
    this.#changes += 1;
    Object.assign(this, chosen);
    if (!this.kept) return;
    try {
      await this.#context.api.change(this.id, chosen);
      this.#context.changed(this.id);
    } catch (error) {
      this.#tell(error);
    }
  }

  /** Send what is in the composer, with the words of `otherwise` where that is files alone. Until the server has it, it
   * stays in the draft; while an answer runs, it waits. */
  async send(otherwise = ""): Promise<boolean> {
    const { text, ...along } = this.#composer.now;
    const written = { ...along, text: text === "" && along.files.length > 0 ? otherwise : text };
    if (written.text === "") return false;
    if (this.running) {
      this.queue.add({ ...written, id: newId("msg") });
      this.#composer.clear();
      return true;
    }
    if (!(await this.#known())) return false;
    const id = this.#composer.identify(written, this.leaf);
    this.#composer.sendOff(written);
    const accepted = (await this.#say(outgoing(id, written, this.leaf))) === "accepted";
    this.#composer.settle(accepted);
    return accepted;
  }

  /** Take a message out of the line, back into the composer. */
  takeBack(id: string): void {
    const item = this.queue.remove(id);
    if (item !== undefined) this.#composer.restore(item);
    void this.#sender.advance();
  }

  /** Say a message of the line differently; null leaves it. If it has left the line, the words go to the composer. */
  editQueued(id: string, text: string | null): void {
    if (text !== null) {
      this.#sender.release(id);
      if (!this.queue.change(id, text)) this.#composer.restore({ text, files: [], libraries: [] });
    }
    void this.#sender.advance();
  }

  /** Send a message of the line now: an answer that runs is stopped for it. */
  async sendNow(id: string): Promise<void> {
    this.#sender.sendNow(id);
    if (this.running) await this.stop();
    else await this.#sender.advance();
  }

  /** A message is being said differently, or no more. Meanwhile another's branch does not take its place. */
  markEditing(open: boolean): void {
    this.#editors += open ? 1 : -1;
    if (this.#editors > 0 || !this.#withheld) return;
    this.#withheld = false;
    if (!this.running) void this.load();
  }

  /** Say a message differently: another one beside it, with the files and libraries of the first that are still there. */
  async edit(message: Message, text: string): Promise<boolean> {
    if (text.trim() === "" || this.running) return false;
    const { files, libraries } = await this.#context.there(message);
    const drawn = message.wish === null ? null : fromStoredOptions(message.wish, this.#drawnBy(message));
    const written = { text: text.trim(), files, libraries, ...(drawn !== null && { draw: drawn }) };
    const id = this.#composer.identify(written, message.parent);
    return (await this.#say(outgoing(id, written, message.parent))) === "accepted";
  }

  /** Have pictures drawn of these words next, whatever is in the composer. */
  async generateImage(text: string, draw: ImageOptions): Promise<boolean> {
    if (this.running || !(await this.#known())) return false;
    const written = { text, files: [], libraries: [], draw };
    return (await this.#say(outgoing(this.#composer.identify(written, this.leaf), written, this.leaf))) === "accepted";
  }

  /** Have a report written, for which these questions are looked into: next, or after the message `parent`. */
  async research(text: string, questions: readonly string[], parent?: string | null): Promise<boolean> {
    if (this.running || !(await this.#known())) return false;
    const { chosen } = this;
    const written = { text, files: [], libraries: [], ...(chosen !== null && { model: chosen }) };
    const place = parent === undefined ? this.leaf : parent;
    const asked = outgoing(this.#composer.identify(written, place), written, place);
    return (await this.#say({ ...asked, research: questions })) === "accepted";
  }

  async retry(answer: Message, model?: string): Promise<void> {
    if (answer.parent !== null) await this.#ask({ retry: answer.parent, ...(model === undefined ? {} : { model }) });
  }

  /** Ask again otherwise. An answer at work is stopped for it, and stays as a version. */
  async answerInstead(answer: Message, how: AnswerOptions): Promise<void> {
    if (answer.parent === null) return;
    const turn = { retry: answer.parent, ...how };
    if (this.run === null) return this.#ask(turn);
    this.#next = turn;
    await this.stop();
  }

  async resume(answer: Message): Promise<void> {
    await this.#ask({ continue: answer.id });
  }

  /** Delete a message with all that follows it. */
  async removeMessage(message: Message): Promise<void> {
    if (this.running) return;
    try {
      await this.#context.api.removeMessage(this.id, message.id);
      this.#changes += 1;
      await this.load();
      this.#context.changed(this.id);
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
      await this.#context.api.stop(this.run);
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
      await this.#context.api.change(this.id, { leaf });
      this.#context.changed(this.id);
    } catch (error) {
      this.#tell(error);
    }
  }

  #loadLater(): void {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => void this.load(), RELOAD_DELAY_MS);
  }

  /** Whether it is known what is there, so that a message finds its place. */
  async #known(): Promise<boolean> {
    if (this.loaded) return true;
    this.#asking = true;
    await this.#read();
    this.#asking = false;
    if (!this.loaded && !this.connected) this.error = t("unreachable");
    return this.loaded;
  }

  async #say(outgoing: Outgoing): Promise<SendOutcome> {
    this.#stopping = false;
    this.outgoing = outgoing;
    this.error = null;
    try {
      await this.#patiently(() => this.#turn(asTurn(outgoing), outgoing));
      this.#composer.answered(outgoing.id);
      return "accepted";
    } catch (error) {
      const lost = error instanceof ApiError && error.isLost;
      if (!lost) this.#composer.answered(outgoing.id);
      await this.#refused(error);
      return lost ? "lost" : "refused";
    } finally {
      this.outgoing = null;
    }
  }

  /** The person begins to write. Whether the engine reads ahead changes the wait alone: a failure is not told. */
  async #prefill(): Promise<void> {
    const { model, mode, web } = this;
    const how = this.#context.how({ model: this.chosen ?? model, mode, web });
    const writing = { ...(this.kept && { conversation: this.id }), ...how };
    try {
      await this.#context.api.prefill(writing);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /** The model that drew what a message asks for; null where none is known. */
  #drawnBy({ id }: Message): string | null {
    return this.under.get(id)?.at(-1)?.model ?? null;
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

  async #turn(turn: Turn, outgoing: Outgoing | null = null): Promise<void> {
    const { api } = this.#context;
    const { model, mode, web } = this;
    const drawn = "draw" in turn || ("retry" in turn && this.messages.get(turn.retry)?.wish != null);
    const wanted: Turn = drawn ? turn : { ...this.#context.how({ model, mode, web }), ...turn };
    const accepted = await (this.kept ? api.turn(this.id, wanted) : api.begin(this.id, wanted, { model, mode, web }));
    const messages = new Map(this.messages);
    const created = Date.now();
    if (outgoing !== null) messages.set(accepted.message, userMessage(this.id, { ...outgoing, id: accepted.message }, created));
    const blank = { type: "run.started", seq: 0, created, continues: null } as const;
    const parent = { message: accepted.answer, conversation: this.id, parent: accepted.message };
    messages.set(accepted.answer, fold(null, { ...blank, ...parent, run: accepted.run, model: accepted.model }));
    this.#changes += 1;
    this.#asked = { answer: accepted.answer, mode: wanted.mode ?? null };
    this.messages = messages;
    this.leaf = accepted.answer;
    if (!this.kept) this.#composer.keep();
    this.kept = true;
    this.outgoing = null;
    this.#follower.follow(accepted.run);
    this.#context.changed(this.id);
    if (this.#stopping) await this.stop();
  }

  /** Try again, with the same ids, while it is only the connection that fails. */
  async #patiently(action: () => Promise<void>): Promise<void> {
    for (const wait of RETRY_DELAYS_MS) {
      try {
        return await action();
      } catch (error) {
        if (!(error instanceof ApiError && error.isLost)) throw error;
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

  /** The answer is complete: it takes its place in the tree. */
  async #settle(answer: Message | null): Promise<void> {
    this.#changes += 1;
    this.connected = true;
    if (answer !== null) this.messages = new Map(this.messages).set(answer.id, answer);
    this.#context.changed(this.id);
    const next = this.#next;
    this.#next = null;
    if (next !== null) return this.#ask(next);
    void this.#sender.advance();
    if (this.messages.get(this.leaf ?? "")?.status === "running") await this.load();
  }

  #tell(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    this.error = error.message;
  }
}

function outgoing(id: string, { text, files, libraries, model, draw }: DraftContent, parent: string | null): Outgoing {
  const how = draw === undefined ? (model === undefined ? {} : { model }) : { draw };
  return { id, text, files, libraries, parent, ...how };
}

function asTurn({ files, libraries, ...said }: Outgoing): Turn {
  const ids = (of: readonly { readonly id: string }[]) => of.map(({ id }) => id);
  return { ...said, ...(files.length > 0 && { files: ids(files) }), ...(libraries.length > 0 && { libraries: ids(libraries) }) };
}
