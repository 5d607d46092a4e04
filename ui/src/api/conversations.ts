// Conversations, their messages, and the runs that write answers.

import { toAddress } from "./address.ts";
import type { Conversation, Message } from "./events.ts";
import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

/** A page of the list; `next` is where the next one begins. Pinned conversations are on the first page. */
export type ConversationPage = Reply<"/api/conversations", "get">;

/** Which conversations are listed, newest first. */
export interface ConversationQuery {
  readonly archived: boolean;
  readonly tag: string | null;
  readonly project?: string;
  readonly before?: string;
  readonly limit: number;
}

/** Conversations deleted together: how many, and the moment that identifies the deletion. */
export type Deleted = Reply<"/api/conversations", "delete">;

/** Progress of erasing deleted conversations. */
export type ErasureStatus = Reply<"/api/erasure", "get">;

/** For how long conversations are kept, and what a limit would erase now. */
export type KeptResponses = Reply<"/api/responses", "get">;
/** The server reads ahead for drafts, so they are sent while they are written. */
export type PrefillReply = Reply<"/api/prefill", "post", 202>;
export type Retention = Reply<"/api/retention", "get">;

export type ExportSize = Reply<"/api/export/size", "get">;

export type TagCount = Reply<"/api/conversations/tags", "get">["tags"][number];

/** A conversation with all its messages; `running` is its run in progress. */
export type MessageTree = Omit<Reply<"/api/conversations/{id}", "get">, "messages"> & { readonly messages: readonly Message[] };

/** What can be changed about a conversation. */
export type ConversationChanges = Body<"/api/conversations/{id}", "patch">;

/** The settings for answers that a conversation stores. */
export type AnswerSettings = Pick<Conversation, "model" | "mode" | "web" | "temperature" | "max_tokens" | "system" | "memory">;

export const NO_SETTINGS: AnswerSettings = { model: null, mode: null, web: null, temperature: null, max_tokens: null, system: null, memory: null };

/** Options of one answer; what is missing falls back to the defaults. */
export type AnswerOptions = { readonly [K in keyof AnswerSettings]?: NonNullable<AnswerSettings[K]> } & { readonly thorough?: boolean; readonly spoken?: boolean; readonly mcp_servers?: Readonly<Record<string, boolean>> };

type TurnBody = Body<"/api/conversations/{id}/turns", "post">;

/** Options of the images that a message asks for; what is missing is left to the model. */
export type ImageOptions = { readonly [K in keyof ImageRequest]?: NonNullable<ImageRequest[K]> };

type ImageRequest = Extract<TurnBody["draw"], object>;

/** The results of a search: names of conversations, files and libraries, messages, and passages of a project’s files. */
export type Found = Reply<"/api/search", "get">;

/** A message with its files and libraries by id; `research` holds the questions of a report. */
type NewMessage = { readonly id: string; readonly text: string; readonly parent: string | null } & {
  readonly [K in "files" | "libraries" | "research" | "models" | "blind"]?: NonNullable<TurnBody[K]>;
} & { readonly draw?: ImageOptions };

/** A turn: a new message, another answer to one, or the rest of an answer. */
export type Turn = AnswerOptions & (NewMessage | { readonly retry: string } | { readonly continue: string });

/** A turn that has begun: its run, its message and the id of the answer. */
export type AcceptedTurn = Omit<StartedTurn, "message" | "conversation" | "beside"> & { readonly message: string } & Partial<Pick<StartedTurn, "beside">>;

type StartedTurn = Reply<"/api/conversations/{id}/turns", "post", 202>;

/** A turn of a chat that isn't stored: all messages so far, and the options of the answer. */
export interface UnstoredTurn extends AnswerOptions {
  readonly messages: Body<"/api/answers", "post">["messages"];
  readonly assistant_id: string | null;
}

/** The project and the assistant with which a conversation begins. */
export interface ConversationStart {
  readonly project: string | null;
  readonly assistant: string | null;
}

