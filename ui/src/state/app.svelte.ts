// The page: which conversation is open, the sidebar's list, dialogs, models and settings.

import { tick } from "svelte";
import { currentPath, toAddress } from "../api/address.ts";
import { Api } from "../api/api.ts";
import type { AnswerOptions, AnswerSettings, Deleted } from "../api/conversations.ts";
import type { Project } from "../api/projects.ts";
import type { Model, ModePicks } from "../api/models.ts";
import type { SessionState } from "../api/session.ts";
import { t } from "../lib/i18n/translate.ts";
import { AnswerNotifications } from "./answerNotifications.svelte.ts";
import { Account } from "./account.svelte.ts";
import { ApiKeyPrompt } from "./apiKeyPrompt.svelte.ts";
import { ServerChanges } from "./serverChanges.svelte.ts";
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
import type { ConversationContext } from "./conversationContext.ts";
import { Conversations } from "./conversations.svelte.ts";
import { Feeds } from "./feeds.svelte.ts";
import type { Gallery } from "./gallery.svelte.ts";
import { Libraries } from "./libraries.svelte.ts";
import { Toasts } from "./toasts.svelte.ts";
import { addressOf, isSettingsName, type Place, placeAt, PLACES, SETTINGS, type SettingsName } from "./places.ts";
import { Offline } from "./offline.svelte.ts";
import { Preferences } from "./preferences.svelte.ts";
import { Presence } from "./presence.svelte.ts";
import type { McpOffer } from "./mcpOffer.ts";
import { Prompts } from "./prompts.svelte.ts";
import { ReadAloud } from "./readAloud.svelte.ts";
import { Sidebar } from "./sidebar.svelte.ts";
import type { CanvasRequest } from "./canvasRequest.ts";
import type { Source } from "./source.ts";
import { StorageProblem } from "./storageProblem.svelte.ts";
import { explain } from "../lib/errors.ts";
import { clearStored } from "../lib/storage.ts";

const TEMPORARY_PATH = "/temporary";

/** The project of a new chat, as far as that needs it. */
type ProjectStart = Pick<Project, "id" | "web">;

/** The state of the browser's history for a new chat. */
interface ChatStart {
  readonly project?: ProjectStart;
}

type Page = "chat" | Place;

/** A list of commands or shortcuts over the page. */
export type Overlay = "palette" | "models" | "compare" | "shortcuts" | { readonly retry: Message };

/** A dialog over the page, and what it is about. */
export type Dialog =
  | { readonly kind: "export" | "share" | "tags"; readonly conversation: StoredConversation }
  | { readonly kind: "import" | "answers" | "mcp" }
  | { readonly kind: "project"; readonly project: Project | null }
  | { readonly kind: "move"; readonly conversations: readonly StoredConversation[] }
  | { readonly kind: "receipt"; readonly conversation: string; readonly message: string }
  | { readonly kind: "license"; readonly name: string; readonly text: string };

/** True where the sidebar is a drawer. */
function isNarrow(): boolean {
  return matchMedia("(max-width: 48rem)").matches;
}

