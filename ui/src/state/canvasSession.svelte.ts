// An open canvas: its text and versions, saving, restoring, and changes that a model makes. An empty one is a draft in
// this page until something is typed in it or a message is sent.

import { type Canvas, type CanvasCalls, type CanvasFormat, type CanvasVersion } from "../api/canvases.ts";
import { ApiError } from "../api/client.ts";
import type { Change } from "../api/events.ts";
import { type ErrorReport, toReport } from "../lib/errors.ts";
import { applyPatches, type TextRange } from "../lib/canvas/patches.ts";
import type { CanvasRequest } from "./canvasRequest.ts";

const SAVE_DELAY_MS = 2000;

/** A change by a model: the text before it, and as it is so far. */
export interface ModelEdit {
  readonly before: string;
  readonly after: string;
  readonly instruction: string;
  readonly model: string | null;
  readonly isRunning: boolean;
  readonly count: number;
}

/** An earlier version that is shown in place of the current one. */
export interface ShownVersion {
  readonly version: CanvasVersion;
  readonly text: string;
}

export class CanvasSession {
  canvas = $state.raw<Canvas | null>(null);
  versions = $state.raw<readonly CanvasVersion[]>([]);
  /** The text as it stands in the editor. */
  text = $state("");
  /** The text of the version that the editor's is based on. */
  savedText = $state("");
  isSaving = $state(false);
  edit = $state.raw<ModelEdit | null>(null);
  shown = $state.raw<ShownVersion | null>(null);
  /** The version beside the current one that holds what was written here. */
  conflict = $state<number | null>(null);
  problem = $state<string | ErrorReport>("");
  isGone = $state(false);
  /** Counts the texts that came from elsewhere than the editor. */
  loads = $state(0);
  #base = 1;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #saving: Promise<void> = Promise.resolve();
  /** The version that was kept beside another tab's while the person typed on. */
  #beside: number | null = null;
  #cut: AbortController | null = null;
  #storing: Promise<boolean> | null = null;
  readonly #calls: CanvasCalls;
  readonly #request: CanvasRequest;
  readonly #storeConversation: () => Promise<boolean>;

  /** `storeConversation` has the server store the conversation if it is new; false where that failed. */
  constructor(calls: CanvasCalls, request: CanvasRequest, storeConversation: () => Promise<boolean>) {
    this.#calls = calls;
    this.#request = request;
    this.#storeConversation = storeConversation;
  }

  /** The server doesn't have it. */
  get isDraft(): boolean {
    return this.canvas?.id === "";
  }

  /** Something was typed that is not saved. Read also once the pane is gone, as what is derived in it can't be. */
  get isChanged(): boolean {
    return this.text !== this.savedText;
  }

  /** Whether closing the page would lose what was typed, since it can't be sent at once. */
  get isAtRisk(): boolean {
    return this.isChanged && (this.isSaving || this.problem !== "");
  }

