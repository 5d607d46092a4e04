// The gallery: images, newest first, its search, and the images being made here.

import { ApiError } from "../api/client.ts";
import type { ImageOptions } from "../api/conversations.ts";
import type { GeneratedImage, ImageCalls, ImageFrame } from "../api/images.ts";
import { describeError } from "../lib/errors.ts";
import { Parser } from "../api/sse.ts";

const PAGE_SIZE = 40;
const SEARCH_DELAY_MS = 200;

/** An image in progress: its place in the queue, then its progress. */
export interface ImageInProgress {
  readonly before: number;
  readonly id: string | null;
  readonly done: number | null;
  readonly of: number | null;
  readonly preview: number | null;
}

const NOT_STARTED: ImageInProgress = { before: 0, id: null, done: null, of: null, preview: null };

export class Gallery {
  all = $state.raw<readonly GeneratedImage[]>([]);
  /** Where older images begin; null where there are none. */
  next = $state<string | null>(null);
  words = $state("");
  /** The images were read at least once. */
  loaded = $state(false);
  failed = $state(false);
  /** The images being made here. */
  inProgress = $state.raw<{ readonly prompt: string; readonly options: ImageOptions; readonly now: ImageInProgress; readonly left: number } | null>(null);
  /** Why the last one failed. */
  problem = $state("");
  readonly #calls: ImageCalls;
  #reading: AbortController | null = null;
  #generation: AbortController | null = null;
  #loadingOlder = false;
  #shown = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(calls: ImageCalls) {
    this.#calls = calls;
  }

  /** Read the newest images, or those whose prompt has the words. */
  async read(): Promise<void> {
    this.#reading?.abort();
    const reading = new AbortController();
    this.#reading = reading;
    try {
      const { pictures, next } = await this.#calls.list(this.words, null, PAGE_SIZE, reading.signal);
      if (reading.signal.aborted) return;
      [this.all, this.next, this.loaded, this.failed] = [pictures, next, true, false];
    } catch (error) {
      if (reading.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.failed = true;
    }
  }

  /** Refresh while the gallery is shown; returns how to stop. */
  show(): () => void {
    this.#shown += 1;
    void this.read();
    return () => (this.#shown -= 1);
  }

  /** An answer has ended, which may have made images. */
  async refresh(): Promise<void> {
    if (this.#shown === 0 || !this.loaded) return;
    const { words } = this;
    try {
      const { pictures } = await this.#calls.list(words, null, PAGE_SIZE);
      const known = new Set(this.all.map(({ id }) => id));
      if (this.words === words) this.all = [...pictures.filter(({ id }) => !known.has(id)), ...this.all];
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the connection is lost, which the page shows elsewhere
    }
  }

  async loadOlder(): Promise<void> {
    const { next, words } = this;
    if (next === null || this.#loadingOlder) return;
    this.#loadingOlder = true;
    try {
      const found = await this.#calls.list(words, next, PAGE_SIZE);
      if (this.next !== next || this.words !== words) return;
      const known = new Set(this.all.map(({ id }) => id));
      this.all = [...this.all, ...found.pictures.filter(({ id }) => !known.has(id))];
      this.next = found.next;
      this.failed = false;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.failed = true;
    } finally {
      this.#loadingOlder = false;
    }
  }

  /** Search once the typing pauses. */
  search(words: string): void {
    this.words = words;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.read(), SEARCH_DELAY_MS);
  }

  /** Delete an image; throws the server's objection. */
  async remove({ id }: GeneratedImage): Promise<void> {
    await this.#calls.remove(id);
    this.all = this.all.filter((other) => other.id !== id);
  }

  /** Make images outside any conversation, until `stop`. */
  async generate(prompt: string, options: ImageOptions): Promise<void> {
    if (this.inProgress !== null) return;
    this.problem = "";
    this.inProgress = { prompt, options, now: NOT_STARTED, left: options.count ?? 1 };
    const generation = new AbortController();
    this.#generation = generation;
    try {
      const response = await this.#calls.generate(prompt, options, generation.signal);
      for await (const event of read(response)) this.#apply(event);
    } catch (error) {
      if (generation.signal.aborted) return;
      if (!(error instanceof ApiError || error instanceof TypeError)) throw error;
      this.problem = error instanceof ApiError ? error.message : describeError("upstream", error.message);
    } finally {
      this.inProgress = null;
      this.#generation = null;
    }
  }

  /** Stop the work by closing the connection. */
  stop(): void {
    this.#generation?.abort();
  }

  #apply(event: ImageFrame): void {
    const { inProgress } = this;
    if (inProgress === null) return;
    switch (event.event) {
      case "waiting":
        this.inProgress = { ...inProgress, now: { ...inProgress.now, before: event.data.before } };
        break;
      case "progress": {
        const { done, of, preview, picture } = event.data;
        this.inProgress = { ...inProgress, now: { before: 0, id: picture, done, of, preview } };
        break;
      }
      case "picture":
        this.all = [event.data, ...this.all.filter(({ id }) => id !== event.data.id)];
        this.inProgress = { ...inProgress, now: NOT_STARTED, left: inProgress.left - 1 };
        break;
      case "fault":
        this.problem = describeError(event.data.code, event.data.message);
        break;
      default:
        event satisfies never;
    }
  }
}

async function* read(response: Response): AsyncGenerator<ImageFrame> {
  const parser = new Parser();
  const reader = response.body?.getReader();
  for (;;) {
    const piece = await reader?.read();
    if (piece === undefined || piece.done) return;
    for (const { event, data } of parser.feed(piece.value)) yield { event, data: JSON.parse(data) as unknown } as ImageFrame;
  }
}
