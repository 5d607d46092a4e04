// The installed models, downloads, and the catalog, kept in step with the server.

import { ApiError } from "../api/client.ts";
import type { Catalog, Download, ModelCalls } from "../api/models.ts";
import { t } from "../lib/i18n/translate.ts";
import type { Toasts } from "./toasts.svelte.ts";
import { describeReport } from "../lib/errors.ts";

const POLL_INTERVAL_MS = 700;

/** What this needs of the app. */
export interface ModelHost {
  readonly api: { readonly models: Pick<ModelCalls, "catalog" | "downloads" | "download" | "cancelDownload" | "remove"> };
  readonly toasts: Pick<Toasts, "show">;
  /** Read again which models can answer. */
  readModels(): Promise<void>;
  /** Ask the person to accept the license of a model before it is downloaded. */
  askLicense(name: string, text: string): void;
}

export class InstalledModels {
  /** Downloads in progress, and the last ones that ended. */
  downloads = $state.raw<readonly Download[]>([]);
  /** Null until it is first shown. */
  catalog = $state.raw<Catalog | null>(null);
  readonly running = $derived(this.downloads.filter(({ state }) => state === "running"));
  readonly #host: ModelHost;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #requested = 0;
  #newestShown = 0;

  constructor(host: ModelHost) {
    this.#host = host;
  }

  /** The models may have changed. */
  async refresh(): Promise<void> {
    const withCatalog = this.#requested > 0; // a reply on its way may be older than the change
    await Promise.all([this.refreshDownloads(), this.#host.readModels(), withCatalog ? this.readCatalog() : undefined]);
  }

  async readCatalog(): Promise<void> {
    const request = ++this.#requested;
    const found = await this.#host.api.models.catalog();
    if (request < this.#newestShown) return; // a later request was answered first
    this.#newestShown = request;
    this.catalog = found;
  }

  /** Read the downloads, and poll while one is in progress and the page is visible. */
  async refreshDownloads(): Promise<void> {
    clearTimeout(this.#timer);
    let found: readonly Download[];
    try {
      found = await this.#host.api.models.downloads();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      found = this.downloads; // the connection is lost, which the page shows elsewhere; reconnecting reads them again
    }
    const wereRunning = new Set(this.running.map(({ id }) => id));
    if (finishedIds(found) !== finishedIds(this.downloads)) void this.#host.readModels(); // perhaps while the page was hidden
    this.downloads = found;
    for (const download of found) if (wereRunning.has(download.id)) this.#announce(download);
    clearTimeout(this.#timer);
    if (this.running.length > 0 && !document.hidden) this.#timer = setTimeout(() => void this.refreshDownloads(), POLL_INTERVAL_MS);
  }

  /** Download a model; where its license restricts, ask the person first. Throws the server's objection. */
  async download(name: string, accepted = false): Promise<void> {
    try {
      await this.#host.api.models.download(name, accepted);
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "license_not_accepted")) throw error;
      this.#host.askLicense(name, error.message);
    }
    await this.refreshDownloads();
  }

  /** Stop a download in progress, or forget one that has ended. */
  async cancel({ id }: Download): Promise<void> {
    await this.#host.api.models.cancelDownload(id);
    await this.refresh();
  }

  /** Remove a model; returns the bytes freed. */
  async remove(model: string): Promise<number> {
    const { freed } = await this.#host.api.models.remove(model);
    await this.refresh();
    return freed;
  }

  #announce({ state, name, error }: Download): void {
    const { toasts } = this.#host;
    if (state === "finished") toasts.show(t("pullFinished", { name }));
    else if (state === "failed") toasts.show(`${t("pullFailed", { name })}${error === null ? "" : ` ${describeReport(error).sentence}`}`);
  }
}

function finishedIds(downloads: readonly Download[]): string {
  return downloads.flatMap(({ id, state }) => (state === "finished" ? [id] : [])).join(" ");
}
