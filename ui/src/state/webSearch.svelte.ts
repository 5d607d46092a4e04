// The web mode: the last choice, and the notice that is shown the first time.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import { readStored, writeStored } from "../lib/storage.ts";
import { serviceNames } from "../lib/web.ts";
import type { Web } from "../api/events.ts";

const STORED_MODE = "eclair.web";
const STORED_NOTICE = "eclair.web.told";
const STATES: readonly Web[] = ["off", "auto", "on"];

export class WebSearch {
  /** The notice to show about a choice, null where there is none; the first time with the services in use, which are
   * empty where unknown. */
  notice = $state.raw<{ readonly web: Web; readonly services: string | null } | null>(null);
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** The last choice in this browser. */
  get last(): Web | null {
    return STATES.find((state) => state === readStored(STORED_MODE)) ?? null;
  }

  /** `announce` where no control shows the choice, as with a shortcut. */
  async choose(web: Web, announce: boolean): Promise<void> {
    writeStored(STORED_MODE, web);
    const first = web !== "off" && readStored(STORED_NOTICE) === null;
    if (first) writeStored(STORED_NOTICE, "yes");
    if (first || announce) this.notice = { web, services: first ? await this.#serviceNames() : null };
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
