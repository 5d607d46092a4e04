// All actions in one place: the command palette, the shortcuts and the composer's commands are made from them.

import { toAddress } from "../api/address.ts";
import { newId } from "../lib/ids.ts";
import { type PlainKey, t } from "../lib/i18n/translate.ts";
import type { Message, Mode, Web } from "../api/events.ts";
import type { App } from "./app.svelte.ts";
import { switchDrawing } from "./imageActions.ts";
import { nextWebMode } from "./webSearch.svelte.ts";

export interface Action {
  readonly id: string;
  readonly label: PlainKey;
  /** Its default keys, in the notation of shortcuts.ts. */
  readonly keys?: string;
  /** The composer offers it as `/id`. */
  readonly slash?: true;
  run(app: App): void | Promise<unknown>;
  enabled(app: App): boolean;
}

/** The labels of the modes. */
export const MODE_LABELS: Readonly<Record<Mode, PlainKey>> = { flash: "modeFlash", auto: "modeAuto", think: "modeThink" };

/** The kinds of a new canvas, by the language that each begins with. */
export const CANVAS_KINDS: Readonly<Record<string, PlainKey>> = { markdown: "asText", python: "pythonCode", html: "asHtml", mermaid: "diagram" };

/** The labels of the web modes. */
export const WEB_LABELS: Readonly<Record<Web, PlainKey>> = { off: "webOff", auto: "webAuto", on: "webOn" };

const always = () => true;
const isKept = (app: App) => app.page === "chat" && app.conversations.known(app.current.id) !== undefined;
const answered = (app: App) => app.page === "chat" && !app.current.running && lastAnswer(app) !== null;

