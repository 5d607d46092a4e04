// News feeds and the list of suggested ones.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** A feed; times are milliseconds. `fault` says in English why the last fetch failed. */
export type Feed = Reply<"/api/feeds", "get">[number];

/** A suggested feed; `country` is the publisher's, `terms` the address of its terms of use. */
export type SuggestedFeed = Reply<"/api/feeds/starter", "get">[number];

/** How many feeds of a list were added, and how many existed already. */
export type AddedFeeds = Reply<"/api/feeds/starter", "post", 201>;

/** Entries of the feeds, newest first; `next` leads on. */
export type FeedEntries = Reply<"/api/feeds/entries", "get">;

export type FeedEntry = FeedEntries["entries"][number];

export class FeedCalls extends Resource {
  list(): Promise<readonly Feed[]> {
    return this.client.call("GET", "/api/feeds");
  }

  /** The newest entries, of all feeds or of one, or those after `before`. */
  entries(feed: string | null, before: string | null, limit: number): Promise<FeedEntries> {
    const query = { limit: String(limit), ...(feed !== null && { feed }), ...(before !== null && { before }) };
    return this.client.call("GET", `/api/feeds/entries?${new URLSearchParams(query)}`);
  }

  /** Add the feed at an address, or the one that the page at this address links to. */
  add(url: string): Promise<Feed> {
    return this.client.call("POST", "/api/feeds", { url });
  }

  activate(id: string, active: boolean): Promise<Feed> {
    return this.client.call("PATCH", `/api/feeds/${id}`, { active });
  }

  /** Delete a feed with its entries. */
  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/feeds/${id}`);
  }

  /** Fetch a feed now, or all of them. */
  refresh(id: string | null): Promise<Reply<"/api/feeds/refresh", "post", 202>> {
    return this.client.call("POST", id === null ? "/api/feeds/refresh" : `/api/feeds/refresh?id=${id}`);
  }

  suggested(): Promise<readonly SuggestedFeed[]> {
    return this.client.call("GET", "/api/feeds/starter");
  }

  addSuggested(chosen: { readonly urls: readonly string[] } | { readonly language: string }): Promise<AddedFeeds> {
    return this.client.call("POST", "/api/feeds/starter", chosen);
  }

  /** Add the feeds of an OPML list. */
  import(file: File): Promise<AddedFeeds> {
    const name = file.name.slice(0, 200);
    return this.client.upload(`/api/feeds/opml?${new URLSearchParams({ name })}`, file, () => {}, new AbortController().signal);
  }

  export(): Promise<Response> {
    return this.client.request("GET", "/api/feeds/opml");
  }
}
