// The page: which conversation is open, the list beside it, what lies over it, the key, and the other tabs.

import { tick } from "svelte";
import { Api } from "../api/api.ts";
import type { AnswerOptions, AnswerSettings, Deleted } from "../api/conversations.ts";
import type { Model, ModePicks } from "../api/models.ts";
import { t } from "../lib/i18n/translate.ts";
import { listenForChanges } from "../api/changes.ts";
import { readStored, writeStored } from "../lib/storage.ts";
import { newConversationId } from "./drafts.ts";
import { FileStatuses } from "./fileStatus.svelte.ts";
import { ConversationActions } from "./conversationActions.svelte.ts";
import { ImageModels } from "./imageModels.svelte.ts";
import { parseResearchCommand } from "../lib/research.ts";
import { type RepeatedResearch, Research } from "./research.svelte.ts";
import { InstalledModels } from "./installedModels.svelte.ts";
import { TemporaryBackend } from "./temporaryBackend.ts";
import { WebSearch } from "./webSearch.svelte.ts";
import type { Change, Conversation as StoredConversation, Message, Mode, Web } from "../api/events.ts";
import { newId } from "../lib/ids.ts";
import { Conversation } from "./conversation.svelte.ts";
import { Conversations } from "./conversations.svelte.ts";
import { Feeds } from "./feeds.svelte.ts";
import type { Gallery } from "./gallery.svelte.ts";
import { Libraries } from "./libraries.svelte.ts";
import { Notices } from "./notices.svelte.ts";
import { Offline } from "./offline.svelte.ts";
import { Preferences } from "./preferences.svelte.ts";
import type { Source } from "./source.ts";
import { explain } from "../lib/errors.ts";

const STORED_KEY = "eclair.key";
const TEMPORARY_PATH = "/temporary";
/** A connection that is lost for a moment only is not spoken of. */
const RECONNECT_GRACE_MS = 1500;

type Page = "chat" | "settings" | "pictures";

/** A list of commands or keys over the page. */
export type Overlay = "palette" | "models" | "shortcuts";

/** A dialog over the page, and what it is about. */
export type Dialog =
  | { readonly kind: "export" | "share" | "tags"; readonly conversation: StoredConversation }
  | { readonly kind: "import" }
  | { readonly kind: "license"; readonly name: string; readonly text: string };

