// The model servers: listed, added, changed, tested and removed. A key is sent and never returned.

import type { Api } from "../api/api.ts";
import type { Engine, EngineFields, Finding, ProbeFrame, Provider } from "../api/engines.ts";
import { describeError } from "../lib/errors.ts";
import { Parser } from "../api/sse.ts";

/** How many features a test tries. */
export const FEATURE_COUNT = 10;

export class Engines {
  all = $state.raw<readonly Engine[] | null>(null);
  providers = $state.raw<readonly Provider[]>([]);
  /** Only the settings file of the server may name engines. */
  fixed = $state(false);
  /** The findings of tests in progress, by the engine's name. */
  testing = $state.raw<Readonly<Record<string, readonly Finding[]>>>({});
  problem = $state("");
  readonly #api: Api;
  /** Called when the available models may have changed. */
  readonly #onChange: () => Promise<void>;
  readonly #controller = new AbortController();

  constructor(api: Api, onChange: () => Promise<void>) {
    this.#api = api;
    this.#onChange = onChange;
  }

  close(): void {
    this.#controller.abort();
  }

  async load(): Promise<void> {
    await this.#attempt(async () => {
      const { engines, providers, fixed } = await this.#api.engines.list();
      this.all = engines;
      this.providers = providers;
      this.fixed = fixed;
    });
  }

  /** Add an engine and test it; throws the server's objection. */
  async add(name: string, fields: EngineFields): Promise<void> {
    await this.#api.engines.add({ ...fields, name });
    await this.#refresh();
    void this.test(name);
  }

  /** Change an engine; throws the server's objection. */
  async change(name: string, fields: EngineFields): Promise<void> {
    await this.#api.engines.change(name, fields);
    await this.#refresh();
  }

  /** Use the address that a test found, and test it. */
  async move(name: string, url: string): Promise<void> {
    await this.#attempt(() => this.change(name, { url }));
    if (this.problem === "") await this.test(name);
  }

  async remove(name: string): Promise<void> {
    await this.#attempt(() => this.#api.engines.remove(name));
    await this.#refresh();
  }

  /** Test an engine; findings are shown as they arrive. */
  async test(name: string): Promise<void> {
    if (this.testing[name] !== undefined) return;
    this.testing = { ...this.testing, [name]: [] };
    await this.#attempt(async () => this.#read(name, await this.#api.engines.test(name, this.#controller.signal)));
    const { [name]: _, ...rest } = this.testing;
    this.testing = rest;
    if (!this.#controller.signal.aborted) await this.#refresh();
  }

  async #read(name: string, response: Response): Promise<void> {
    const parser = new Parser();
    const reader = response.body?.getReader();
    for (;;) {
      const piece = await reader?.read();
      if (piece === undefined || piece.done) return;
      for (const { data } of parser.feed(piece.value)) {
        const event = JSON.parse(data) as ProbeFrame;
        if ("error" in event) throw new Error(describeError(event.error.code, event.error.message));
        if ("found" in event) this.testing = { ...this.testing, [name]: [...(this.testing[name] ?? []), event.found] };
      }
    }
  }

  async #refresh(): Promise<void> {
    const before = this.problem;
    await this.load();
    if (before !== "") this.problem = before;
    await this.#onChange();
  }

  async #attempt(action: () => Promise<void>): Promise<void> {
    this.problem = "";
    try {
      await action();
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      this.problem = error instanceof Error ? error.message : String(error);
    }
  }
}
