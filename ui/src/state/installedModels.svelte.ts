// The models that are on the server's machine, on their way to it, and to be had. The server knows; this follows it.

import { ApiError } from "../api/client.ts";
import type { Catalog, Download } from "../api/models.ts";
import { t } from "../lib/i18n/translate.ts";
import type { App } from "./app.svelte.ts";
import { serverText } from "../lib/errors.ts";

/** Between two looks at a pull that runs. */
const GLANCE = 700;

export class InstalledModels {
  /** Those that run, and the last that have ended. */
  pulls = $state.raw<readonly Download[]>([]);
  /** Null until somebody wants to see it. */
  catalog = $state.raw<Catalog | null>(null);
  readonly running = $derived(this.pulls.filter(({ state }) => state === "running"));
  readonly #app: App;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;
  #shown = 0;

  constructor(app: App) {
    this.#app = app;
  }

  /** Something has happened to the models, by whose doing it may be. */
  async heard(): Promise<void> {
    const wanted = this.#asked > 0; // what is on its way may be of before
    await Promise.all([this.look(), this.#app.readModels(), wanted ? this.read() : undefined]);
  }

  async read(): Promise<void> {
    const mine = ++this.#asked;
    const found = await this.#app.api.models.catalog();
    if (mine < this.#shown) return; // what was asked later has come before
    this.#shown = mine;
    this.catalog = found;
  }

  /** How far the pulls are; again and again while one runs and the page is seen. */
  async look(): Promise<void> {
    clearTimeout(this.#timer);
    let found: readonly Download[];
    try {
      found = await this.#app.api.models.downloads();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      found = this.pulls; // the connection is lost, which the page says elsewhere; whoever connects anew looks again
    }
    const ran = new Set(this.running.map(({ id }) => id));
    if (arrived(found) !== arrived(this.pulls)) void this.#app.readModels(); // perhaps while the page was hidden
    this.pulls = found;
    for (const pull of found) if (ran.has(pull.id)) this.#tell(pull);
    clearTimeout(this.#timer);
    if (this.running.length > 0 && !document.hidden) this.#timer = setTimeout(() => void this.look(), GLANCE);
  }

  /** Fetch a model by its name; where its licence restricts, the person is asked first. Throws what keeps it from that. */
  async pull(name: string, accepted = false): Promise<void> {
    try {
      await this.#app.api.models.download(name, accepted);
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "licence_asks")) throw error;
      this.#app.keeping.asked = { what: "licence", name, text: error.message };
    }
    await this.look();
  }

  /** Stop one that runs, or forget one that has ended. */
  async cancel({ id }: Download): Promise<void> {
    await this.#app.api.models.cancelDownload(id);
    await this.heard();
  }

  /** How many bytes that frees. */
  async remove(model: string): Promise<number> {
    const { freed } = await this.#app.api.models.remove(model);
    await this.heard();
    return freed;
  }

  #tell({ state, name, error }: Download): void {
    const { notices } = this.#app.keeping;
    if (state === "finished") notices.tell(t("pullFinished", { name }));
    else if (state === "failed") notices.tell(`${t("pullFailed", { name })} ${serverText(error?.message ?? "")}`);
  }
}

function arrived(pulls: readonly Download[]): string {
  return pulls.flatMap(({ id, state }) => (state === "finished" ? [id] : [])).join(" ");
}
