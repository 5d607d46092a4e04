// People, invitations and groups, as administrators and auditors see them.

import { Resource } from "./resource.ts";
import type { Person, PersonSession } from "./session.ts";
import type { Body, Reply } from "./wire.ts";

export type PeoplePage = Reply<"/api/people", "get">;
export type Group = Reply<"/api/groups", "get">["groups"][number];
export type GroupPage = Reply<"/api/groups", "get">;
export type MemberPage = Reply<"/api/groups/{id}/members", "get">;
export type Invitation = Reply<"/api/invitations", "get">["invitations"][number];

/** A one-time code, and the path of the page where it is used. */
export type CodeLink = Reply<"/api/invitations", "post", 201>;

/** An identity provider of the settings, as it was found now. */
export type CheckedProvider = Reply<"/api/sign-in-providers", "get">["providers"][number];

export class PeopleCalls extends Resource {
  checkProviders(): Promise<Reply<"/api/sign-in-providers", "get">> {
    return this.client.call("GET", "/api/sign-in-providers");
  }

  list(query: string, after: string | null): Promise<PeoplePage> {
    return this.client.call("GET", `/api/people?${search(query, after)}`);
  }

  get(id: string): Promise<Person> {
    return this.client.call("GET", `/api/people/${id}`);
  }

  add(person: Body<"/api/people", "post">): Promise<Person> {
    return this.client.call("POST", "/api/people", person);
  }

  change(id: string, change: Body<"/api/people/{id}", "patch">): Promise<Person> {
    return this.client.call("PATCH", `/api/people/${id}`, change);
  }

  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/people/${id}`);
  }

  /** Make a code by which the person chooses a new password. */
  resetPassword(id: string): Promise<CodeLink> {
    return this.client.call("POST", `/api/people/${id}/password-code`);
  }

  removeSecondFactor(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/people/${id}/second-factor`);
  }

  async sessions(id: string): Promise<readonly PersonSession[]> {
    return (await this.client.call<Reply<"/api/people/{id}/sessions", "get">>("GET", `/api/people/${id}/sessions`)).sessions;
  }

  endSessions(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/people/${id}/sessions`);
  }

  async invitations(): Promise<readonly Invitation[]> {
    return (await this.client.call<Reply<"/api/invitations", "get">>("GET", "/api/invitations")).invitations;
  }

  invite(invitation: Body<"/api/invitations", "post">): Promise<CodeLink> {
    return this.client.call("POST", "/api/invitations", invitation);
  }

  withdraw(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/invitations/${id}`);
  }
}

export class GroupCalls extends Resource {
  list(query: string, after: string | null): Promise<GroupPage> {
    return this.client.call("GET", `/api/groups?${search(query, after)}`);
  }

  get(id: string): Promise<Group> {
    return this.client.call("GET", `/api/groups/${id}`);
  }

  add(name: string): Promise<Group> {
    return this.client.call("POST", "/api/groups", { name });
  }

  rename(id: string, name: string): Promise<Group> {
    return this.client.call("PATCH", `/api/groups/${id}`, { name });
  }

  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/groups/${id}`);
  }

  members(id: string, after: string | null): Promise<MemberPage> {
    return this.client.call("GET", `/api/groups/${id}/members?${search("", after)}`);
  }

  addMember(id: string, person: string): Promise<void> {
    return this.client.call("POST", `/api/groups/${id}/members`, { people: [person] });
  }

  removeMember(id: string, person: string): Promise<void> {
    return this.client.call("DELETE", `/api/groups/${id}/members/${person}`);
  }
}

function search(query: string, after: string | null): URLSearchParams {
  return new URLSearchParams({ ...(query !== "" && { query }), ...(after !== null && { after }) });
}
