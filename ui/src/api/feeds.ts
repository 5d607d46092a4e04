// The newsroom's feeds as the server tells of them.

/** A feed; moments are milliseconds. `fault` says why the last fetch failed, in English. */
export interface Feed {
  readonly id: string;
  readonly url: string;
  readonly title: string;
  readonly site: string | null;
  readonly language: string | null;
  readonly active: boolean;
  readonly state: "off" | "waiting" | "fetching" | "ready" | "failing" | "gone";
  readonly entries: number;
  readonly checked: number | null;
  readonly brought: number | null;
  readonly due: number | null;
  readonly fault: string | null;
}

/** A feed that comes along; `country` is the publisher's, `terms` the address of what it allows. */
export interface Starter {
  readonly name: string;
  readonly url: string;
  readonly language: string;
  readonly country: string;
  readonly publisher: string;
  readonly terms: string | null;
  readonly listed: boolean;
}

/** What became of a list: so many feeds were added, so many were there already. */
export interface Taken {
  readonly added: number;
  readonly known: number;
}
