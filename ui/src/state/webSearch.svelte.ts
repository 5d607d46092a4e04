// The web mode: the last choice, and the notices about what searching sends.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import { readStored, writeStored } from "../lib/storage.ts";
import { serviceNames } from "../lib/web.ts";
import type { Web } from "../api/events.ts";

const STORED_MODE = "eclair.web";
const STATES: readonly Web[] = ["off", "auto", "on"];

/** A notice for the composer of a conversation. `services` are the names of those in use, empty where unknown; null
 * where only the choice is announced. */
export interface WebNotice {
  readonly conversation: string;
  readonly web: Web;
  readonly services: string | null;
}

/** The conversation whose web mode is chosen. */
interface Chooser {
  readonly id: string;
  readonly temporary: boolean;
  readonly web: Web | null;
}

export class WebSearch {
  notice = $state.raw<WebNotice | null>(null);
  readonly #api: Api;
  /** The conversations whose notice was shown. */
  readonly #told = new Set<string>();

  constructor(api: Api) {
    this.#api = api;
  }

  /** The last choice in this browser, which new conversations take over. */
  get last(): Web | null {
    return STATES.find((state) => state === readStored(STORED_MODE)) ?? null;
  }

  /** Note the choice for a conversation; that for a temporary chat is not kept. `announce` where no control shows it. */
  async choose({ id, temporary }: Chooser, web: Web, announce: boolean): Promise<void> {
    if (!temporary) writeStored(STORED_MODE, web);
    const first = web !== "off" && !this.#told.has(id);
    if (first) this.#told.add(id);
    if (first || announce) this.notice = { conversation: id, web, services: first ? await this.#serviceNames() : null };
  }

  /** Show the notice for a conversation that begins with the web on, if it does. */
  async tell({ id, web }: Chooser): Promise<void> {
    if (web === null || web === "off") return;
    this.#told.add(id);
    this.notice = { conversation: id, web, services: await this.#serviceNames() };
  }

  /** The names of the services in use; empty where the server can't say. */
  async #serviceNames(): Promise<string> {
    try {
      return serviceNames(await this.#api.web.services());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return "";
    }
  }
}

/** The next mode: off, auto, on, and off again. */
export function nextWebMode(web: Web | null): Web {
  return STATES[(STATES.indexOf(web ?? "off") + 1) % STATES.length] ?? "off";
}
