// Sends the turns of a conversation. A new message is shown at once, and sent again while only the connection fails.

import { ApiError } from "../api/client.ts";
import type { AcceptedTurn, AnswerSettings, ImageOptions, Turn } from "../api/conversations.ts";
import type { Attachment, LibraryName, Message, Mode, Web } from "../api/events.ts";
import type { Messages } from "../lib/messageTree.ts";
import type { DraftContent } from "./composerDraft.svelte.ts";
import type { ConversationContext } from "./conversationContext.ts";
import type { SendOutcome } from "./queueSender.svelte.ts";

const RETRY_DELAYS_MS = [400, 1200];

/** A message on its way: shown, but not yet accepted. */
export interface OutgoingMessage {
  readonly id: string;
  readonly text: string;
  readonly files: readonly Attachment[];
  readonly libraries: readonly LibraryName[];
  readonly parent: string | null;
  readonly model?: string;
  /** The models that answer it side by side, and whether their names are hidden. */
  readonly models?: readonly string[];
  readonly blind?: boolean;
  /** The options of the images that it asks for. */
  readonly draw?: ImageOptions;
  /** The questions of the report that it asks for. */
  readonly research?: readonly string[];
  /** Overrides the conversation's choice of searching the web. */
  readonly web?: Web;
}

/** The conversation whose turns are sent. */
export interface TurnHost {
  readonly id: string;
  readonly stored: boolean;
  readonly project: string | null;
  readonly settings: AnswerSettings;
  /** The answers are for a conversation by voice. */
  readonly spoken: boolean;
  readonly mcpServers: Readonly<Record<string, boolean>>;
  readonly messages: Messages;
  readonly assistant: string | null;
  readonly running: boolean;
  error: string | null;
  /** Show why a call failed. */
  showError(error: unknown): void;
  load(): Promise<void>;
  stop(): Promise<void>;
}

/** What becomes of a turn. */
export interface TurnCallbacks {
  /** The server took it; `message` is null unless the turn brought a new one. */
  onAccepted(turn: AcceptedTurn, message: OutgoingMessage | null): void;
  /** The server took or refused the message with this id, so that the id isn't needed again. */
  onAnswered(id: string): void;
}

export class TurnSender {
  outgoing = $state.raw<OutgoingMessage | null>(null);
  /** A turn without a new message is on its way. */
  #requesting = $state(false);
  /** The answer that was requested last, and its mode. */
  #latest = $state.raw<{ readonly answer: string; readonly mode: Mode | null } | null>(null);
  #stopRequested = false;
  readonly sending = $derived(this.outgoing !== null || this.#requesting);
  readonly #host: TurnHost;
  readonly #context: ConversationContext;
  readonly #callbacks: TurnCallbacks;

  constructor(host: TurnHost, context: ConversationContext, callbacks: TurnCallbacks) {
    this.#host = host;
    this.#context = context;
    this.#callbacks = callbacks;
  }

  /** The mode in which an answer was requested, as far as this page knows. */
  modeOf({ id }: Message): Mode | null {
    return this.#latest?.answer === id ? this.#latest.mode : this.#host.settings.mode;
  }

  /** Stop the answer as soon as the turn on its way is accepted. */
  requestStop(): void {
    this.#stopRequested = this.#host.running;
  }

  async sendMessage(outgoing: OutgoingMessage): Promise<SendOutcome> {
    this.#stopRequested = false;
    this.outgoing = outgoing;
    this.#host.error = null;
    try {
      await retryLost(() => this.#send(toTurn(outgoing), outgoing));
      this.#callbacks.onAnswered(outgoing.id);
      return "accepted";
    } catch (error) {
      const lost = error instanceof ApiError && error.isLost;
      if (!lost) this.#callbacks.onAnswered(outgoing.id);
      await this.#fail(error);
      return lost ? "lost" : "refused";
    } finally {
      this.outgoing = null;
    }
  }

  /** Request another answer, or the rest of one. */
  async requestAnswer(turn: Turn): Promise<void> {
    if (this.#host.running) return;
    this.#host.error = null;
    this.#stopRequested = false;
    this.#requesting = true;
    try {
      await this.#send(turn, null);
    } catch (error) {
      await this.#fail(error);
    } finally {
      this.#requesting = false;
    }
  }

  async #send(turn: Turn, outgoing: OutgoingMessage | null): Promise<void> {
    const { id, stored, project, assistant, settings, messages, mcpServers, spoken } = this.#host;
    const { api } = this.#context;
    const drawn = "draw" in turn || ("retry" in turn && messages.get(turn.retry)?.wish != null);
    const { model, ...options } = this.#context.answerOptions(settings);
    const chosen = model === undefined || "models" in turn ? {} : { model };
    const servers = Object.keys(mcpServers).length === 0 ? {} : { mcp_servers: mcpServers };
    const aloud = spoken ? { spoken } : {};
    const request: Turn = drawn ? turn : { ...options, ...chosen, ...servers, ...aloud, ...turn };
    const accepted = await (stored ? api.turn(id, request) : api.begin(id, request, settings, { project, assistant }));
    this.#latest = { answer: accepted.answer, mode: request.mode ?? null };
    this.outgoing = null;
    this.#callbacks.onAccepted(accepted, outgoing);
    if (this.#stopRequested) await this.#host.stop();
  }

  /** Show why a turn failed. If another run holds the conversation, show that run too. */
  async #fail(error: unknown): Promise<void> {
    this.outgoing = null;
    this.#host.showError(error);
    if (!(error instanceof ApiError) || error.run === null) return;
    await this.#host.load();
    this.#host.showError(error);
  }
}

export function outgoingMessage(id: string, { text, files, libraries, model, compare, draw }: DraftContent, parent: string | null): OutgoingMessage {
  const options = draw !== undefined ? { draw } : (compare ?? (model === undefined ? {} : { model }));
  return { id, text, files, libraries, parent, ...options };
}

function toTurn({ files, libraries, ...message }: OutgoingMessage): Turn {
  const ids = (items: readonly { readonly id: string }[]) => items.map(({ id }) => id);
  return { ...message, ...(files.length > 0 && { files: ids(files) }), ...(libraries.length > 0 && { libraries: ids(libraries) }) };
}

/** Retry, with the same ids, while only the connection fails. */
async function retryLost(action: () => Promise<void>): Promise<void> {
  for (const delay of RETRY_DELAYS_MS) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof ApiError && error.isLost)) throw error;
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
  return action();
}