export type ExportFormat = "markdown" | "json" | "html" | "docx" | "pdf";

/** What a conversation needs of the server; a temporary chat implements it in the page. */
export type ConversationBackend = Pick<ConversationCalls, "get" | "change" | "turn" | "begin" | "removeMessage" | "stop" | "answerNow" | "events" | "prefill" | "switchMcpServer"> & Partial<Pick<ConversationCalls, "allEvents" | "keep" | "add">>;

export class ConversationCalls extends Resource {
  list({ archived, tag, project, before, limit }: ConversationQuery): Promise<ConversationPage> {
    const query = new URLSearchParams({ archived: String(archived), limit: String(limit) });
    if (tag !== null) query.set("tag", tag);
    if (project !== undefined) query.set("project_id", project);
    if (before !== undefined) query.set("before", before);
    return this.client.call("GET", `/api/conversations?${query}`);
  }

  tags(): Promise<{ tags: readonly TagCount[] }> {
    return this.client.call("GET", "/api/conversations/tags");
  }

  get(id: string): Promise<MessageTree> {
    return this.client.call("GET", `/api/conversations/${id}`);
  }

  change(id: string, changes: ConversationChanges): Promise<Conversation> {
    return this.client.call("PATCH", `/api/conversations/${id}`, changes);
  }

  /** Copy the thread that ends with a message into a new conversation. */
  branch(conversation: string, message: string, title: string): Promise<Conversation> {
    return this.client.call("POST", `/api/conversations/${conversation}/branch`, { message, title });
  }

