// Rules of retention, legal holds, and everything of a person as a whole.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

type Rules = Reply<"/api/retention/rules", "get">;
type Holds = Reply<"/api/retention/holds", "get">;
type Erasures = Reply<"/api/erasures", "get">;

export type RetentionRule = Rules["rules"][number];
export type LegalHold = Holds["holds"][number];
export type RulePreview = Reply<"/api/retention/preview", "post">;
export type ErasureState = Erasures["erasures"][number];
export type PersonalData = Reply<"/api/me/data", "get">;
export type RuleBody = Body<"/api/retention/rules", "put">;
export type HoldBody = Body<"/api/retention/holds", "post">;

const CONFIRMATION = "erase everything";

export class RetentionCalls extends Resource {
  async rules(): Promise<readonly RetentionRule[]> {
    return (await this.client.call<Rules>("GET", "/api/retention/rules")).rules;
  }

  async setRule(rule: RuleBody): Promise<readonly RetentionRule[]> {
    return (await this.client.call<Rules>("PUT", "/api/retention/rules", rule)).rules;
  }

  removeRule({ scope, subject }: RetentionRule): Promise<void> {
    return this.client.call("DELETE", `/api/retention/rules?${new URLSearchParams({ scope, subject })}`);
  }

  /** Count what would be erased now with a rule among the others. */
  preview(rule: RuleBody): Promise<RulePreview> {
    return this.client.call("POST", "/api/retention/preview", rule);
  }

  async holds(): Promise<readonly LegalHold[]> {
    return (await this.client.call<Holds>("GET", "/api/retention/holds")).holds;
  }

  async placeHold(hold: HoldBody): Promise<readonly LegalHold[]> {
    return (await this.client.call<Holds>("POST", "/api/retention/holds", hold)).holds;
  }

  liftHold({ scope, subject }: LegalHold): Promise<void> {
    return this.client.call("DELETE", `/api/retention/holds?${new URLSearchParams({ scope, subject })}`);
  }

  async erasures(): Promise<readonly ErasureState[]> {
    return (await this.client.call<Erasures>("GET", "/api/erasures")).erasures;
  }

  /** Everything of a person, as numbers; for administrators and auditors. */
  dataOf(person: string): Promise<PersonalData> {
    return this.client.call("GET", `/api/people/${person}/data`);
  }

  erase(person: string): Promise<ErasureState> {
    return this.client.call("POST", `/api/people/${person}/data/erasure`, { confirm: CONFIRMATION });
  }

  withdraw(person: string): Promise<void> {
    return this.client.call("DELETE", `/api/people/${person}/data/erasure`);
  }

  /** Everything of one's own, as numbers. */
  ownData(): Promise<PersonalData> {
    return this.client.call("GET", "/api/me/data");
  }

  /** Ask for the erasure of everything of one's own; `password` is empty for whoever has none. */
  eraseOwn(password: string): Promise<ErasureState> {
    return this.client.call("POST", "/api/me/data/erasure", { confirm: CONFIRMATION, password });
  }

  withdrawOwn(): Promise<void> {
    return this.client.call("DELETE", "/api/me/data/erasure");
  }
}
