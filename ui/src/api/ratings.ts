// Ratings of answers.

import { Resource } from "./resource.ts";
import type { Body } from "./wire.ts";

export type RatingDraft = Body<"/api/ratings/{message}", "put">;

export class RatingCalls extends Resource {
  rate(message: string, rating: RatingDraft): Promise<void> {
    return this.client.call("PUT", `/api/ratings/${message}`, rating);
  }

  /** Export ratings and choices with their questions and answers, a line of JSON each. */
  export(): Promise<Response> {
    return this.client.request("GET", "/api/ratings/export");
  }

  remove(message: string): Promise<void> {
    return this.client.call("DELETE", `/api/ratings/${message}`);
  }
}
