// Whether the web is looked at: what a new chat begins with, and what the person is told of it the first time.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import { readStored, writeStored } from "../lib/storage.ts";
import { serviceNames } from "../lib/web.ts";
import type { Web } from "../api/events.ts";

const STORED_MODE = "eclair.web";
const STORED_NOTICE = "eclair.web.told";
const STATES: readonly Web[] = ["off", "auto", "on"];

export class WebSearch {
  /** What is to be said of the choice, null where nothing is; the first time also who is asked, empty where that is not
   * known. */
  news = $state.raw<{ readonly web: Web; readonly services: string | null } | null>(null);
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** What was chosen last in this browser. */
  get last(): Web | null {
    return STATES.find((state) => state === readStored(STORED_MODE)) ?? null;
  }

  /** `aloud` where it is seen nowhere that it was chosen, as by keys. */
  async choose(web: Web, aloud: boolean): Promise<void> {
    writeStored(STORED_MODE, web);
    const first = web !== "off" && readStored(STORED_NOTICE) === null;
    if (first) writeStored(STORED_NOTICE, "yes");
    if (first || aloud) this.news = { web, services: first ? await this.#asked() : null };
  }

  /** The names of those that are asked; empty where the server does not say. */
  async #asked(): Promise<string> {
    try {
      return serviceNames(await this.#api.web.services());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return "";
    }
  }
}

/** What comes after a choice: off, auto, on, and off again. */
export function nextWebMode(web: Web | null): Web {
  return STATES[(STATES.indexOf(web ?? "off") + 1) % STATES.length] ?? "off";
}