export class App {
  readonly apiKeyPrompt: ApiKeyPrompt = new ApiKeyPrompt((key) => this.api.client.beginSession(key), () => this.#refreshVisible());
  readonly account = new Account();
  readonly api = new Api({
    key: this.apiKeyPrompt.stored,
    askKey: (wrong) => (this.account.person === null ? this.apiKeyPrompt.ask(wrong) : this.account.ask()),
    explain,
  });
  readonly changes = new ServerChanges(
    (signal) => this.api.conversations.changes(this.presence.conversation, signal),
    (change) => this.#apply(change),
  );
  readonly presence = new Presence(this.api, () => this.changes.restart());
  readonly offline = new Offline();
  readonly storage = new StorageProblem(this.api);
  readonly conversations = new Conversations(this.api, () => {
    this.#updateTitle();
    void this.conversations.projects.refresh();
  });
  readonly toasts = new Toasts();
  readonly conversationActions = new ConversationActions(this);
  /** Conversations that were left with a queue, which they go on sending. */
  readonly #background = new Map<string, Conversation>();
  readonly preferences = new Preferences(this.api, () => this.changes.restart());
  readonly installedModels = new InstalledModels(this);
  /** Reads answers aloud, one at a time. */
  readonly readAloud = new ReadAloud(this.api.speech, this.preferences);
  readonly notifications = new AnswerNotifications();
  readonly files = new FileStatuses(this.api);
  readonly libraries = new Libraries(this.api);
  readonly prompts = new Prompts(this.api);
  mcp = $state.raw<McpOffer>({ servers: [], prompts: [] });
  readonly feeds = new Feeds(this.api);
  readonly webSearch = new WebSearch(this.api);
  readonly imageModels = new ImageModels(this.api);
  /** The gallery; null until it is opened. */
  gallery: Gallery | null = null;
  readonly sidebar = new Sidebar();
  page = $state<Page>("chat");
  /** The page of the settings, or the picture, that is shown. */
  section = $state("");
  overlay = $state.raw<Overlay | null>(null);
  dialog = $state.raw<Dialog | null>(null);
  /** The research being planned. */
  research = $state.raw<Research | null>(null);
  /** The source shown next to the conversation. */
  source = $state.raw<Source | null>(null);
  /** The page beside which the source is shown. */
  sourcePage = $state<App["page"]>("chat");
  /** The canvas shown next to the conversation. */
  canvas = $state.raw<CanvasRequest | null>(null);
  /** Called with every change on the server. */
  readonly followers = new Set<(change: Change) => void>();
  /** The element that had the focus when the source or canvas was opened. */
  sourceOpener: Element | null = null;
  /** The conversation on the page. A new chat whose first message may have arrived keeps its id. */
  current = $state.raw<Conversation>(this.#newConversation());
  /** The message that a link or a search result points at. */
  target = $state<string | null>(null);
  /** The words in it that a search found. */
  matches: readonly string[] = [];
  models = $state.raw<readonly Model[]>([]);
  /** No model is installed, and no server is connected. */
  lacksModel = $state(false);
  /** The models were requested, with or without a reply. */
  modelsRead = $state(false);
  drawer = $state(false);
  /** Counts the changes of memories that are known here. */
  memoryChanges = $state(0);
  /** Counts the changes of schedules that are known here. */
  scheduleChanges = $state(0);

  /** The server's default model. */
  serverDefault = $state<string | null>(null);
  /** The models of flash and think, where the person chose none. */
  modePicks = $state.raw<ModePicks | null>(null);
  /** The model that the person chose, for this conversation or for all of them. */
  readonly chosenModel = $derived(this.#knownModel(this.current.model));
  /** The mode decides which model answers. */
  readonly isRouted = $derived(this.#modeDecides(this.chosenModel));
  /** The model that will answer, as far as that is known before the question. */
  readonly model = $derived(
    this.chosenModel ?? (this.isRouted ? this.modePicks?.[this.current.mode === "think" ? "think" : "flash"] : null) ?? this.serverDefault ?? this.models[0]?.id ?? null,
  );
  /** Why the mode can't be changed here; null where it can. */
  readonly modeUnavailable = $derived.by(() => {
    const model = this.models.find(({ id }) => id === this.model);
    if (model === undefined) return t("useThinkingNot");
    if (this.isRouted || (model.thinks !== "never" && model.thinks !== "always")) return null;
    return t(model.thinks === "never" ? "modeNever" : "modeAlways", { model: model.name });
  });

  /** The first event of the first connection has come; it announces nothing new. */
  #changesBegun = false;
  /** The conversation changed elsewhere while its answer was written here. */
  #missedChange = false;
  /** This tab's temporary chat, which the browser's back button can return to. */
  #temporary: Conversation | null = null;
  /** The research that was planned last and not begun. */
  #planned: Research | null = null;

  start(): void {
    this.api.client.onResponse = (response) => {
      this.offline.note(response);
      this.storage.note(response);
    };
    this.offline.start();
    addEventListener("storage", () => this.current.queue.refresh());
    addEventListener("popstate", () => this.#route());
    addEventListener("beforeunload", (event) => {
      if ((this.#temporary?.path.length ?? 0) > 0) event.preventDefault(); // it is in this tab's memory alone
    });
    document.addEventListener("visibilitychange", () => this.#refreshVisible());
    this.#route();
    void this.#refreshPreferences();
    void this.conversations.refresh();
    void this.conversations.readTags();
    this.changes.restart();
    void this.readModels();
    void this.imageModels.read();
  }

  /** True where the server let this browser in for a key. */
  get hasKey(): boolean {
    return this.api.client.key !== null;
  }

  /** Sign this browser out, and have it forget a person's texts and settings, or the key. */
  async signOut(): Promise<void> {
    const { client } = this.api;
    const begun = this.account.person === null ? null : await client.call<SessionState>("GET", "/api/session");
    await client.signOut();
    this.apiKeyPrompt.forget();
    if (begun === null) return location.reload();
    clearStored();
    location.assign(toAddress(begun.sign_out ?? "/"));
  }

  /** Begin a new chat; `push` adds a step to the browser's history. */
  begin(push = true): void {
    if (this.preferences.temporaryOnly) return this.beginTemporary();
    this.drawer = false;
    if (push) {
      this.page = "chat";
      if (currentPath() !== "/") history.pushState(null, "", toAddress("/"));
      else history.replaceState(null, "");
    }
    this.#show(this.#newConversation());
  }

  /** Begin a new chat in a project, to which a reload and the browser's back button come back. */
  beginIn({ id, web }: ProjectStart): void {
    this.begin();
    if (this.current.temporary) return;
    history.replaceState({ project: { id, web } } satisfies ChatStart, "");
    this.#beginAgain();
  }

  /** Show the new chat that the browser's history has: in a project, if it was begun there. */
  #beginAgain(): void {
    const project = (history.state as ChatStart | null)?.project;
    if (project !== undefined) this.#show(this.#conversation(newConversationId(), false, project));
  }

  open(id: string, message: string | null = null): void {
    this.drawer = false;
    this.page = "chat";
    const hash = message === null ? "" : `#${message}`;
    if (currentPath() !== `/c/${id}` || location.hash !== hash) history.pushState(null, "", toAddress(`/c/${id}${hash}`));
    this.#enter(id, message);
  }

  /** Go on from a message of the open conversation in a new one, which begins with a copy of the thread up to it. */
  async branch(message: string): Promise<void> {
    const { id, title } = this.current;
    const made = await this.api.conversations.branch(id, message, t("branchTitle", { title: title || t("untitled") }));
    this.open(made.id);
  }

  /** Begin a chat that isn't stored. */
  beginTemporary(): void {
    this.drawer = false;
    this.page = "chat";
    if (currentPath() !== TEMPORARY_PATH) history.pushState(null, "", toAddress(TEMPORARY_PATH));
    this.#enterTemporary(true);
  }

  async remove(id: string): Promise<void> {
    await this.conversations.remove(id);
    if (this.current.id === id) this.begin();
  }

  async removeAll(forever: boolean): Promise<Deleted> {
    const deleted = await this.conversations.removeAll(forever);
    if (!this.current.temporary) this.#show(this.#newConversation());
    return deleted;
  }

  async rename(id: string, title: string): Promise<void> {
    await this.conversations.change(id, { title });
    if (this.current.id === id) this.current.title = title;
  }

  /** Choose the model for this conversation; null leaves the choice to the mode. */
  chooseModel(model: string | null): void {
    void this.current.changeSettings({ model });
  }

  /** Choose the model for this conversation and, unless it is temporary, for new ones. */
  rememberModel(model: string | null): void {
    this.chooseModel(model);
    if (!this.current.temporary) this.preferences.change({ model });
  }

  /** Choose flash, auto or think for this conversation. With one model, auto is that model's default. */
  setMode(mode: Mode): void {
    void this.current.changeSettings({ mode: mode === "auto" && !this.isRouted ? null : mode });
  }

  /** Choose the web mode for this conversation and, unless it is temporary, for new ones. `announce` where no control
   * shows the change. */
  setWeb(web: Web, announce = false): void {
    void this.current.changeSettings({ web });
    void this.webSearch.choose(this.current, web, announce);
  }

  /** Plan a research on a topic, or on the composer's text. A plan that was left is resumed. */
  planResearch(topic?: string, repeated: RepeatedResearch | null = null): void {
    const { current } = this;
    const request = topic ?? parseResearchCommand(current.draft) ?? current.draft.trim();
    const left = this.#planned;
    if (left === null || left.conversation !== current || left.request.trim() !== request || repeated !== null) {
      const options = () => this.#answerOptions({ ...current.settings, model: current.nextModel ?? current.model, web: null });
      this.#planned = new Research(this.api, current, options, request, repeated);
    }
    this.research = this.#planned;
  }

  /** Close the plan, which has begun or is left for now. */
  closeResearch(begun: boolean): void {
    this.research?.leave();
    this.research = null;
    if (begun) this.#planned = null;
  }

  /** Choose the model for all conversations; null leaves the choice to the server. */
  setDefaultModel(model: string | null): void {
    this.preferences.change({ model });
  }

  /** Open the settings, at a page if one is named. */
  openSettings(page: SettingsName | "" = ""): void {
    this.openPlace("settings", page);
  }

  /** Open the gallery, at a picture if one is named. */
  openPictures(picture = ""): void {
    this.openPlace("pictures", picture);
  }

  openPlace(place: Place, section = ""): void {
    this.drawer = false;
    this.page = place;
    this.section = section;
    const address = addressOf({ place, section });
    if (currentPath() + location.hash !== address) history.pushState(null, "", toAddress(address));
  }

  /** Go back to the conversation. */
  leavePlace(): void {
    this.page = "chat";
    history.pushState(null, "", toAddress(this.current.stored ? `/c/${this.current.id}` : "/"));
  }

  /** Ask the person to accept the license of a model before it is downloaded. */
  askLicense(name: string, text: string): void {
    this.dialog = { kind: "license", name, text };
  }

  /** Show a source next to the conversation, or to the page where it was found; null closes it. */
  showSource(source: Source | null): void {
    if (source !== null) this.sourceOpener = document.activeElement;
    this.sourcePage = this.page;
    this.source = source;
  }

  /** Show a canvas next to the conversation; null closes it. */
  showCanvas(canvas: CanvasRequest | null): void {
    if (canvas !== null) this.sourceOpener = document.activeElement;
    this.source = null;
    this.canvas = canvas;
  }

  /** Focus the search field, which is in the drawer on a small screen. */
  async focusSearch(): Promise<void> {
    this.drawer = isNarrow();
    if (this.sidebar.hidden && !this.drawer) await this.sidebar.toggle();
    await tick();
    document.getElementById("search")?.focus();
  }

  /** Show or hide the sidebar, which is a drawer on a small screen. */
  async toggleSidebar(): Promise<void> {
    if (isNarrow()) this.drawer = !this.drawer;
    else await this.sidebar.toggle();
  }

  #newConversation(): Conversation {
    return this.#conversation(newConversationId(), false);
  }

  #conversation(id: string, stored: boolean, project: ProjectStart | null = null): Conversation {
    const background = this.#background.get(id);
    this.#background.delete(id);
    if (background !== undefined) return background;
    const context: ConversationContext = {
      api: this.api.conversations,
      web: project?.web ?? this.webSearch.last,
      project: project?.id ?? null,
      answerOptions: (settings) => this.#answerOptions(settings),
      refusal: () => (this.lacksModel ? t("firstNone") : null),
      existing: (message) => this.#existing(message),
      onChange: (conversation) => this.#onOwnChange(conversation),
    };
    return new Conversation(context, id, stored);
  }

  async #existing({ files, libraries }: Message): Promise<Pick<Message, "files" | "libraries">> {
    const existing = await this.files.existing(files.map(({ id }) => id));
    const { all, known } = this.libraries;
    return {
      files: files.filter(({ id }) => existing.includes(id)),
      libraries: libraries.filter(({ id }) => !known || all.some((library) => library.id === id)),
    };
  }

  /** This model or else the preferred one, if it can answer. */
  #knownModel(model: string | null): string | null {
    const { project } = this.current;
    const ofProject = this.conversations.projects.all.find(({ id }) => id === project)?.model ?? null;
    return [model, ofProject, this.preferences.now.model].find((id) => this.models.some((known) => known.id === id)) ?? null;
  }

  #modeDecides(chosen: string | null): boolean {
    const picks = this.modePicks;
    return chosen === null && picks !== null && picks.flash !== picks.think;
  }

  #answerOptions(settings: AnswerSettings): AnswerOptions {
    const { model } = settings;
    const available = this.models.some(({ id }) => id === model);
    const mode = settings.mode ?? (this.#modeDecides(this.#knownModel(model)) ? "auto" : null);
    const options = { ...settings, model: available ? model : null, mode };
    return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null));
  }

