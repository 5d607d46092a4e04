import type { Client } from "./client.ts";

/** The calls of one resource. */
export abstract class Resource {
  protected readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }
}
