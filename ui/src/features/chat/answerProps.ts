// The properties that all kinds of answers share.

import type { AnswerOptions } from "../../api/conversations.ts";
import type { Message, ImageRequest } from "../../api/events.ts";

/** The actions on an answer. */
export interface AnswerActions {
  /** Show the branch through this message. */
  select(id: string): void;
  /** Answer again, with another model if one is named. */
  retry(model?: string): void;
  /** Answer again with other options; an answer in progress is stopped for it. */
  answerInstead(options: AnswerOptions): void;
  /** Have the answer rest on what was read so far. */
  answerNow(): void;
  /** Resume the answer where it ended. */
  resume(): void;
  /** Plan the report again, starting from these questions. */
  planAgain(questions: readonly string[]): void;
  remove(): void;
  /** Go on from here in a new conversation; null in a chat that isn't stored. */
  readonly branch: (() => void) | null;
}

export interface AnswerProps {
  readonly message: Message;
  /** Its versions, including this one. */
  readonly siblings: readonly Message[];
  /** The question, and its image options if it asked for images. */
  readonly question: { readonly text: string; readonly wish: ImageRequest | null };
  /** An answer is in progress, so nothing else can be sent. */
  readonly busy: boolean;
  /** The models' names by id. */
  readonly models: ReadonlyMap<string, string>;
  /** The mode in which it can be answered instead, if any. */
  readonly otherMode: "flash" | "think" | null;
  readonly actions: AnswerActions;
}
