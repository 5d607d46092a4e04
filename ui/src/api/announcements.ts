// Announcements: those that are shown now, and all of them for administrators.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

type Announcements = Reply<"/api/announcements", "get">;

export type Announcement = Announcements["announcements"][number];
export type AnnouncementRequest = Body<"/api/announcements", "post">;

export class AnnouncementCalls extends Resource {
  async shown(): Promise<readonly Announcement[]> {
    return (await this.client.call<Announcements>("GET", "/api/announcements")).announcements;
  }

  async all(): Promise<readonly Announcement[]> {
    return (await this.client.call<Announcements>("GET", "/api/announcements/all")).announcements;
  }

  /** Add an announcement, or replace the one with that id. */
  put(id: string | null, body: AnnouncementRequest): Promise<Announcement> {
    return id === null
      ? this.client.call("POST", "/api/announcements", body)
      : this.client.call("PUT", `/api/announcements/${encodeURIComponent(id)}`, body);
  }

  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/announcements/${encodeURIComponent(id)}`);
  }
}
