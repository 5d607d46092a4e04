// Skills: the person's own, and those that come with Éclair.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type Skill = Reply<"/api/skills", "get">["skills"][number];

export class SkillCalls extends Resource {
  async list(): Promise<readonly Skill[]> {
    return (await this.client.call<Reply<"/api/skills", "get">>("GET", "/api/skills")).skills;
  }

  /** Add the skill of a zip or a SKILL.md, switched off. */
  import(file: File): Promise<Skill> {
    return this.client.upload("/api/skills", file, () => {}, new AbortController().signal);
  }

  /** The text of one of its files. */
  async text(id: string, path: string): Promise<string> {
    const query = new URLSearchParams({ path });
    return (await this.client.call<Reply<"/api/skills/{id}/text", "get">>("GET", `/api/skills/${id}/text?${query}`)).text;
  }

  /** Switch a skill on or off that is as it is shown. */
  switch({ id, changed }: Skill, on: boolean): Promise<Skill> {
    return this.client.call("PUT", `/api/skills/${id}/switch`, { is_on: on, changed });
  }

  export(id: string): Promise<Response> {
    return this.client.request("GET", `/api/skills/${id}/export`);
  }

  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/skills/${id}`);
  }
}
