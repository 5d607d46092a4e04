// One conversation as the page shows it: its tree of messages, the answer in progress, the draft and the queue.

import { type ErrorReport, toReport } from "../lib/errors.ts";
import type { AcceptedTurn, AnswerOptions, AnswerSettings, ImageOptions, Turn } from "../api/conversations.ts";
import { ApiError } from "../api/client.ts";
import { t } from "../lib/i18n/translate.ts";
import { fromStoredOptions } from "../lib/images.ts";
import { keepInMemory } from "../lib/storage.ts";
import { RunFollower } from "./runFollower.svelte.ts";
import { QueueSender } from "./queueSender.svelte.ts";
import { userMessage } from "../lib/userMessage.ts";
import { MessageQueue } from "./messageQueue.svelte.ts";
import { answersToCompare, branchTo, leafUnder, type Messages, siblingsByParent } from "../lib/messageTree.ts";
import { ComposerDraft, type DraftContent } from "./composerDraft.svelte.ts";
import type { ConversationContext } from "./conversationContext.ts";
import { DraftSender } from "./draftSender.ts";
import type { CompareOptions } from "./drafts.ts";
import { outgoingMessage, type OutgoingMessage, TurnSender } from "./turnSender.svelte.ts";
import type { Attachment, LibraryName, Message, Mode, Web } from "../api/events.ts";
import { fold } from "../api/fold.ts";
import { newId } from "../lib/ids.ts";

const RELOAD_DELAY_MS = 4000;

export class Conversation {
  readonly id: string;
  readonly temporary: boolean;
  /** The server has it; a new chat is created with its first message. */
  stored = $state(false);
  /** The project that it is in. */
  project = $state<string | null>(null);
  missing = $state(false);
  loaded = $state(false);
  title = $state("");
  /** The conversation that this one was branched from; null for one begun anew. */
  branchedFrom = $state<string | null>(null);
  /** The assistant with which it was begun. */
  assistant = $state<string | null>(null);
  /** The settings of this conversation; null means the default. */
  model = $state<string | null>(null);
  mode = $state<Mode | null>(null);
  web = $state<Web | null>(null);
  temperature = $state<number | null>(null);
  max_tokens = $state<number | null>(null);
  system = $state<string | null>(null);
  memory = $state<AnswerSettings["memory"]>(null);
  /** MCP servers that the person switched on or off here before the server had this conversation. */
  mcpServers = $state.raw<Readonly<Record<string, boolean>>>({});
  /** It goes by voice, so that its answers are to be short. */
  spoken = false;
  /** Ends a dictation into the draft, and tells whether all words are there; null where there is none. */
  endDictation: (() => Promise<boolean>) | null = null;
  messages = $state.raw<Messages>(new Map());
  leaf = $state<string | null>(null);
  /** The answer that this page requested last, unless several are written side by side. */
  requested = $state<string | null>(null);
  connected = $state(true);
  error = $state<string | null>(null);
  /** The server's report of the error that has this message. */
  #reported = $state.raw<{ readonly message: string; readonly report: string | ErrorReport } | null>(null);
  /** Messages that wait until the answer in progress ends. */
  readonly queue: MessageQueue;
  /** What has to be saved before a message is sent, such as an open canvas. */
  readonly beforeSend = new Set<() => Promise<unknown>>();
  /** The id of the message to open for editing. */
  editing = $state<string | null>(null);