export class App {
  readonly api = new Api({ key: readStored(STORED_KEY, "sessionStorage"), askKey: (wrong) => this.#askKey(wrong), explain });
  readonly offline = new Offline();
  readonly conversations = new Conversations(this.api, () => this.#entitle());
  readonly notices = new Notices();
  readonly conversationActions = new ConversationActions(this);
  /** Those that were left while messages waited in them. */
  readonly #behind = new Map<string, Conversation>();
  readonly preferences = new Preferences(this.api);
  readonly installedModels = new InstalledModels(this);
  readonly files = new FileStatuses(this.api);
  readonly libraries = new Libraries(this.api);
  readonly feeds = new Feeds(this.api);
  readonly webSearch = new WebSearch(this.api);
  readonly imageModels = new ImageModels(this.api);
  /** The pictures as they are looked through; null until they are. */
  gallery: Gallery | null = null;
  page = $state<Page>("chat");
  /** The section of the settings, or the picture, that was asked for. */
  section = $state("");
  overlay = $state<Overlay | null>(null);
  dialog = $state.raw<Dialog | null>(null);
  /** The research that is being planned. */
  research = $state.raw<Research | null>(null);
  /** What lies beside the conversation. */
  source = $state.raw<Source | null>(null);
  /** What had the focus when it was asked for. */
  sourceOpener: Element | null = null;
  /** The conversation that is shown. A new chat whose first message may have arrived keeps its id. */
  current = $state.raw<Conversation>(this.#fresh());
  /** The message that a link or a search points at. */
  target = $state<string | null>(null);
  /** The words in it that a search found. */
  marks: readonly string[] = [];
  /** Whether we hear of what changes on the server. */
  connected = $state(true);
  models = $state.raw<readonly Model[]>([]);
  /** Whether they have been asked for, with or without a reply. */
  modelsRead = $state(false);
  drawer = $state(false);
  /** The person is being asked for the key; `wrong` when the last one was not accepted. */
  asking = $state.raw<{ wrong: boolean; answer(key: string | null): void } | null>(null);

  /** The server's own choice. */
  serverDefault = $state<string | null>(null);
  /** Whom flash and think choose where the person has not. */
  modePicks = $state.raw<ModePicks | null>(null);
  /** The model that the person chose, for the conversation that is shown or for all of them. */
  readonly chosenModel = $derived(this.#named(this.current.model));
  /** Whether the mode chooses who answers. */
  readonly isRouted = $derived(this.#routed(this.chosenModel));
  /** The model that answers, as far as that can be known before the question is. */
  readonly model = $derived(
    this.chosenModel ?? (this.isRouted ? this.modePicks?.[this.current.mode === "think" ? "think" : "flash"] : null) ?? this.serverDefault ?? this.models[0]?.id ?? null,
  );
  /** Why nobody can choose between flash and think here; null where one can. */
  readonly modeUnavailable = $derived.by(() => {
    const model = this.models.find(({ id }) => id === this.model);
    if (model === undefined) return t("useThinkingNot");
    if (this.isRouted || (model.thinks !== "never" && model.thinks !== "always")) return null;
    return t(model.thinks === "never" ? "modeNever" : "modeAlways", { model: model.name });
  });

  #listening: AbortController | null = null;
  /** Whether a first connection was made: what every one begins with says nothing new then. */
  #listened = false;
  #lost: ReturnType<typeof setTimeout> | undefined;
  /** The conversation changed elsewhere while its answer was written here. */
  #missed = false;
  /** The temporary chat of this tab, to which the browser's back button leads. */
  #temporary: Conversation | null = null;
  #asked: Promise<string | null> | null = null;
  /** What was planned last, and has not begun. */
  #planned: Research | null = null;

  start(): void {
    this.api.client.onResponse = (response) => this.offline.note(response);
    this.offline.start();
    addEventListener("storage", () => this.current.queue.refresh());
    addEventListener("popstate", () => this.#route());
    document.addEventListener("visibilitychange", () => this.#glance());
    this.#route();
    void this.preferences.refresh();
    void this.conversations.refresh();
    void this.conversations.readTags();
    this.#glance();
    void this.readModels();
    void this.imageModels.read();
  }

  /** A new chat; `push` leaves a step for the browser's back button. */
  begin(push = true): void {
    this.drawer = false;
    if (push) {
      this.page = "chat";
      if (location.pathname !== "/") history.pushState(null, "", "/");
    }
    this.#show(this.#fresh());
  }

  open(id: string, message: string | null = null): void {
    this.drawer = false;
    this.page = "chat";
    const hash = message === null ? "" : `#${message}`;
    if (location.pathname !== `/c/${id}` || location.hash !== hash) history.pushState(null, "", `/c/${id}${hash}`);
    this.#enter(id, message);
  }

  /** A chat of which nothing is stored. */
  beginTemporary(): void {
    this.drawer = false;
    this.page = "chat";
    if (location.pathname !== TEMPORARY_PATH) history.pushState(null, "", TEMPORARY_PATH);
    this.#enterTemporary(true);
  }

  async remove(id: string): Promise<void> {
    await this.conversations.remove(id);
    if (this.current.id === id) this.begin();
  }

  async removeAll(): Promise<Deleted> {
    const deleted = await this.conversations.removeAll();
    if (!this.current.temporary) this.#show(this.#fresh());
    return deleted;
  }

  async rename(id: string, title: string): Promise<void> {
    await this.conversations.change(id, { title });
    if (this.current.id === id) this.current.title = title;
  }

  /** Let this model answer in the conversation that is shown; null leaves it to the mode. */
  chooseModel(model: string | null): void {
    void this.current.remember({ model });
  }

  /** Flash, auto or think in the conversation that is shown. With one model, auto leaves it as that likes. */
  setMode(mode: Mode): void {
    void this.current.remember({ mode: mode === "auto" && !this.isRouted ? null : mode });
  }

  /** Whether the web is looked at: in the conversation that is shown, and in new ones from now on. */
  setWeb(web: Web, aloud = false): void {
    void this.current.remember({ web });
    void this.webSearch.choose(web, aloud);
  }

  /** Plan a research on a request, or on what is in the composer. A plan that was left is taken up again. */
  planResearch(request?: string, again: RepeatedResearch | null = null): void {
    const { current } = this;
    const wanted = request ?? parseResearchCommand(current.draft) ?? current.draft.trim();
    const left = this.#planned;
    if (left === null || left.conversation !== current || left.request.trim() !== wanted || again !== null) {
      const how = () => this.#how({ model: current.chosen ?? current.model, mode: current.mode, web: null });
      this.#planned = new Research(this.api, current, how, wanted, again);
    }
    this.research = this.#planned;
  }

  /** It is begun, or left for now. */
  closeResearch(begun: boolean): void {
    this.research?.leave();
    this.research = null;
    if (begun) this.#planned = null;
  }

  /** Let this model answer everywhere; null leaves it to the server. */
  setDefaultModel(model: string | null): void {
    this.preferences.change({ model });
  }

  /** Open the settings, at a section if one is named. */
  openSettings(section = ""): void {
    this.#turnTo("settings", section);
  }

  /** Open the pictures, at one if it is named. */
  openPictures(picture = ""): void {
    this.#turnTo("pictures", picture);
  }

  #turnTo(page: "settings" | "pictures", section: string): void {
    this.drawer = false;
    this.page = page;
    this.section = section;
    const address = section === "" ? `/${page}` : `/${page}#${section}`;
    if (location.pathname + location.hash !== address) history.pushState(null, "", address);
  }

  /** Go back from there to the conversation that was left. */
  closeSettings(): void {
    this.page = "chat";
    history.pushState(null, "", this.current.kept ? `/c/${this.current.id}` : "/");
  }

  /** Ask the person to accept the license of a model before it is downloaded. */
  askLicense(name: string, text: string): void {
    this.dialog = { kind: "license", name, text };
  }

  /** Show a source beside the conversation, or none any more. */
  showSource(source: Source | null): void {
    if (source !== null) this.sourceOpener = document.activeElement;
    this.source = source;
  }

  /** Put the person into the search field, which on a small screen lies in the drawer. */
  async focusSearch(): Promise<void> {
    this.drawer = matchMedia("(max-width: 48rem)").matches;
    await tick();
    document.getElementById("search")?.focus();
  }

  #fresh(): Conversation {
    return this.#conversation(newConversationId(), false);
  }

  #conversation(id: string, kept: boolean): Conversation {
    const left = this.#behind.get(id);
    this.#behind.delete(id);
    if (left !== undefined) return left;
    const how = (remembered: AnswerSettings) => this.#how(remembered);
    const there = (message: Message) => this.#there(message);
    return new Conversation({ api: this.api.conversations, web: this.webSearch.last, how, there, changed: (changed) => this.#changed(changed) }, id, kept);
  }

  async #there({ files, libraries }: Message): Promise<Pick<Message, "files" | "libraries">> {
    const kept = await this.files.kept(files.map(({ id }) => id));
    const known = this.libraries;
    return {
      files: files.filter(({ id }) => kept.includes(id)),
      libraries: libraries.filter(({ id }) => !known.known || known.all.some((library) => library.id === id)),
    };
  }

  #named(model: string | null): string | null {
    return [model, this.preferences.now.model].find((id) => this.models.some((known) => known.id === id)) ?? null;
  }

  #routed(named: string | null): boolean {
    const picks = this.modePicks;
    return named === null && picks !== null && new Set([picks.flash, picks.think, this.serverDefault ?? picks.flash]).size > 1;
  }

  #how({ model, mode, web }: AnswerSettings): AnswerOptions {
    const there = this.models.some(({ id }) => id === model);
    const wanted = mode ?? (this.#routed(this.#named(model)) ? "auto" : null);
    return { ...(model !== null && there && { model }), ...(wanted !== null && { mode: wanted }), ...(web !== null && { web }) };
  }

  #changed(id: string): void {
    if (this.api.client.key === null && !this.current.running) this.offline.keep(id);
    if (this.current.id !== id) return;
    if (location.pathname === "/") history.replaceState(null, "", `/c/${id}`);
    if (this.#missed && !this.current.running) void this.#load();
  }

  /** The list was read, and may know a newer title. */
  #entitle(): void {
    const known = this.conversations.known(this.current.id);
    if (known !== undefined) this.current.title = known.title;
  }

  /** Something changed on the server, by whose doing it may be. What we did ourselves is here already. */
  #apply(change: Change): void {
    const { conversation, kind } = change;
    const { current } = this;
    if (kind === "models") {
      void this.installedModels.refresh();
      void this.imageModels.read();
      return;
    }
    if (kind === "feeds") {
      void this.feeds.poll();
      return;
    }
    if (conversation === null) {
      void this.feeds.poll();
      void this.files.refresh();
      void this.libraries.refresh();
      if (kind === "files") return;
      void this.installedModels.refreshDownloads();
    }
    if (conversation === null && !this.#listened) {
      this.#listened = true;
      void this.#compare();
      return;
    }
    this.conversations.apply(change);
    if (kind === "finished") void this.gallery?.refresh();
    if (conversation === null) void this.#look();
    else if (conversation !== current.id) return;
    else if (kind === "removed") this.#vanish();
    else if (kind === "changed" && current.running) this.#missed = true;
    else if (current.running) return;
    else if (kind !== "finished" || current.path.at(-1)?.status === "running") void this.#load();
  }

  async #load(): Promise<void> {
    this.#missed = false;
    await this.current.load();
  }

  /** Anything may have changed, and what is shown may be gone. */
  async #look(): Promise<void> {
    const { current } = this;
    const there = !current.missing;
    await this.#load();
    if (there && current.missing && this.current === current) this.#vanish();
  }

