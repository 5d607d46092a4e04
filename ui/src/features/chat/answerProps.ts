// What the three kinds of answers are shown from.

import type { AnswerOptions } from "../../api/conversations.ts";
import type { Message, ImageRequest } from "../../api/events.ts";

/** What a person can do with an answer. */
export interface AnswerActions {
  /** Show the branch through that message. */
  select(id: string): void;
  /** Answer again, with another model if one is named. */
  retry(model?: string): void;
  /** Answer again otherwise; an answer that is being written is stopped for it. */
  answerInstead(options: AnswerOptions): void;
  /** Take the answer up where it ended. */
  resume(): void;
  /** Plan the report anew, for which these questions were looked into. */
  planAgain(questions: readonly string[]): void;
  remove(): void;
}

export interface AnswerProps {
  readonly message: Message;
  /** Its versions, itself among them. */
  readonly siblings: readonly Message[];
  /** The question, and how images were wanted if they were. */
  readonly question: { readonly text: string; readonly wish: ImageRequest | null };
  /** The conversation is at work, so that nothing else can be asked. */
  readonly busy: boolean;
  /** Names of the models by id. */
  readonly models: ReadonlyMap<string, string>;
  /** The mode in which it may be answered instead, if any. */
  readonly otherMode: "flash" | "think" | null;
  readonly actions: AnswerActions;
}
