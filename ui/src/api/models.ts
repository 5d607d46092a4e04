// Models that can answer, the catalog, and downloads.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** The models that can answer, the server's default, and the models of the modes where none is named. */
export type ModelList = Reply<"/api/models", "get">;

/** A model that can answer. `place` is where: `machine`, `network`, `unknown`, or the ISO code of a country. */
export type Model = ModelList["models"][number];

/** The models that flash and think use. */
export type ModePicks = NonNullable<ModelList["picks"]>;

/** A model worth downloading in place of the default one. */
export type RecommendedModel = NonNullable<ModelList["recommended"]>;

/** A model of the catalog. Sizes and memory are bytes; what is unknown is null or empty. */
export type CatalogModel = Catalog["models"][number];

export type Catalog = Reply<"/api/catalog", "get">;

export type Capability = CatalogModel["can"][number];

/** A download of a model: `total` is 0 where it is unknown, `rate` is bytes per second, `left` seconds. */
export type Download = Reply<"/api/models/pulls", "get">["pulls"][number];

/** Models that support a language: those that can answer here, and the best European one to download. */
export type LanguageSpeakers = Reply<"/api/catalog/speakers", "get">;

/** A model to suggest here: the fastest, the best, or one between. */
export type ModelChoice = Reply<"/api/catalog/choices", "get">["choices"][number];

export class ModelCalls extends Resource {
  list(): Promise<ModelList> {
    return this.client.call("GET", "/api/models");
  }

  catalog(): Promise<Catalog> {
    return this.client.call("GET", "/api/catalog");
  }

  speakers(language: string): Promise<LanguageSpeakers> {
    return this.client.call("GET", `/api/catalog/speakers?${new URLSearchParams({ language })}`);
  }

  /** Models to suggest here that support a language, and an ability if one is named. */
  async choices(language: string, can?: Capability): Promise<readonly ModelChoice[]> {
    const query = new URLSearchParams({ language, ...(can !== undefined && { can }) });
    return (await this.client.call<Reply<"/api/catalog/choices", "get">>("GET", `/api/catalog/choices?${query}`)).choices;
  }

  async downloads(): Promise<readonly Download[]> {
    return (await this.client.call<Reply<"/api/models/pulls", "get">>("GET", "/api/models/pulls")).pulls;
  }

  /** Begin to download a model; fails with `license_not_accepted` where its license has to be accepted. */
  download(name: string, accepted: boolean): Promise<Download> {
    return this.client.call("POST", "/api/models/pulls", { name, accept_license: accepted });
  }

  cancelDownload(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/models/pulls/${id}`);
  }

  remove(id: string): Promise<Reply<"/api/models/{id}", "delete">> {
    return this.client.call("DELETE", `/api/models/${encodeURIComponent(id)}`);
  }
}