  readonly #context: ConversationContext;
  readonly #composer: ComposerDraft;
  readonly #follower: RunFollower;
  readonly #turns: TurnSender;
  readonly #queueSender: QueueSender;
  readonly #drafts = new DraftSender({
    draft: () => (this.running || this.compare !== null || this.imageOptions !== null ? "" : this.draft),
    send: (draft) => this.#prefill(draft),
  });
  /** Loading before a message is sent. */
  #preparing = $state(false);
  /** Ends the following of answers that are written side by side. */
  #comparing = $state.raw<AbortController | null>(null);
  /** Those answers, by id. */
  #beside = $state.raw<Messages>(new Map());

  readonly siblings = $derived(siblingsByParent(this.messages));
  readonly path = $derived(branchTo(this.messages, this.leaf));
  /** The answers that stand side by side while none is kept. */
  readonly compared = $derived(answersToCompare(this.messages, this.leaf));
  readonly running = $derived.by(() => this.run !== null || this.#comparing !== null || this.#turns.sending || this.#preparing);
  /** The last answer is incomplete, so the queue waits until the person says more. */
  readonly paused = $derived(!this.running && this.leaf !== null && (this.compared.length > 0 || this.messages.get(this.leaf)?.status !== "finished"));
  /** Everything written here survives a reload. */
  readonly persistent = $derived.by(() => this.temporary || (this.#composer.persistent && this.queue.persistent));

  /** Counts this page's changes, so that an older reply of the server doesn't undo them. */
  #changes = 0;
  /** The turn to send as soon as the answer in progress has ended. */
  #nextTurn: Turn | null = null;
  /** How many messages are open for editing. */
  #editors = 0;
  /** Another branch was chosen elsewhere while a message was being edited. */
  #leafWithheld = false;
  #reloadTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: ConversationContext, id: string, stored: boolean) {
    this.#context = context;
    this.id = id;
    this.temporary = context.temporary === true;
    this.stored = stored;
    this.project = context.project ?? null;
    this.web = stored ? null : (context.web ?? null);
    this.loaded = !stored;
    if (this.temporary) keepInMemory(id);
    this.queue = new MessageQueue(id, !this.temporary);
    this.#composer = new ComposerDraft(id, !stored && !this.temporary, this.queue);
    this.#follower = new RunFollower({
      open: (run, after, signal) => context.api.events(run, after, signal),
      onConnection: (live) => (this.connected = live),
      onEnd: (answer) => this.#finish(answer),
    });
    this.#turns = new TurnSender(this, context, {
      onAccepted: (turn, message) => this.#accept(turn, message),
      onAnswered: (message) => this.#composer.forgetSent(message),
    });
    this.#queueSender = new QueueSender(this, {
      refresh: () => this.#read(),
      send: (next) => this.#turns.sendMessage(outgoingMessage(next.id, next, this.leaf)),
      retryLater: () => this.#loadLater(),
    });
  }

  get settings(): AnswerSettings {
    return settingsOf(this);
  }

  /** The run that writes the answer in progress. */
  get run(): string | null {
    return this.#follower.run;
  }

  /** The answer in progress. */
  get liveAnswer(): Message | null {
    return this.#follower.answer;
  }

  /** True for the run of an answer that was written while this page watched. */
  wasFollowed(run: string | null): boolean {
    return run !== null && this.#follower.followed.has(run);
  }

  /** The message that was sent and not yet accepted. */
  get outgoing(): OutgoingMessage | null {
    return this.#turns.outgoing;
  }

  get draft(): string {
    return this.#composer.draft;
  }

  get files(): readonly Attachment[] {
    return this.#composer.files;
  }

  /** The libraries to search for the next message. */
  get libraries(): readonly LibraryName[] {
    return this.#composer.libraries;
  }

  /** The model for the next message alone. */
  get nextModel(): string | null {
    return this.#composer.nextModel;
  }

  /** The models that answer the next message side by side. */
  get compare(): CompareOptions | null {
    return this.#composer.compare;
  }

  /** The options of the images that the next message asks for; null where it asks for text. */
  get imageOptions(): ImageOptions | null {
    return this.#composer.imageOptions;
  }

  /** The queued message that the server refused. */
  get heldMessage(): string | null {
    return this.#queueSender.heldMessage;
  }

  /** Bring it up to date with the server, and follow its run if one is in progress. */
  async load(): Promise<void> {
    await this.#read();
    void this.#queueSender.advance();
  }

  async #read(): Promise<void> {
    if (!this.stored) return;
    const changes = this.#changes;
    try {
      const tree = await this.#context.api.get(this.id);
      if (this.outgoing !== null || changes !== this.#changes) return;
      this.missing = false;
      this.title = tree.conversation.title;
      Object.assign(this, settingsOf(tree.conversation));
      this.project = tree.conversation.project_id;
      this.branchedFrom = tree.conversation.branched_from;
      this.assistant = tree.conversation.assistant_id;
      this.messages = new Map(tree.messages.map((message) => [message.id, message]));
      if (this.#editors === 0 || !this.messages.has(this.leaf ?? "")) this.leaf = tree.conversation.leaf;
      else this.#leafWithheld = this.leaf !== tree.conversation.leaf;
      this.loaded = true;
      if (tree.conversation.unread) void this.#context.api.change(this.id, { unread: false }).catch(() => undefined);
      if (!this.#follower.isFollowing) this.connected = true;
      this.#composer.dropArrived(this.messages);
      if (tree.messages.filter(({ status }) => status === "running" || status === "waiting").length > 1) void this.#followBeside();
      else if (tree.running !== null && this.#comparing === null) this.#follower.follow(tree.running);
      else if (!this.#follower.isFollowing) this.#follower.run = null;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) this.missing = true;
      else if (error instanceof ApiError && error.status === 0) {
        this.connected = false;
        this.#loadLater();
      } else this.showError(error);
    }
  }

  /** Stop following the run, unless messages are queued behind it; the answer goes on. True while it is still followed. */
  leave(): boolean {
    const waiting = this.running && this.queue.items.length > 0;
    if (!waiting) {
      clearTimeout(this.#reloadTimer);
      this.#follower.leave();
      this.#leaveBeside();
    }
    return waiting;
  }

  /** The newest version of a message, the answer in progress included. */
  latest(message: Message): Message {
    const beside = this.#beside.get(message.id);
    if (beside !== undefined) return beside;
    return this.liveAnswer !== null && this.liveAnswer.id === message.id ? this.liveAnswer : message;
  }

  /** The mode in which an answer was requested, as far as this page knows. */
  modeOf(answer: Message): Mode | null {
    return this.#turns.modeOf(answer);
  }

  write(text: string): void {
    const begins = this.draft === "" && text !== "";
    this.#composer.write(text);
    if (this.running) return;
    if (begins) void this.prefill();
    else this.#drafts.changed();
  }

  attach(file: Attachment): void {
    this.#composer.attach(file);
    if (!this.running) void this.prefill();
  }

  /** True where the file can be erased, since no message that was sent can need it. */
  detach(id: string): boolean {
    return this.#composer.detach(id);
  }

  /** Search a library for the next message, or don't. */
  setLibrary(library: LibraryName, included = true): void {
    this.#composer.setLibrary(library, included);
  }

  /** Choose the model for the next message alone; null goes back to the conversation's. */
  setNextModel(model: string | null): void {
    this.#composer.setNextModel(model);
  }

  /** Have models answer the next message side by side. */
  setCompare(compare: CompareOptions): void {
    this.#composer.setCompare(compare);
  }

  /** Ask for images with the next message; null asks for text. */
  setImageOptions(options: ImageOptions | null): void {
    this.#composer.setImageOptions(options);
  }

  /** Change the settings of this conversation, wherever it is open. False where the server refused them. */
  async changeSettings(settings: Partial<AnswerSettings>): Promise<boolean> {
    const before = this.settings;
    this.#changes += 1;
    Object.assign(this, settings);
    if (!this.stored) return true;
    try {
      await this.#context.api.change(this.id, settings);
      this.#context.onChange(this.id);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 400) Object.assign(this, before);
      this.showError(error);
      return false;
    }
  }

  /** Have the server store this conversation before it has a message; false where that failed. */
  async store(): Promise<boolean> {
    if (this.stored) return true;
    try {
      await this.#context.api.add?.(this.id, this.settings, this);
    } catch (error) {
      this.showError(error);
      return false;
    }
    this.#noteStored();
    this.#context.onChange(this.id);
    return true;
  }

  /** Send the composer's content, with `fallbackText` where it is files alone. It stays in the draft until the server
   * has it; while an answer is in progress, it is queued. */
  async send(fallbackText = ""): Promise<boolean> {
    const { text, ...rest } = this.#composer.content;
    const content = { ...rest, text: text === "" && rest.files.length > 0 ? fallbackText : text };
    if (content.text === "") return false;
    const refusal = content.draw === undefined ? (this.#context.refusal?.() ?? null) : null;
    if (refusal !== null) {
      this.error = refusal;
      return false;
    }
    if (this.running) {
      void this.#saveBeforeSend();
      this.queue.add({ ...content, id: newId("msg") });
      this.#composer.clear();
      return true;
    }
    if (!(await this.#ensureLoaded())) return false;
    if (this.compared.length > 0) {
      this.error = t("compareFirst");
      return false;
    }
    const id = this.#composer.identify(content, this.leaf);
    this.#composer.startSending(content);
    const accepted = (await this.#turns.sendMessage(outgoingMessage(id, content, this.leaf))) === "accepted";
    this.#composer.endSending(accepted);
    return accepted;
  }

  /** Move a queued message back into the composer. */
  unqueue(id: string): void {
    const item = this.queue.remove(id);
    if (item !== undefined) this.#composer.restore(item);
    void this.#queueSender.advance();
  }

  /** Change a queued message; null leaves it. If it has left the queue, the text goes to the composer. */
  editQueued(id: string, text: string | null): void {
    if (text !== null) {
      this.#queueSender.release(id);
      if (!this.queue.change(id, text)) this.#composer.restore({ text, files: [], libraries: [] });
    }
    void this.#queueSender.advance();
  }

  /** Send a queued message now; an answer in progress is stopped for it. */
  async sendNow(id: string): Promise<void> {
    this.#queueSender.sendNow(id);
    if (this.running) await this.stop();
    else await this.#queueSender.advance();
  }

  /** Note that an editor opened or closed. While one is open, a branch chosen elsewhere isn't shown. */
  markEditing(open: boolean): void {
    this.#editors += open ? 1 : -1;
    if (this.#editors > 0 || !this.#leafWithheld) return;
    this.#leafWithheld = false;
    if (!this.running) void this.load();
  }

  /** Send an edited copy of a message as its sibling, with the files and libraries that still exist. */
  async edit(message: Message, text: string): Promise<boolean> {
    if (text.trim() === "" || this.running) return false;
    const { files, libraries } = await this.#context.existing(message);
    const draw = message.wish === null ? null : fromStoredOptions(message.wish, this.#imageModel(message));
    return this.#sendNew({ text: text.trim(), files, libraries, ...(draw !== null && { draw }) }, message.parent);
  }

  /** Ask for images of this text, whatever is in the composer. */
  async generateImage(text: string, draw: ImageOptions): Promise<boolean> {
    if (this.running || !(await this.#ensureLoaded())) return false;
    return this.#sendNew({ text, files: [], libraries: [], draw }, this.leaf);
  }

  /** True where a report could rest on documents: those of the composer, or of earlier messages. */
  get hasDocuments(): boolean {
    return [this.#composer.content, ...this.path].some(({ files, libraries }) => files.length > 0 || libraries.length > 0);
  }

  /** Ask for a report that answers these questions: at the end, with the composer's files and libraries, or in place of
   * the one that `before` asked for. The web is searched unless it is off and there are documents. */
  async research(text: string, questions: readonly string[], before?: Message): Promise<boolean> {
    if (this.running || !(await this.#ensureLoaded())) return false;
    const model = this.nextModel;
    const { files, libraries } = before ?? this.#composer.content;
    const web = this.web === "off" && (this.hasDocuments || files.length > 0 || libraries.length > 0) ? "off" : "on";
    const content = { text, files, libraries, ...(model !== null && { model }) };
    const parent = before === undefined ? this.leaf : before.parent;
    const accepted = await this.#sendNew(content, parent, { research: questions, web });
    if (accepted && before === undefined && files.length + libraries.length > 0) {
      const { draft } = this;
      this.#composer.clear();
      this.write(draft);
    }
    return accepted;
  }

  async retry(answer: Message, model?: string): Promise<void> {
    if (answer.parent !== null) await this.#turns.requestAnswer({ retry: answer.parent, ...(model === undefined ? {} : { model }) });
  }

  /** Request another answer with other options. An answer in progress is stopped for it, and stays as a version. */
  async answerInstead(answer: Message, options: AnswerOptions): Promise<void> {
    if (answer.parent === null) return;
    const turn = { retry: answer.parent, ...options };
    if (this.run === null) return this.#turns.requestAnswer(turn);
    this.#nextTurn = turn;
    await this.stop();
  }

  /** End the reading of long documents: the answer rests on what was read so far. */
  async answerNow(): Promise<void> {
    if (this.run === null) return;
    try {
      await this.#context.api.answerNow(this.run);
    } catch (error) {
      this.showError(error);
    }
  }

  async resume(answer: Message): Promise<void> {
    await this.#turns.requestAnswer({ continue: answer.id });
  }

  /** Delete a message with everything after it. */
  async removeMessage(message: Message): Promise<void> {
    if (this.running) return;
    try {
      await this.#context.api.removeMessage(this.id, message.id);
      this.#changes += 1;
      await this.load();
      this.#context.onChange(this.id);
    } catch (error) {
      this.showError(error);
    }
  }

  /** Stop the answer in progress, or all that are written side by side. */
  async stop(): Promise<void> {
    const beside = [...this.messages.values()].filter(({ status, run }) => run !== null && (status === "running" || status === "waiting"));
    if (this.#comparing !== null) await Promise.all(beside.map((answer) => this.stopAnswer(answer)));
    else if (this.run === null) this.#turns.requestStop();
    else await this.#stopRun(this.run);
  }

  /** Stop one of the answers that are written side by side. */
  async stopAnswer({ run }: Message): Promise<void> {
    if (run !== null) await this.#stopRun(run);
  }

  async #stopRun(run: string): Promise<void> {
    try {
      await this.#context.api.stop(run);
    } catch (error) {
      this.showError(error);
    }
  }

  /** Keep one of the answers that stand side by side; the others stay as its siblings. */
  async keep(answer: Message): Promise<void> {
    try {
      await this.#context.api.keep?.(this.id, answer.parent ?? "", answer.id);
      this.#changes += 1;
      await this.load();
      this.#context.onChange(this.id);
    } catch (error) {
      this.showError(error);
    }
  }

  /** Show the branch through this message. */
  async select(id: string): Promise<void> {
    const leaf = leafUnder(this.siblings, id);
    if (leaf === this.leaf) return;
    this.#changes += 1;
    this.leaf = leaf;
    try {
      await this.#context.api.change(this.id, { leaf });
      this.#context.onChange(this.id);
    } catch (error) {
      this.showError(error);
    }
  }

  #loadLater(): void {
    clearTimeout(this.#reloadTimer);
    this.#reloadTimer = setTimeout(() => void this.load(), RELOAD_DELAY_MS);
  }

  async #saveBeforeSend(): Promise<void> {
    await Promise.all([...this.beforeSend].map((save) => save()));
  }

  /** Save what is open, and load the tree if it isn't yet, so that a message finds both. */
  async #ensureLoaded(): Promise<boolean> {
    if (this.loaded && this.beforeSend.size === 0) return true;
    this.#preparing = true;
    await this.#saveBeforeSend();
    if (!this.loaded) await this.#read();
    this.#preparing = false;
    if (!this.loaded && !this.connected) this.error = t("unreachable");
    return this.loaded;
  }

  async #sendNew(content: DraftContent, parent: string | null, options: Pick<OutgoingMessage, "research" | "web"> = {}): Promise<boolean> {
    const outgoing = outgoingMessage(this.#composer.identify(content, parent), content, parent);
    return (await this.#turns.sendMessage({ ...outgoing, ...options })) === "accepted";
  }

  /** The person begins to write or to speak, or attaches a file: let the engine read ahead. That only saves time, so a
   * failure isn't shown. */
  async prefill(): Promise<void> {
    await this.#drafts.begin();
  }

  /** True where a slow model reads what fits the draft. */
  async #prefill(draft: string): Promise<boolean> {
    if (this.#context.refusal?.() != null) return false;
    const settings = this.settings;
    const { temperature: _, max_tokens: __, ...options } = this.#context.answerOptions({ ...settings, model: this.nextModel ?? settings.model });
    try {
      const files = this.#composer.files.map(({ id }) => id);
      const writing = { ...(this.stored ? { conversation: this.id } : { assistant_id: this.assistant }), ...options, ...(this.spoken && { spoken: true }), ...(files.length > 0 && { files }) };
      const { follows_drafts } = await this.#context.api.prefill({ ...writing, ...(draft !== "" && { text: draft }) });
      return follows_drafts;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return false;
    }
  }

  /** The model that made the images of a message, where one is known. */
  #imageModel({ id }: Message): string | null {
    return this.siblings.get(id)?.at(-1)?.model ?? null;
  }

  /** Add an accepted turn to the tree, and follow its run. */
  #accept(turn: AcceptedTurn, outgoing: OutgoingMessage | null): void {
    const messages = new Map(this.messages);
    const created = Date.now();
    const beside = turn.beside ?? [];
    const answers = [turn, ...beside];
    const comparison = beside.length === 0 ? null : { answers: answers.map(({ answer }) => answer), blind: outgoing?.blind === true, kept: null, decided: null };
    if (outgoing !== null) messages.set(turn.message, userMessage(this.id, { ...outgoing, id: turn.message, comparison }, created));
    const start = { type: "run.started", seq: 0, created, continues: null, conversation: this.id } as const;
    for (const { run, answer, model } of answers) messages.set(answer, fold(null, { ...start, message: answer, parent: turn.message, run, model }));
    this.#changes += 1;
    this.messages = messages;
    this.leaf = turn.answer;
    this.#noteStored();
    this.requested = beside.length > 0 ? null : turn.answer;
    if (beside.length > 0) void this.#followBeside();
    else this.#follower.follow(turn.run);
    this.#context.onChange(this.id);
  }

  #noteStored(): void {
    if (!this.stored) this.#composer.moveToConversation();
    this.stored = true;
    if (!this.temporary) void this.#keepMcpServers();
  }

  /** Have the server keep which MCP servers are on in this conversation. */
  async #keepMcpServers(): Promise<void> {
    const chosen = Object.entries(this.mcpServers);
    try {
      for (const [server, on] of chosen) await this.#context.api.switchMcpServer(this.id, server, on);
      if (chosen.length > 0) this.mcpServers = {};
    } catch (error) {
      this.showError(error);
    }
  }

  /** Follow the answers that are written side by side, until all have ended. */
  async #followBeside(): Promise<void> {
    if (this.#comparing !== null) return;
    this.#follower.leave();
    this.#follower.run = null;
    const following = new AbortController();
    this.#comparing = following;
    const connection = {
      open: (signal: AbortSignal) => this.#context.api.allEvents?.(this.id, signal) ?? Promise.reject(new Error("nothing to follow")),
      onConnection: (live: boolean) => (this.connected = live),
      show: (answers: Messages) => (this.#beside = answers),
    };
    try {
      const { followAnswers } = await import("./followAnswers.ts");
      const answers = await followAnswers(connection, following.signal);
      if (following.signal.aborted) return;
      this.messages = new Map([...this.messages, ...answers]);
    } catch {
      this.#loadLater(); // the page is offline
    }
    this.#leaveBeside();
    await this.#finish(null);
  }

  #leaveBeside(): void {
    this.#comparing?.abort();
    this.#comparing = null;
    this.#beside = new Map();
  }

  /** Store the finished answer in the tree, and go on with what waited for it. */
  async #finish(answer: Message | null): Promise<void> {
    this.#changes += 1;
    this.connected = true;
    if (answer !== null) this.messages = new Map(this.messages).set(answer.id, answer);
    this.#context.onChange(this.id);
    const next = this.#nextTurn;
    this.#nextTurn = null;
    if (next !== null) return this.#turns.requestAnswer(next);
    void this.#queueSender.advance();
    if (this.messages.get(this.leaf ?? "")?.status === "running") await this.load();
  }

  /** Show why a call failed. */
  showError(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    this.error = error.message;
    this.#reported = { message: error.message, report: toReport(error) };
  }

  /** The error as ErrorText shows it. */
  get shownError(): string | ErrorReport | null {
    return this.#reported !== null && this.#reported.message === this.error ? this.#reported.report : this.error;
  }
}

function settingsOf({ model, mode, web, temperature, max_tokens, system, memory }: AnswerSettings): AnswerSettings {
  return { model, mode, web, temperature, max_tokens, system, memory };
}