  /** This page has changed a conversation on the server. */
  #onOwnChange(id: string): void {
    if (this.api.client.key === null && !this.current.running) this.offline.keep(id);
    if (this.current.id !== id) return;
    if (currentPath() === "/") history.replaceState(null, "", toAddress(`/c/${id}`));
    if (this.#missedChange && !this.current.running) void this.#load();
  }

  /** Take the title from the list, which may be newer. */
  #updateTitle(): void {
    const known = this.conversations.known(this.current.id);
    if (known !== undefined) this.current.title = known.title;
  }

  /** Apply a change on the server, which may be this page's own. */
  #apply(change: Change): void {
    const { conversation, kind } = change;
    const { current } = this;
    for (const follow of this.followers) follow(change);
    if (kind === "presence" || (kind === "changed" && conversation === null)) this.presence.refresh();
    if (kind === "presence" || kind === "canvases" || kind === "assistants" || kind === "skills") return;
    if (kind === "models") {
      void this.installedModels.refresh();
      void this.imageModels.read();
      return;
    }
    if (kind === "projects") {
      void this.conversations.projects.refresh();
      return;
    }
    if (kind === "memories") {
      this.memoryChanges += 1;
      return;
    }
    if (kind === "schedules") {
      this.scheduleChanges += 1;
      if (conversation === null) return;
      this.conversations.apply({ conversation, kind: "changed" });
      void import("./scheduleNotices.ts").then(({ tellOf }) => tellOf(this, conversation));
      return;
    }
    if (kind === "prompts") {
      void this.prompts.refresh();
      return;
    }
    if (kind === "announcements" || conversation === null) this.account.announcements += 1;
    if (kind === "announcements") return;
    if (kind === "feeds") {
      void this.feeds.poll();
      return;
    }
    if (conversation === null) {
      void this.storage.refresh();
      void this.feeds.poll();
      void this.files.refresh();
      void this.libraries.refresh();
      void this.prompts.refresh();
      if (kind === "files") return;
      void this.installedModels.refreshDownloads();
    }
    if (conversation === null && !this.#changesBegun) {
      this.#changesBegun = true;
      void this.#catchUp();
      return;
    }
    this.conversations.apply(change);
    if (kind === "finished") void this.gallery?.refresh();
    if (conversation === null) void this.#reload();
    else if (conversation !== current.id) return;
    else if (kind === "removed") this.#replaceDeleted();
    else if (kind === "changed" && current.running) this.#missedChange = true;
    else if (current.running) return;
    else if (kind !== "finished" || current.path.at(-1)?.status === "running") void this.#load();
  }

  async #load(): Promise<void> {
    this.#missedChange = false;
    await this.current.load();
  }

  /** Reload the conversation, which may have changed or been deleted. */
  async #reload(): Promise<void> {
    const { current } = this;
    const existed = !current.missing;
    await this.#load();
    if (existed && current.missing && this.current === current) this.#replaceDeleted();
  }

  /** The conversation was deleted elsewhere: show a new chat in its place. */
  #replaceDeleted(): void {
    if (this.page === "chat") history.replaceState(null, "", toAddress("/"));
    this.begin(false);
  }

  /** Reconnect and bring the preferences up to date; a hidden page only disconnects. */
  #refreshVisible(): void {
    if (!document.hidden) void this.#refreshPreferences();
    this.changes.restart();
  }

  async #refreshPreferences(): Promise<void> {
    await this.preferences.refresh();
    this.#obeyTemporaryOnly();
  }

  /** Make a new chat a temporary one, with what was written for it, where no other is allowed. */
  #obeyTemporaryOnly(): void {
    const { temporary, stored, draft } = this.current;
    if (!this.preferences.temporaryOnly || temporary || stored) return;
    this.#enterTemporary(true);
    this.current.write(draft);
    if (this.page === "chat") history.replaceState(null, "", toAddress(TEMPORARY_PATH));
  }

  /** Load what changed between the first request and the first connection. */
  async #catchUp(): Promise<void> {
    await this.conversations.refresh();
    const { current } = this;
    const known = this.conversations.known(current.id);
    if (known !== undefined && current.loaded && !current.running && known.leaf !== current.leaf) await this.#load();
  }

  #route(): void {
    const found = placeAt(currentPath(), location.hash);
    this.page = found?.place ?? "chat";
    if (found !== null) {
      this.section = found.section;
      const address = addressOf(found);
      if (currentPath() + location.hash !== address) history.replaceState(null, "", toAddress(address));
      return;
    }
    const id = /^\/c\/([\w-]+)$/.exec(currentPath())?.[1];
    if (currentPath() === TEMPORARY_PATH) this.#enterTemporary(false);
    else if (id === undefined) {
      this.begin(false);
      if (!this.current.temporary) this.#beginAgain();
    }
    else this.#enter(id, location.hash.slice(1) || null);
  }

  #enter(id: string, message: string | null): void {
    if (this.current.id !== id || !this.current.stored) this.#show(this.#conversation(id, true));
    const conversation = this.current;
    void conversation.load().then(async () => {
      if (message === null || this.current !== conversation) return;
      const shown = conversation.path.some(({ id: other }) => other === message);
      if (!shown && conversation.messages.has(message)) await conversation.select(message);
      this.target = message;
    });
  }

  /** Show this tab's temporary chat, or a new one. */
  #enterTemporary(isNew: boolean): void {
    if (isNew || this.#temporary === null) {
      const context: ConversationContext = {
        api: new TemporaryBackend(this.api.conversations),
        temporary: true,
        answerOptions: (settings) => this.#answerOptions(settings),
        refusal: () => (this.lacksModel ? t("firstNone") : null),
        existing: async () => ({ files: [], libraries: [] }),
        onChange: () => {},
      };
      this.#temporary = new Conversation(context, newId("conv"), false);
    }
    this.#show(this.#temporary);
    void this.#temporary.load();
  }

  #show(conversation: Conversation): void {
    if (this.current.leave()) this.#background.set(this.current.id, this.current);
    this.target = null;
    this.source = this.canvas = null;
    this.current = conversation;
  }

  /** Read which models can answer. */
  async readModels(): Promise<void> {
    try {
      const { models, default: preferred, picks } = await this.api.models.list();
      const successor = this.serverDefault !== null && preferred !== this.serverDefault ? models.find(({ id }) => id === preferred) : undefined;
      this.models = models;
      this.modePicks = picks;
      this.serverDefault = preferred;
      this.lacksModel = models.every(isPlaceholder);
      if (!this.lacksModel && this.current.error === t("firstNone")) this.current.error = null;
      if (successor !== undefined) this.toasts.show(t("betterAnswers", { name: successor.name }));
    } catch {
      this.models = [];
    }
    this.modelsRead = true;
  }

  /** The name of the page beside the conversation, or of the conversation. */
  get heading(): string {
    if (this.page === "settings" && isSettingsName(this.section)) return t(SETTINGS[this.section]);
    if (this.page !== "chat") return t(PLACES[this.page]);
    return this.current.temporary ? t("temporary") : this.current.title || "Éclair";
  }

  get title(): string {
    if (this.page !== "chat") return `${this.heading} · Éclair`;
    if (this.current.temporary) return `${t("temporary")} · Éclair`;
    return this.current.title === "" ? "Éclair" : `${this.current.title} · Éclair`;
  }
}

/** The starter model is listed before it is installed. */
function isPlaceholder({ engine, size }: Model): boolean {
  return engine === "embedded" && size === null;
}
