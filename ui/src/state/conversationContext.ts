// What a conversation needs from the rest of the app.

import type { AnswerOptions, AnswerSettings, ConversationBackend } from "../api/conversations.ts";
import type { Message, Web } from "../api/events.ts";

export interface ConversationContext {
  readonly api: ConversationBackend;
  /** Store nothing of it, here or on the server. */
  readonly temporary?: true;
  /** The web mode of a new chat, until the person chooses one. */
  readonly web?: Web | null;
  /** The project that a new chat is begun in. */
  readonly project?: string | null;
  /** The options for answering a message of a conversation with these settings. */
  answerOptions(settings: AnswerSettings): AnswerOptions;
  /** Why no message can be answered now; null where it can. */
  refusal?(): string | null;
  /** The files and libraries of a message that still exist. */
  existing(message: Message): Promise<Pick<Message, "files" | "libraries">>;
  /** Called when this page has changed the conversation on the server. */
  onChange(conversation: string): void;
}
