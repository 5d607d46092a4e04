// Sessions of people: who is signed in, the ways in, and one's own account.

import { createPasskey, getPasskey } from "./passkeys.ts";
import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

/** The person who is signed in, and the ways to sign in. */
export type SessionState = Reply<"/api/session", "get">;
export type SignInWay = SessionState["ways"][number];
export type Person = NonNullable<SessionState["person"]>;
export type Role = Person["role"];

/** The purpose of a one-time code. */
export type CodeFacts = Reply<"/api/session/code", "post">;

/** The second step that a sign-in lacks. */
export type SignInStep = Reply<"/api/session", "post", 202>;
export type SecondStep = SignInStep["second_step"];

/** One's own account. */
export type Me = Reply<"/api/me", "get">;
export type Passkey = Reply<"/api/me/passkeys", "get">["passkeys"][number];
export type PersonSession = Reply<"/api/me/sessions", "get">["sessions"][number];

export class SessionCalls extends Resource {
  state(): Promise<SessionState> {
    return this.client.call("GET", "/api/session");
  }

  /** Sign in; resolves to the second step that is missing, if one is. */
  signIn(body: NonNullable<Body<"/api/session", "post">>): Promise<SignInStep | undefined> {
    return this.client.call("POST", "/api/session", body);
  }

  describeCode(code: string): Promise<CodeFacts> {
    return this.client.call("POST", "/api/session/code", { code });
  }

  redeem(body: Body<"/api/session/redeem", "post">): Promise<SignInStep | undefined> {
    return this.client.call("POST", "/api/session/redeem", body);
  }

  /** End a sign-in by the code of an authenticator, or for recovery. */
  takeSecondStep(code: string): Promise<void> {
    return this.client.call("POST", "/api/session/second-step", { code });
  }

  prepareSecondStep(): Promise<Reply<"/api/session/second-step/setup", "post">> {
    return this.client.call("POST", "/api/session/second-step/setup");
  }

  /** End a sign-in by the first code of a new authenticator; resolves to the recovery codes. */
  async setUpSecondStep(code: string): Promise<readonly string[]> {
    return (await this.client.call<Reply<"/api/session/second-step/setup", "put">>("PUT", "/api/session/second-step/setup", { code })).codes;
  }

  /** Forget the sign-in that was begun. */
  abandon(): Promise<void> {
    return this.client.call("DELETE", "/api/session");
  }

  /** Sign in with a passkey of this device; the browser asks for it. */
  async signInWithPasskey(): Promise<void> {
    const { options } = await this.client.call<Reply<"/api/session/passkey/options", "post">>(
      "POST",
      "/api/session/passkey/options",
    );
    const credential = await getPasskey(options);
    await this.client.call("POST", "/api/session/passkey", { credential });
  }

  async passkeys(): Promise<readonly Passkey[]> {
    return (await this.client.call<Reply<"/api/me/passkeys", "get">>("GET", "/api/me/passkeys")).passkeys;
  }

  /** Make a passkey on this device; the browser asks for it. */
  async addPasskey(name: string, password: string): Promise<Passkey> {
    const { options } = await this.client.call<Reply<"/api/me/passkeys/options", "post">>("POST", "/api/me/passkeys/options", {
      password,
    });
    const credential = await createPasskey(options);
    return this.client.call("POST", "/api/me/passkeys", { name, credential });
  }

  removePasskey(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/me/passkeys/${id}`);
  }

  me(): Promise<Me> {
    return this.client.call("GET", "/api/me");
  }

  rename(name: string): Promise<Me> {
    return this.client.call("PATCH", "/api/me", { display_name: name });
  }

  changePassword(body: Body<"/api/me/password", "put">): Promise<void> {
    return this.client.call("PUT", "/api/me/password", body);
  }

  async sessions(): Promise<readonly PersonSession[]> {
    return (await this.client.call<Reply<"/api/me/sessions", "get">>("GET", "/api/me/sessions")).sessions;
  }

  end(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/me/sessions/${id}`);
  }

  /** End all sessions but this one; resolves to their number. */
  async endOthers(): Promise<number> {
    return (await this.client.call<Reply<"/api/me/sessions", "delete">>("DELETE", "/api/me/sessions")).ended ?? 0;
  }

  prepareSecondFactor(password: string): Promise<Reply<"/api/me/second-factor", "post">> {
    return this.client.call("POST", "/api/me/second-factor", { password });
  }

  /** Turn two-step sign-in on; resolves to the recovery codes. */
  async confirmSecondFactor(code: string): Promise<readonly string[]> {
    return (await this.client.call<Reply<"/api/me/second-factor", "put">>("PUT", "/api/me/second-factor", { code })).codes;
  }

  removeSecondFactor(proof: { readonly password: string } | { readonly code: string }): Promise<void> {
    return this.client.call("POST", "/api/me/second-factor/removal", proof);
  }
}
