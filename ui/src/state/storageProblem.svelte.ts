// What is wrong with the server's storage: damage that it has found.

import type { Api } from "../api/api.ts";
import { ApiError } from "../api/client.ts";
import type { StorageReport } from "../api/system.ts";

const REREAD_DELAY_MS = 1000;

export class StorageProblem {
  /** The server's report; null before the first one. */
  report = $state.raw<StorageReport | null>(null);
  readonly #api: Api;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api) {
    this.#api = api;
  }

  async refresh(): Promise<void> {
    try {
      this.report = await this.#api.system.storage();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /** Note a response: one that says that the storage can't serve has the report read again. */
  note(response: Response | null): void {
    if (response?.status !== 503 || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.refresh();
    }, REREAD_DELAY_MS);
  }
}