  /** Load the canvas, or make it; an empty one begins as a draft. */
  async open(): Promise<void> {
    const { conversation, canvas } = this.#request;
    await this.#attempt(async () => {
      if (typeof canvas === "string") return this.#take(await this.#calls.get({ conversation, id: canvas }));
      if (canvas.text !== "") return this.#take(await this.#calls.add(conversation, canvas));
      const now = Date.now();
      this.canvas = { id: "", conversation, title: canvas.title, language: canvas.language ?? "markdown", created: now, updated: now, current: 0 };
    });
  }

  /** Take what was typed; it becomes a version after a pause. */
  type(text: string): void {
    if (this.text === "" && text !== "") void this.#storeOnce();
    this.text = text;
    clearTimeout(this.#timer);
    if (this.isChanged || this.#beside !== null) this.#timer = setTimeout(() => void this.save(), SAVE_DELAY_MS);
  }

  /** Make a version of the text, one after another. */
  save(): Promise<void> {
    clearTimeout(this.#timer);
    return this.#inTurn(async () => {
      if (this.isChanged) await this.#addVersion(this.text, { author: "person" });
      else if (this.#beside !== null) await this.#attempt(() => this.#takeOther());
    });
  }

  /** Save the canvas as it is, even a draft, since a message may be about it. */
  async store(): Promise<void> {
    if (await this.#storeOnce()) await this.save();
  }

  /** Save what is unsaved, and end what runs. */
  async close(): Promise<void> {
    this.#cut?.abort();
    await this.save();
  }

  async rename(title: string): Promise<void> {
    if (title.trim() === "" || title === this.canvas?.title || !(await this.#storeOnce())) return;
    const { canvas } = this;
    if (canvas !== null) await this.#attempt(async () => (this.canvas = await this.#calls.edit(canvas, { title })));
  }

  async setLanguage(language: string): Promise<void> {
    if (this.canvas !== null && this.isDraft && this.#storing === null) {
      this.canvas = { ...this.canvas, language };
      return;
    }
    if (!(await this.#storeOnce())) return;
    const { canvas } = this;
    if (canvas !== null) await this.#attempt(async () => (this.canvas = await this.#calls.edit(canvas, { language })));
  }

  async nameVersion({ number }: CanvasVersion, name: string): Promise<void> {
    const { canvas } = this;
    if (canvas === null) return;
    await this.#attempt(async () => {
      const named = await this.#calls.nameVersion(canvas, number, name);
      this.versions = this.versions.map((version) => (version.number === number ? named : version));
    });
  }

  async show(version: CanvasVersion | null): Promise<void> {
    const { canvas } = this;
    if (version === null || canvas === null) {
      this.shown = null;
      return;
    }
    await this.save();
    await this.#attempt(async () => (this.shown = { version, text: await this.#calls.versionText(canvas, version.number) }));
  }

  /** Make the shown version the current one again, as a new version. */
  async restore(): Promise<void> {
    const { shown } = this;
    if (shown === null) return;
    await this.save(); // while nothing can be typed
    if (this.shown !== shown || this.isChanged) return; // what could not be saved stays
    const { author, model, name } = shown.version;
    this.shown = null;
    if (this.conflict === shown.version.number) this.conflict = null;
    this.#replace(shown.text);
    await this.#inTurn(() => this.#addVersion(shown.text, { author, model, name }));
  }

  /** Show what was kept beside the current version, in order to restore it. */
  async showConflict(): Promise<void> {
    const mine = this.versions.find(({ number }) => number === this.conflict);
    if (mine !== undefined) await this.show(mine);
  }

  /** The shown version as a file; null where that failed. */
  async export(format: CanvasFormat): Promise<Response | null> {
    if (!(await this.#storeOnce())) return null;
    await this.save();
    const { canvas } = this;
    if (canvas === null) return null;
    let file: Response | null = null;
    await this.#attempt(async () => (file = await this.#calls.export(canvas, format, this.shown?.version.number ?? null)));
    return file;
  }

  async remove(): Promise<boolean> {
    const { canvas } = this;
    if (canvas === null) return false;
    clearTimeout(this.#timer);
    return this.isDraft || this.#attempt(() => this.#calls.remove(canvas));
  }

  /** Have a model change the text, or a part of it. */
  async change(instruction: string, range: TextRange | null, model: string | null): Promise<void> {
    const asked = this.text;
    await this.save();
    if (range !== null && this.text !== asked) return; // another tab's text is shown, in which nothing is selected
    const before = this.text;
    const language = this.canvas?.language ?? "markdown";
    const { from, to } = range ?? { from: 0, to: before.length };
    const part = before.slice(from, to);
    const whole = (changed: string) => before.slice(0, from) + changed + before.slice(to);
    const patches: { start: number; end: number; text: string }[] = [];
    this.problem = "";
    this.#cut = new AbortController();
    const { signal } = this.#cut;
    this.edit = { before, after: before, instruction, model, isRunning: true, count: 0 };
    try {
      for await (const news of this.#calls.change({ text: part, instruction, model, language }, signal)) {
        if (news.kind === "change") patches.push(news.patch);
        else if (news.kind === "error") throw new ApiError(502, news.code, news.message, null, news.message);
        const after = whole(news.kind === "edit" ? news.text : applyPatches(part, patches));
        const done = news.kind === "edit";
        this.edit = { before, after, instruction, model: done ? news.model : model, isRunning: !done, count: patches.length };
      }
    } catch (error) {
      if (!signal.aborted) {
        if (!(error instanceof ApiError)) throw error;
        this.problem = toReport(error);
      }
      this.discard();
    }
  }

  /** End a change that runs; what it made so far is undone. */
  stop(): void {
    this.#cut?.abort();
  }

  /** Keep what the model changed, as a version of its own. */
  async accept(): Promise<void> {
    const { edit } = this;
    if (edit === null) return;
    this.#replace(edit.after);
    this.edit = null;
    await this.#inTurn(() => this.#addVersion(edit.after, { author: "model", model: edit.model, name: edit.instruction.replace(/\s+/g, " ").slice(0, 120) }));
  }

  /** Leave the text as it was. */
  discard(): void {
    this.#cut?.abort();
    this.edit = null;
    void this.save();
  }

  /** Follow a change on the server, which may be this page's own. */
  async follow({ conversation, kind }: Change): Promise<void> {
    const { canvas } = this;
    if (canvas === null || this.isDraft || (conversation !== null && (conversation !== canvas.conversation || kind !== "canvases"))) return;
    await this.#saving;
    await this.#attempt(async () => {
      const content = await this.#calls.get(canvas);
      const isOurs = content.canvas.current === this.#base;
      if (isOurs || this.isChanged || this.#beside !== null || this.edit !== null) {
        this.canvas = content.canvas;
        this.versions = content.versions;
      } else this.#take(content);
    });
  }

  /** Store a draft and its conversation on the server; true if it is stored, false where that failed. */
  #storeOnce(): Promise<boolean> {
    if (!this.isDraft) return Promise.resolve(this.canvas !== null);
    this.#storing ??= this.#storeDraft().finally(() => (this.#storing = null));
    return this.#storing;
  }

  async #storeDraft(): Promise<boolean> {
    const { canvas } = this;
    if (canvas === null || !(await this.#storeConversation())) return false;
    const { conversation, title, language } = canvas;
    return this.#attempt(async () => {
      const stored = await this.#calls.add(conversation, { title, language, text: "", author: "person" });
      this.#base = stored.canvas.current;
      this.canvas = stored.canvas;
      this.versions = stored.versions;
    });
  }

  #take({ canvas, versions, text }: { canvas: Canvas; versions: readonly CanvasVersion[]; text: string }): void {
    this.canvas = canvas;
    this.versions = versions;
    this.#base = canvas.current;
    this.savedText = text;
    this.#replace(text);
  }

  #replace(text: string): void {
    this.text = text;
    this.loads++;
  }

  async #addVersion(text: string, by: { author: "person" | "model"; model?: string | null; name?: string }): Promise<void> {
    if (!(await this.#storeOnce())) return;
    const { canvas } = this;
    if (canvas === null) return;
    this.isSaving = true;
    await this.#attempt(async () => {
      const added = await this.#calls.addVersion(canvas, { parent: this.#base, text, ...by });
      this.canvas = added.canvas;
      this.#base = added.version.number;
      this.savedText = text;
      if (this.versions.every(({ number }) => number !== added.version.number)) this.versions = [...this.versions, added.version];
      this.#beside = added.conflict === null ? null : added.version.number;
      if (this.#beside !== null) await this.#takeOther();
    });
    this.isSaving = false;
  }

  /** Show what another tab wrote, and offer what was written here. While the person types on, that is kept first. */
  async #takeOther(): Promise<void> {
    const { canvas } = this;
    if (canvas === null || this.isChanged || this.edit !== null) return;
    const content = await this.#calls.get(canvas);
    if (this.isChanged || this.edit !== null) return;
    this.#take(content);
    [this.conflict, this.#beside] = [this.#beside, null];
  }

  /** Do what stores a version, one after another: each is made from the one before. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#saving = this.#saving.then(work);
    return this.#saving;
  }

  async #attempt(work: () => unknown): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) this.isGone = true;
      else this.problem = toReport(error);
      return false;
    }
  }
}
