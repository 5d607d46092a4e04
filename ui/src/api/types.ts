// What /api takes and gives, apart from what has a file of its own: events, documents, models that could be pulled.

import type { Conversation, Cost, Message, Mode, Web } from "./events.ts";
import type { Drawing } from "../lib/images.ts";

export interface Model {
  readonly id: string;
  readonly name: string;
  readonly engine: string;
  readonly maker: string | null;
  /** ISO codes. */
  readonly country: string | null;
  readonly licence: string | null;
  /** Those that it knows, as BCP 47 tags; empty where that is unknown. */
  readonly languages: readonly string[];
  /** Bytes of its file, where it is on the server's machine. */
  readonly size: number | null;
  /** How it is told whether to think before it answers; null where that is unknown. */
  readonly thinks: string | null;
  /** Where it answers: `machine`, `network`, `unknown`, or the ISO code of a country. */
  readonly place: string;
}

export type Feature =
  | "answers"
  | "streams"
  | "usage"
  | "tools"
  | "json_schema"
  | "vision"
  | "logprobs"
  | "prefix_cache"
  | "tokenize"
  | "embeddings";

/** Whether a server has an ability; `detail` says why not, in English. */
export interface Finding {
  readonly feature: Feature;
  readonly outcome: "yes" | "no" | "failed";
  readonly detail: string;
}

/** What a test found. `fault` says why the server is of no use, `address` is one that would work. */
export interface Probe {
  readonly at: number;
  readonly findings: readonly Finding[];
  readonly fault: string | null;
  readonly address: string | null;
  readonly notes: readonly string[];
}

/** A server that answers. `answers` are the models that it has, `models` those that were named for it. */
export interface Engine {
  readonly name: string;
  readonly url: string;
  readonly origin: "file" | "added";
  readonly keyed: boolean;
  readonly state: "ready" | "down";
  readonly detail: string | null;
  readonly answers: readonly string[];
  readonly models: readonly string[];
  readonly place: {
    readonly where: "machine" | "network" | "country" | "unknown";
    readonly country: string | null;
    readonly provider: string | null;
    readonly stated: boolean;
  };
  readonly note: string | null;
  readonly probe: Probe | null;
}

/** What can be said of a server; an empty key or country takes it away. */
export interface EngineFields {
  readonly url: string;
  readonly key?: string;
  readonly models?: readonly string[];
  readonly country?: string;
}

/** Who serves models, and the usual address. */
export interface Provider {
  readonly name: string;
  readonly url: string | null;
  readonly country: string | null;
}

/** What would leave the server's machine, and to which hosts. */
export interface Leaving {
  readonly hosts: readonly string[];
  /** Only when somebody fetches a model. */
  readonly asked: boolean;
  /** The engine whose answers it belongs to. */
  readonly engine: string | null;
  /** The country of the hosts, as an ISO code. */
  readonly country: string | null;
}

export interface About {
  readonly version: string;
  readonly leaving: readonly Leaving[];
}

/** A page of the list; `next` is where the next one begins. The pinned ones are on the first. */
export interface Page {
  readonly pinned: readonly Conversation[];
  readonly conversations: readonly Conversation[];
  readonly next: string | null;
}

/** What was deleted together: how many conversations, and the moment that names them. */
export interface Deleted {
  readonly count: number;
  readonly moment: number;
}

export interface Tree {
  readonly conversation: Conversation;
  readonly messages: readonly Message[];
  readonly running: string | null;
}

/** How something is to be answered; what is left out holds as it does otherwise. */
export interface How {
  readonly model?: string;
  readonly mode?: Mode;
  readonly web?: Web;
}

export type Turn = How &
  (
    | {
        readonly id: string;
        readonly text: string;
        readonly parent: string | null;
        /** What goes along with it, by ids. */
        readonly files?: readonly string[];
        readonly libraries?: readonly string[];
        /** The questions that a report is to answer. */
        readonly research?: readonly string[];
        /** How pictures of the text are wanted. */
        readonly draw?: Drawing;
      }
    | { readonly retry: string }
    | { readonly continue: string }
  );

/** What a conversation remembers of how it is answered. */
export type Remembered = Pick<Conversation, "model" | "mode" | "web">;

/** Whom the modes choose where no model is named. */
export interface Picks {
  readonly flash: string;
  readonly think: string;
}

export interface Accepted {
  readonly run: string;
  readonly message: string;
  readonly answer: string;
  readonly model: string;
}

/** What can be changed about a conversation. */
export type Changes = {
  readonly title?: string;
  readonly leaf?: string;
  readonly pinned?: boolean;
  readonly archived?: boolean;
  readonly tags?: readonly string[];
  readonly model?: string | null;
  readonly mode?: Mode | null;
  readonly web?: Web | null;
};

export interface Wanted {
  readonly archived: boolean;
  readonly tag: string | null;
  readonly before?: string;
  readonly limit: number;
}

export interface Tagged {
  readonly tag: string;
  readonly count: number;
}

/** A turn of a chat that is not stored: all that was said, and who is to answer. */
export interface Answering extends How {
  readonly messages: readonly { readonly role: "user" | "assistant"; readonly text: string }[];
}

export type Format = "markdown" | "json" | "html";

export interface Share {
  readonly id: string;
  readonly conversation: string;
  readonly title: string;
  readonly url: string;
  readonly created: number;
  readonly expires: number | null;
}

/** A file that was sent to be imported, as it was understood. */
export interface Preview {
  readonly id: string;
  readonly kind: string;
  readonly conversations: number;
  readonly messages: number;
  readonly titles: readonly string[];
  readonly problems: readonly string[];
}

export interface Imported {
  readonly conversations: number;
  readonly messages: number;
  readonly skipped: number;
  readonly problems: readonly string[];
}

/** What answers took together; of `metered` answers the energy is known. */
export interface Sums {
  readonly name: string;
  readonly answers: number;
  readonly words: number;
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly completion_tokens: number;
  readonly metered: number;
  readonly measured_joules: number;
  readonly estimated_joules: number;
  /** Of CO₂; null where nobody has said what a kWh causes. */
  readonly grams: number | null;
  readonly costs: readonly Cost[];
}

/** Sums, and the server's own day (YYYY-MM-DD). */
export interface Used {
  readonly today: string;
  readonly total: Sums;
  readonly groups: readonly Sums[];
}