  /** Delete the message with everything below it. */
  removeMessage(conversation: string, message: string): Promise<Conversation> {
    return this.client.call("DELETE", `/api/conversations/${conversation}/messages/${message}`);
  }

  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/conversations/${id}`);
  }

  restore(id: string): Promise<Conversation> {
    return this.client.call("POST", `/api/conversations/${id}/restore`);
  }

  /** How many conversations there are, archived ones included. */
  async count(): Promise<number> {
    return (await this.client.call<Reply<"/api/count", "get">>("GET", "/api/count")).conversations;
  }

  /** Delete everything; `forever` erases it in the background, without a way back. */
  removeAll(forever = false): Promise<Deleted> {
    return this.client.call("DELETE", `/api/conversations?confirm=all${forever ? "&forever=true" : ""}`);
  }

  erasure(): Promise<ErasureStatus> {
    return this.client.call("GET", "/api/erasure");
  }

  /** How much the API keeps for programs. */
  keptResponses(): Promise<KeptResponses> {
    return this.client.call("GET", "/api/responses");
  }

  /** Erase all that the API keeps for programs. */
  removeKeptResponses(): Promise<void> {
    return this.client.call("DELETE", "/api/responses");
  }

  /** With `days`, what such a limit would erase now. */
  retention(days: number | null): Promise<Retention> {
    return this.client.call("GET", days === null ? "/api/retention" : `/api/retention?days=${days}`);
  }

  /** Restore the conversations that were deleted together at this moment. */
  restoreAll(moment: number): Promise<void> {
    return this.client.call("POST", "/api/conversations/restore", { moment });
  }

  /** Search names, and at most `limit` messages; in a `project`, if one is given, passages of its files too. */
  search(words: string, limit: number, signal: AbortSignal, project?: string): Promise<Found> {
    const query = new URLSearchParams({ q: words, limit: String(limit), ...(project !== undefined && { project_id: project }) });
    return this.client.call("GET", `/api/search?${query}`, undefined, signal);
  }

  turn(conversation: string, turn: Turn): Promise<AcceptedTurn> {
    return this.client.call("POST", `/api/conversations/${conversation}/turns`, turn);
  }

  /** Create the conversation with its first turn. */
  begin(conversation: string, turn: Turn, settings: AnswerSettings, start: ConversationStart): Promise<AcceptedTurn> {
    return this.client.call("POST", "/api/conversations", { ...newConversation(conversation, settings, start), turn });
  }

  /** Store a conversation that has no message yet. */
  add(conversation: string, settings: AnswerSettings, start: ConversationStart): Promise<Conversation> {
    return this.client.call("POST", "/api/conversations", newConversation(conversation, settings, start));
  }

  /** Have an MCP server on or off in a conversation. */
  switchMcpServer(conversation: string, server: string, on: boolean): Promise<unknown> {
    return this.client.call("PUT", `/api/mcp-servers/${server}/switch`, { on, conversation });
  }

  /** Tell the engine that a message is being written, and how far, so that it can read the prompt ahead. */
  prefill(writing: Pick<AnswerOptions, "model" | "mode" | "web" | "system" | "memory"> & Pick<Body<"/api/prefill", "post">, "conversation" | "files" | "assistant_id" | "spoken" | "text">): Promise<PrefillReply> {
    return this.client.call("POST", "/api/prefill", writing);
  }

  stop(run: string): Promise<void> {
    return this.client.call("POST", `/api/runs/${run}/stop`);
  }

  /** End the reading of long documents: the answer rests on what was read so far. */
  answerNow(run: string): Promise<void> {
    return this.client.call("POST", `/api/runs/${run}/answer-now`);
  }

  /** Open the run's event stream after event `after`. Any status is returned, and the key is never asked for. */
  events(run: string, after: number, signal: AbortSignal): Promise<Response> {
    return fetch(toAddress(`/api/runs/${run}/events?after=${after}`), {
      headers: { ...this.client.headers, Accept: "text/event-stream" },
      cache: "no-store",
      signal,
    });
  }

  /** Open the event stream of all answers that are being written in a conversation. */
  allEvents(conversation: string, signal: AbortSignal): Promise<Response> {
    return fetch(toAddress(`/api/conversations/${conversation}/events`), {
      headers: { ...this.client.headers, Accept: "text/event-stream" },
      cache: "no-store",
      signal,
    });
  }

  /** Keep one of the answers to a question that stand side by side. */
  keep(conversation: string, question: string, answer: string): Promise<Message> {
    return this.client.call("PUT", `/api/conversations/${conversation}/comparisons/${question}`, { answer });
  }

  /** Open an event stream of every change from now on. Others may see that the conversation is open meanwhile. */
  changes(conversation: string | null, signal: AbortSignal): Promise<Response> {
    const query = conversation === null ? "" : `?${new URLSearchParams({ conversation })}`;
    return this.client.request("GET", `/api/changes${query}`, undefined, signal);
  }

  /** Open the event stream of an answer that isn't stored; closing it stops the engine. */
  answer(turn: UnstoredTurn, signal: AbortSignal): Promise<Response> {
    return this.client.request("POST", "/api/answers", turn, signal);
  }

  export(id: string, format: ExportFormat, language: string, reviewer: string | null = null): Promise<Response> {
    const query = new URLSearchParams({ format, language, ...(reviewer === null ? {} : { reviewer }) });
    return this.client.request("GET", `/api/conversations/${id}/export?${query}`);
  }

  /** Export several conversations as one zip file. */
  exportSome(ids: readonly string[]): Promise<Response> {
    return this.client.request("GET", `/api/export?${new URLSearchParams({ ids: ids.join(",") })}`);
  }

  /** Export everything as one zip file. */
  exportSize(): Promise<ExportSize> {
    return this.client.call("GET", "/api/export/size");
  }

  exportAll(): Promise<Response> {
    return this.client.request("GET", "/api/export");
  }
}

function newConversation(id: string, settings: AnswerSettings, { project, assistant }: ConversationStart) {
  return { id, ...settings, ...(project !== null && { project_id: project }), ...(assistant !== null && { assistant_id: assistant }) };
}
