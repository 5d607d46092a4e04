// Projects: conversations that belong together.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

/** A project with the number of one's own conversations in it, without archived ones. */
export type Project = Reply<"/api/projects", "get">[number];
export type ProjectChanges = Body<"/api/projects/{id}", "patch">;

export class ProjectCalls extends Resource {
  list(): Promise<readonly Project[]> {
    return this.client.call("GET", "/api/projects");
  }

  get(id: string): Promise<Project> {
    return this.client.call("GET", `/api/projects/${id}`);
  }

  add(name: string): Promise<Project> {
    return this.client.call("POST", "/api/projects", { name });
  }

  change(id: string, changes: ProjectChanges): Promise<Project> {
    return this.client.call("PATCH", `/api/projects/${id}`, changes);
  }

  /** Make the project's own library, if it has none. */
  async openLibrary(id: string): Promise<void> {
    await this.client.call("PUT", `/api/projects/${id}/library`);
  }

  /** Delete a project and keep its conversations. */
  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/projects/${id}`);
  }
}
