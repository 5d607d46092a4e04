// The page: which conversation is open, the list beside it, the key, and the other tabs.

import { Api, type Model } from "../api.ts";
import { say } from "../i18n/say.ts";
import { Conversation } from "./conversation.svelte.ts";
import { Conversations } from "./conversations.svelte.ts";
import { newConversation, read, write } from "./drafts.ts";
import { Offline } from "./offline.svelte.ts";

const KEY = "eclair.key";
const MODEL = "eclair.model";
const GLANCE = 5000;

interface Heard {
  readonly conversation: string;
  readonly removed: boolean;
}

export class App {
  readonly api = new Api(read(KEY, "sessionStorage"), (wrong) => this.#askKey(wrong));
  readonly offline = new Offline();
  readonly conversations = new Conversations(this.api);
  /** Those that were left while messages waited in them. */
  readonly #behind = new Map<string, Conversation>();
  /** The conversation that is shown. A new chat whose first message may have arrived keeps its id. */
  current = $state.raw<Conversation>(this.#fresh());
  /** The message that a link or a search points at. */
  target = $state<string | null>(null);
  models = $state.raw<readonly Model[]>([]);
  model = $state<string | null>(read(MODEL));
  drawer = $state(false);
  /** The person is being asked for the key; `wrong` when the last one was not accepted. */
  asking = $state.raw<{ wrong: boolean; answer(key: string | null): void } | null>(null);

  readonly #tabs = new BroadcastChannel("eclair");
  #asked: Promise<string | null> | null = null;

  start(): void {
    this.api.heard = (response) => this.offline.heard(response);
    this.offline.start();
    this.#tabs.onmessage = ({ data }: MessageEvent<Heard>) => this.#hear(data);
    addEventListener("storage", () => this.current.queue.refresh());
    addEventListener("popstate", () => this.#route());
    document.addEventListener("visibilitychange", () => this.#glance());
    addEventListener("focus", () => this.#glance());
    addEventListener("online", () => this.#glance());
    setInterval(() => void this.#watch(), GLANCE);
    this.#route();
    void this.conversations.refresh();
    void this.#readModels();
  }

  /** A new chat; `push` leaves a step for the browser's back button. */
  begin(push = true): void {
    this.drawer = false;
    if (push && location.pathname !== "/") history.pushState(null, "", "/");
    this.#show(this.#fresh());
  }

  open(id: string, message: string | null = null): void {
    this.drawer = false;
    const hash = message === null ? "" : `#${message}`;
    if (location.pathname !== `/c/${id}` || location.hash !== hash) history.pushState(null, "", `/c/${id}${hash}`);
    this.#enter(id, message);
  }

  async remove(id: string): Promise<void> {
    await this.conversations.remove(id);
    this.#tabs.postMessage({ conversation: id, removed: true } satisfies Heard);
    if (this.current.id === id) this.begin();
  }

  async rename(id: string, title: string): Promise<void> {
    await this.conversations.rename(id, title);
    if (this.current.id === id) this.current.title = title;
    this.#tabs.postMessage({ conversation: id, removed: false } satisfies Heard);
  }

  choose(model: string): void {
    this.model = model;
    write(MODEL, model);
  }

  #fresh(): Conversation {
    return this.#conversation(newConversation(), false);
  }

  #conversation(id: string, kept: boolean): Conversation {
    const left = this.#behind.get(id);
    this.#behind.delete(id);
    if (left !== undefined) return left;
    const model = () => (this.models.some((known) => known.id === this.model) ? (this.model ?? undefined) : undefined);
    return new Conversation({ api: this.api, model, changed: (changed) => this.#changed(changed) }, id, kept);
  }

  #changed(id: string): void {
    if (this.api.key === null && !this.current.running) this.offline.keep(id);
    if (this.current.id === id && location.pathname === "/") history.replaceState(null, "", `/c/${id}`);
    this.#tabs.postMessage({ conversation: id, removed: false } satisfies Heard);
    void this.#refresh();
  }

  async #refresh(): Promise<void> {
    await this.conversations.refresh();
    const known = this.conversations.all.find((conversation) => conversation.id === this.current.id);
    if (known !== undefined) this.current.title = known.title;
  }

  #hear({ conversation, removed }: Heard): void {
    void this.conversations.refresh();
    if (conversation !== this.current.id) return;
    if (removed) this.begin(false);
    else void this.current.load();
  }

  /** The page is looked at again: much may have happened. */
  #glance(): void {
    if (document.hidden) return;
    void this.#refresh();
    void this.current.load();
  }

  /** Another device may have changed what is open here. */
  async #watch(): Promise<void> {
    if (document.hidden || this.asking !== null || this.current.running) return;
    const before = this.conversations.all.find(({ id }) => id === this.current.id);
    await this.conversations.refresh();
    const after = this.conversations.all.find(({ id }) => id === this.current.id);
    if (after !== undefined && after.updated !== before?.updated) await this.current.load();
  }

  #route(): void {
    const id = /^\/c\/([\w-]+)$/.exec(location.pathname)?.[1];
    if (id === undefined) this.begin(false);
    else this.#enter(id, location.hash.slice(1) || null);
  }

  #enter(id: string, message: string | null): void {
    if (this.current.id !== id || !this.current.kept) this.#show(this.#conversation(id, true));
    const conversation = this.current;
    void conversation.load().then(async () => {
      if (message === null || this.current !== conversation) return;
      const shown = conversation.path.some(({ id: other }) => other === message);
      if (!shown && conversation.messages.has(message)) await conversation.select(message);
      this.target = message;
    });
  }

  #show(conversation: Conversation): void {
    if (this.current.leave()) this.#behind.set(this.current.id, this.current);
    this.target = null;
    this.current = conversation;
  }

  #askKey(wrong: boolean): Promise<string | null> {
    this.#asked ??= new Promise<string | null>((resolve) => {
      const answer = (key: string | null) => {
        this.asking = null;
        this.#asked = null;
        if (key !== null) write(KEY, key, "sessionStorage");
        resolve(key);
      };
      this.asking = { wrong, answer };
    });
    return this.#asked;
  }

  async #readModels(): Promise<void> {
    try {
      const { models, default: preferred } = await this.api.models();
      this.models = models;
      if (!models.some(({ id }) => id === this.model)) this.model = preferred ?? models[0]?.id ?? null;
    } catch {
      this.models = [];
    }
  }

  get title(): string {
    return this.current.title === "" ? "Éclair" : `${this.current.title} · Éclair`;
  }
}

/** "Good morning", by the clock on the wall. */
export function greeting(now: Date): string {
  const hour = now.getHours();
  if (hour >= 5 && hour < 12) return say("morning");
  return hour >= 12 && hour < 18 ? say("afternoon") : say("evening");
}
