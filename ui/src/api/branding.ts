// The branding of the house, as administrators change it.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

export type Branding = Reply<"/api/branding", "get">;
export type BrandingRequest = Body<"/api/branding", "put">;

export class BrandingCalls extends Resource {
  get(): Promise<Branding> {
    return this.client.call("GET", "/api/branding");
  }

  change(body: BrandingRequest): Promise<Branding> {
    return this.client.call("PUT", "/api/branding", body);
  }

  setLogo(file: File): Promise<Branding> {
    return this.client.upload("/api/branding/logo", file, () => {}, new AbortController().signal);
  }

  removeLogo(): Promise<void> {
    return this.client.call("DELETE", "/api/branding/logo");
  }
}
