// Rights, the directory of people and groups, shares, and emergency reads.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

export type Grant = Reply<"/api/grants", "get">["grants"][number];
export type GrantEffect = Grant["effect"];
export type EffectiveRight = Reply<"/api/people/{id}/rights", "get">["rights"][number];
/** A person or group; `subject` is what rights and shares name them by. */
export type DirectoryEntry = Reply<"/api/directory", "get">["entries"][number];
type Shares = Reply<"/api/libraries/{id}/shares", "get">;
/** A person or group with whom something is shared, and as what. */
export type AccessShare = Shares["shares"][number];
export type SharedAccess = AccessShare["access"];
/** What can be shared, as it is named in addresses. */
export type SharedKind = "libraries" | "projects" | "prompts" | "assistants";
/** Something that people own and rules can be for; `owner` is the name of whose it is. */
export type OwnedObject = Reply<"/api/directory/objects", "get">["objects"][number];
export type OwnedKind = "assistant" | "library" | "project" | "prompt";
export type EmergencyRead = Reply<"/api/emergency-reads", "get">["requests"][number];
export type OpenedConversation = Reply<"/api/emergency-reads/{id}/conversations", "get">["conversations"][number];
export type ReadConversation = Reply<"/api/emergency-reads/{id}/conversations/{conversation}", "get">;

export class RightCalls extends Resource {
  async grants(): Promise<readonly Grant[]> {
    return (await this.client.call<Reply<"/api/grants", "get">>("GET", "/api/grants")).grants;
  }

  grant(subject: string, object: string, effect: GrantEffect): Promise<Grant> {
    return this.client.call("POST", "/api/grants", { subject, object, effect });
  }

  revoke(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/grants/${id}`);
  }

  /** The rights of a person, each with its reason. */
  async of(person: string): Promise<readonly EffectiveRight[]> {
    return (await this.client.call<Reply<"/api/people/{id}/rights", "get">>("GET", `/api/people/${person}/rights`)).rights;
  }

  async search(words: string): Promise<readonly DirectoryEntry[]> {
    return (await this.client.call<Reply<"/api/directory", "get">>("GET", `/api/directory?${new URLSearchParams({ q: words })}`)).entries;
  }

  /** Find what people own by its name; for administrators and auditors. */
  async objects(kind: OwnedKind, words: string): Promise<readonly OwnedObject[]> {
    const query = new URLSearchParams({ kind, q: words });
    return (await this.client.call<Reply<"/api/directory/objects", "get">>("GET", `/api/directory/objects?${query}`)).objects;
  }

  async shares(kind: SharedKind, id: string): Promise<readonly AccessShare[]> {
    return (await this.client.call<Shares>("GET", `/api/${kind}/${id}/shares`)).shares;
  }

  share(kind: SharedKind, id: string, subject: string, access: SharedAccess): Promise<void> {
    return this.client.call("PUT", `/api/${kind}/${id}/shares/${encodeURIComponent(subject)}`, { access });
  }

  unshare(kind: SharedKind, id: string, subject: string): Promise<void> {
    return this.client.call("DELETE", `/api/${kind}/${id}/shares/${encodeURIComponent(subject)}`);
  }
}

export class EmergencyCalls extends Resource {
  async list(): Promise<readonly EmergencyRead[]> {
    return (await this.client.call<Reply<"/api/emergency-reads", "get">>("GET", "/api/emergency-reads")).requests;
  }

  ask(person: string, reason: string): Promise<EmergencyRead> {
    return this.client.call("POST", "/api/emergency-reads", { person, reason });
  }

  decide(id: string, approve: boolean): Promise<EmergencyRead> {
    return this.client.call("POST", `/api/emergency-reads/${id}/decision`, { approve });
  }

  async conversations(id: string): Promise<readonly OpenedConversation[]> {
    const path = `/api/emergency-reads/${id}/conversations`;
    return (await this.client.call<Reply<"/api/emergency-reads/{id}/conversations", "get">>("GET", path)).conversations;
  }

  /** Read a conversation, of which its owner is told. */
  read(id: string, conversation: string): Promise<ReadConversation> {
    return this.client.call("GET", `/api/emergency-reads/${id}/conversations/${conversation}`);
  }

  /** Approved requests to read one's own conversations of which one has not taken note. */
  async untold(): Promise<readonly EmergencyRead[]> {
    return (await this.client.call<Reply<"/api/me/emergency-reads", "get">>("GET", "/api/me/emergency-reads")).requests;
  }

  acknowledge(id: string): Promise<void> {
    return this.client.call("POST", `/api/me/emergency-reads/${id}/acknowledge`);
  }
}