  /** What was shown was deleted elsewhere: a new chat takes its place. */
  #vanish(): void {
    if (this.page === "chat") history.replaceState(null, "", "/");
    this.begin(false);
  }

  /** A page that is seen listens for changes; a hidden one leaves the connection to others. */
  #glance(): void {
    this.#listening?.abort();
    this.#listening = null;
    if (document.hidden) return;
    void this.preferences.refresh();
    this.#listening = new AbortController();
    const open = (signal: AbortSignal) => this.api.conversations.changes(signal);
    const onChange = (change: Change) => this.#apply(change);
    void listenForChanges({ open, onChange, connected: (live) => this.#connected(live) }, this.#listening.signal);
  }

  #connected(live: boolean): void {
    if (!live) {
      this.#lost ??= setTimeout(() => (this.connected = false), RECONNECT_GRACE_MS);
      return;
    }
    clearTimeout(this.#lost);
    this.#lost = undefined;
    this.connected = true;
  }

  /** What changed between the first reading and the first listening. */
  async #compare(): Promise<void> {
    await this.conversations.refresh();
    const { current } = this;
    const known = this.conversations.known(current.id);
    if (known !== undefined && current.loaded && !current.running && known.leaf !== current.leaf) await this.#load();
  }

  #route(): void {
    const apart = (["settings", "pictures"] as const).find((page) => location.pathname === `/${page}`);
    this.page = apart ?? "chat";
    if (apart !== undefined) {
      this.section = location.hash.slice(1);
      return;
    }
    const id = /^\/c\/([\w-]+)$/.exec(location.pathname)?.[1];
    if (location.pathname === TEMPORARY_PATH) this.#enterTemporary(false);
    else if (id === undefined) this.begin(false);
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

  /** The temporary chat of this tab, or a fresh one. */
  #enterTemporary(fresh: boolean): void {
    if (fresh || this.#temporary === null) {
      const how = (remembered: AnswerSettings) => this.#how(remembered);
      const there = async () => ({ files: [], libraries: [] });
      const around = { api: new TemporaryBackend(this.api.conversations), web: this.webSearch.last, how, there, changed: () => {} };
      this.#temporary = new Conversation({ ...around, temporary: true }, newId("conv"), false);
    }
    this.#show(this.#temporary);
    void this.#temporary.load();
  }

  #show(conversation: Conversation): void {
    if (this.current.leave()) this.#behind.set(this.current.id, this.current);
    this.target = null;
    this.source = null;
    this.current = conversation;
  }

  #askKey(wrong: boolean): Promise<string | null> {
    this.#asked ??= new Promise<string | null>((resolve) => {
      const answer = (key: string | null) => {
        this.asking = null;
        this.#asked = null;
        if (key !== null) writeStored(STORED_KEY, key, "sessionStorage");
        resolve(key);
        if (key !== null) this.#glance();
      };
      this.asking = { wrong, answer };
    });
    return this.#asked;
  }

  /** Ask again who can be asked. */
  async readModels(): Promise<void> {
    try {
      const { models, default: preferred, picks } = await this.api.models.list();
      this.models = models;
      this.modePicks = picks;
      this.serverDefault = preferred;
    } catch {
      this.models = [];
    }
    this.modelsRead = true;
  }

  get title(): string {
    if (this.page !== "chat") return `${t(this.page)} · Éclair`;
    if (this.current.temporary) return `${t("temporary")} · Éclair`;
    return this.current.title === "" ? "Éclair" : `${this.current.title} · Éclair`;
  }
}

/** "Good morning", by the clock on the wall. */
export function greeting(now: Date): string {
  const hour = now.getHours();
  if (hour >= 5 && hour < 12) return t("morning");
  return hour >= 12 && hour < 18 ? t("afternoon") : t("evening");
}
