// The account of the person who is signed in, and the question for a new sign-in once its session has ended.

import { HOUSE } from "../lib/branding.ts";
import { SESSION } from "../api/client.ts";
import type { Person, Role } from "../api/session.ts";

export class Account {
  /** The person who is signed in; null where people have no accounts. */
  person = $state.raw<Person | null>(null);
  /** The house that the person is a guest of, as it calls itself; null where it has no name. */
  house = $state.raw<string | null>(HOUSE);
  /** Counts changes of the announcements. */
  announcements = $state(0);
  /** True where no figures of single people are shown. */
  worksCouncil = $state(false);
  /** Called once the person has signed in again; null while their session is good. */
  resume = $state.raw<(() => void) | null>(null);
  /** Without accounts there is one owner, who may do everything. */
  readonly role: Role = $derived(this.person?.role ?? "admin");
  readonly isAdmin = $derived(this.role === "admin");
  /** True for whom the pages of the administration are for. */
  readonly oversees = $derived(this.role === "admin" || this.role === "auditor");
  #asked: Promise<string> | null = null;

  /** Ask the person to sign in again, once for all calls that wait for it. */
  ask(): Promise<string> {
    this.#asked ??= new Promise((resolve) => {
      this.resume = () => {
        this.resume = null;
        this.#asked = null;
        resolve(SESSION);
      };
    });
    return this.#asked;
  }
}
