// Projects: conversations that belong together.

import type { Message } from "./events.ts";
import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

/** A project with the number of one's own conversations in it, without archived ones. */
export type Project = Reply<"/api/projects", "get">[number];
export type ProjectChanges = Body<"/api/projects/{id}", "patch">;

/** A conversation that its author shows to the members of a project; `author` is null for one’s own. */
export type ShownConversation = Reply<"/api/project-conversations", "get">["conversations"][number];
export type ShownThread = Omit<Reply<"/api/project-conversations/{id}", "get">, "messages"> & { readonly messages: readonly Message[] };

/** The others who have a shown conversation open, and the number of further ones. */
export type PresentPeople = Reply<"/api/project-conversations/{id}/presence", "get">;

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

  async shown(id: string): Promise<readonly ShownConversation[]> {
    const query = new URLSearchParams({ project_id: id });
    return (await this.client.call<Reply<"/api/project-conversations", "get">>("GET", `/api/project-conversations?${query}`)).conversations;
  }

  /** Move one’s conversation into a project, and show it to the members. */
  show(conversation: string, project: string): Promise<void> {
    return this.client.call("PUT", `/api/project-conversations/${conversation}`, { project_id: project });
  }

  hide(conversation: string): Promise<void> {
    return this.client.call("DELETE", `/api/project-conversations/${conversation}`);
  }

  readShown(conversation: string): Promise<ShownThread> {
    return this.client.call("GET", `/api/project-conversations/${conversation}`);
  }

  present(conversation: string): Promise<PresentPeople> {
    return this.client.call("GET", `/api/project-conversations/${conversation}/presence`);
  }

  async shownPicture(conversation: string, picture: string): Promise<Blob> {
    const path = picture.split("/").map(encodeURIComponent).join("/");
    return (await this.client.request("GET", `/api/project-conversations/${conversation}/pictures/${path}`)).blob();
  }

  restore(id: string): Promise<Project> {
    return this.client.call("POST", `/api/projects/${id}/restore`);
  }
}
