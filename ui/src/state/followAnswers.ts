// Follows all answers that are being written in a conversation by one connection: a browser opens few of them at once.

import { readFrames, waitOrOnline } from "../api/connection.ts";
import type { Event, Message } from "../api/events.ts";
import { fold } from "../api/fold.ts";

const FIRST_RETRY_DELAY_MS = 200;
const MAX_RETRY_DELAY_MS = 4000;
const SHOW_INTERVAL_MS = 30;

export interface AnswersConnection {
  /** Open the stream, which begins with the first event of each answer. */
  open(signal: AbortSignal): Promise<Response>;
  /** Called when the connection is lost and when it is back. */
  onConnection(live: boolean): void;
  /** Called with the answers by id, as they stand. */
  show(answers: ReadonlyMap<string, Message>): void;
}

/** Follow the answers until all have ended, the server refuses them, or `signal` aborts; return them by id. A lost
 * connection is opened again, and every answer read from its start. */
export async function followAnswers(connection: AnswersConnection, signal: AbortSignal): Promise<ReadonlyMap<string, Message>> {
  let wait = FIRST_RETRY_DELAY_MS;
  let answers: ReadonlyMap<string, Message> = new Map();
  while (!signal.aborted) {
    try {
      answers = await readAnswers(connection, signal);
      wait = FIRST_RETRY_DELAY_MS;
      if ([...answers.values()].every(({ status }) => status !== "running" && status !== "waiting")) return answers;
    } catch (error) {
      if (error instanceof AnswersRefused) return answers;
    }
    if (signal.aborted) return answers;
    connection.onConnection(false);
    await waitOrOnline(wait, signal);
    wait = Math.min(wait * 2, MAX_RETRY_DELAY_MS);
  }
  return answers;
}

/** The server refuses the stream. */
class AnswersRefused extends Error {}

async function readAnswers({ open, onConnection, show }: AnswersConnection, signal: AbortSignal): Promise<ReadonlyMap<string, Message>> {
  const byRun = new Map<string, Message>();
  const answers = () => new Map([...byRun.values()].map((answer) => [answer.id, answer]));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const checked = async (cut: AbortSignal) => {
    const response = await open(cut);
    if (response.status >= 400 && response.status < 500 && response.status !== 429) throw new AnswersRefused();
    if (!response.ok) throw new Error(`status ${response.status}`);
    onConnection(true);
    return response;
  };
  try {
    for await (const frames of readFrames(checked, signal)) {
      for (const { event, data } of frames) {
        if (event === "reset") byRun.delete(data);
        else byRun.set(event, fold(byRun.get(event) ?? null, JSON.parse(data) as Event));
      }
      timer ??= setTimeout(() => {
        timer = undefined;
        if (!signal.aborted) show(answers());
      }, SHOW_INTERVAL_MS);
    }
  } finally {
    clearTimeout(timer);
  }
  return answers();
}