export const ACTIONS: readonly Action[] = [
  { id: "palette", label: "palette", keys: "Mod+K", run: (app) => void (app.overlay = "palette"), enabled: always },
  { id: "new", label: "newChat", keys: "Mod+Shift+O", slash: true, run: (app) => app.begin(), enabled: always },
  { id: "search", label: "search", keys: "Mod+Shift+F", run: (app) => app.focusSearch(), enabled: always },
  { id: "sidebar", label: "toggleSidebar", keys: "Mod+Shift+S", run: (app) => app.toggleSidebar(), enabled: always },
  {
    id: "write",
    label: "toComposer",
    keys: "Shift+Escape",
    run: () => document.getElementById("composer")?.focus(),
    enabled: (app) => app.page === "chat",
  },
  {
    id: "stop",
    label: "stop",
    keys: "Escape",
    slash: true,
    run: (app) => (app.readAloud.active ? app.readAloud.stop() : app.current.stop()),
    enabled: (app) => app.page === "chat" && (app.current.running || app.readAloud.active),
  },
  {
    id: "speak",
    label: "speak",
    keys: "Mod+Shift+L",
    slash: true,
    run: (app) => withAnswer(app, ({ id }) => (app.readAloud.active ? app.readAloud.stop() : app.readAloud.start(app.current, id))),
    enabled: (app) => app.page === "chat" && lastAnswer(app) !== null,
  },
  {
    id: "dictate",
    label: "dictate",
    keys: "Mod+Shift+D",
    slash: true,
    run: () => document.getElementById("dictate")?.click(),
    enabled: (app) => app.page === "chat",
  },
  {
    id: "voice",
    label: "voiceTalk",
    slash: true,
    run: () => document.getElementById("voice")?.click(),
    enabled: (app) => app.page === "chat",
  },
  {
    id: "retry",
    label: "retry",
    slash: true,
    run: (app) => withAnswer(app, (answer) => app.current.retry(answer)),
    enabled: answered,
  },
  {
    id: "copy",
    label: "copy",
    keys: "Mod+Shift+C",
    run: (app) => withAnswer(app, (answer) => navigator.clipboard.writeText(textOf(answer))),
    enabled: answered,
  },
  {
    id: "model",
    label: "chooseModel",
    slash: true,
    run: (app) => void (app.overlay = "models"),
    enabled: always,
  },
  {
    id: "compare",
    label: "compareModels",
    run: (app) => void (app.overlay = "compare"),
    enabled: (app) => app.page === "chat" && app.models.length > 1 && !app.current.temporary,
  },
  {
    id: "answers",
    label: "answerSettings",
    slash: true,
    run: (app) => void (app.dialog = { kind: "answers" }),
    enabled: (app) => app.page === "chat",
  },
  {
    id: "mcp",
    label: "mcpServers",
    slash: true,
    run: (app) => void (app.dialog = { kind: "mcp" }),
    enabled: (app) => app.page === "chat",
  },
  ...(["flash", "auto", "think"] as const).map((mode) => ({
    id: mode,
    label: MODE_LABELS[mode],
    slash: true as const,
    run: (app: App) => app.setMode(mode),
    enabled: (app: App) => app.page === "chat" && app.modeUnavailable === null,
  })),
  {
    id: "web",
    label: "useWeb",
    keys: "Mod+/",
    slash: true,
    run: (app) => app.setWeb(nextWebMode(app.current.web), true),
    enabled: (app) => app.page === "chat",
  },
  {
    id: "research",
    label: "research",
    slash: true,
    run: (app) => app.planResearch(),
    enabled: (app) => app.page === "chat" && !app.current.temporary,
  },
  {
    id: "draw",
    label: "useImage",
    slash: true,
    run: (app) => switchDrawing(app),
    enabled: (app) => app.page === "chat" && !app.current.temporary && app.imageModels.ready.length > 0,
  },
  ...([["canvas", "canvasNew", "markdown"], ["code", "canvasCode", "python"], ["webpage", "canvasPage", "html"], ["diagram", "canvasDiagram", "mermaid"]] as const).map(
    ([id, label, language]) => ({
      id,
      label,
      slash: true as const,
      run: (app: App) => openNewCanvas(app, language),
      enabled: (app: App) => app.page === "chat" && !app.current.missing && whyNoCanvas(app) === null,
    }),
  ),
  { id: "assistants", label: "assistants", run: (app) => app.openPlace("assistants"), enabled: always },
  { id: "libraries", label: "libraries", run: (app) => app.openPlace("libraries"), enabled: always },
  { id: "news", label: "news", run: (app) => app.openPlace("news"), enabled: always },
  { id: "pictures", label: "pictures", slash: true, run: (app) => app.openPictures(), enabled: always },
  { id: "usage", label: "usage", run: (app) => app.openPlace("usage"), enabled: always },
  { id: "connections", label: "egress", run: (app) => app.openPlace("connections"), enabled: always },
  { id: "admin", label: "administration", run: (app) => app.openPlace("admin"), enabled: (app) => app.account.oversees },
  { id: "theme", label: "switchTheme", run: (app) => app.preferences.switchTheme(), enabled: always },
  { id: "temporary", label: "temporary", slash: true, run: (app) => app.beginTemporary(), enabled: always },
  { id: "import", label: "importing", slash: true, run: (app) => void (app.dialog = { kind: "import" }), enabled: always },
  { id: "export", label: "exportIt", slash: true, run: (app) => ask(app, "export"), enabled: isKept },
  { id: "share", label: "shareIt", slash: true, run: (app) => ask(app, "share"), enabled: isKept },
  { id: "settings", label: "settings", keys: "Mod+,", slash: true, run: (app) => app.openSettings(), enabled: always },
  { id: "made", label: "madeTitle", run: () => location.assign(toAddress("/made")), enabled: always },
  { id: "shortcuts", label: "shortcuts", keys: "?", run: (app) => void (app.overlay = "shortcuts"), enabled: always },
];

/** Why the open conversation has no canvases; null where it can have them. */
export function whyNoCanvas({ current }: App): string | null {
  return current.temporary ? t("canvasTemporary") : null;
}

/** Open an empty canvas of the person's own beside the conversation. */
export function openNewCanvas(app: App, language: string): void {
  app.showCanvas({ conversation: app.current.id, canvas: { title: t("canvas"), language, text: "", author: "person" }, key: newId("msg") });
}

function ask(app: App, kind: "export" | "share"): void {
  const conversation = app.conversations.known(app.current.id);
  if (conversation !== undefined) app.dialog = { kind, conversation };
}

/** The current keys of an action; "" where it has none. */
export function keysFor(action: Action, chosen: Readonly<Record<string, string>>): string {
  return chosen[action.id] ?? action.keys ?? "";
}

/** The action that these keys run. */
export function actionFor(keys: string, chosen: Readonly<Record<string, string>>): Action | undefined {
  return keys === "" ? undefined : ACTIONS.find((action) => keysFor(action, chosen) === keys);
}

function lastAnswer(app: App): Message | null {
  const last = app.current.path.at(-1);
  return last?.role === "assistant" ? last : null;
}

function withAnswer(app: App, action: (answer: Message) => void | Promise<void>): void | Promise<void> {
  const answer = lastAnswer(app);
  if (answer !== null) return action(answer);
}

function textOf(message: Message): string {
  return message.parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n\n");
}
