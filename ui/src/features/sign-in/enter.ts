// The way in where people have accounts: whoever has a session goes on, and everybody else signs in first.

import { mount, unmount } from "svelte";
import { currentPath, toAddress } from "../../api/address.ts";
import { SESSION } from "../../api/client.ts";
import { type Person, SessionCalls, type SessionState } from "../../api/session.ts";
import { clearStored, readStored, writeStored } from "../../lib/storage.ts";
import type { App } from "../../state/app.svelte.ts";
import SignInPage from "./SignInPage.svelte";

const STORED_PERSON = "eclair.person";

/** The page of invitations and of new passwords; the code is behind the `#`, which no server sees. */
const CODE_PATH = "/join";

/** Resolve once somebody is signed in. */
export async function enter(app: App, target: HTMLElement): Promise<void> {
  app.api.client.key = SESSION;
  const session = new SessionCalls(app.api.client);
  const state = await session.state().catch(() => null);
  const known = currentPath() === CODE_PATH ? null : (state?.person ?? null);
  const person = known ?? (await showPage(session, target, state));
  const { house, works_council } = known !== null && state !== null ? state : await session.state();
  Object.assign(app.account, { person, house, worksCouncil: works_council });
  if (takeOver(person)) return;
  location.reload(); // what this page has read so far is somebody else's
  await new Promise(() => {});
}

/** Remember who uses this browser; false where it was somebody else, whose texts and settings it then forgets. */
export function takeOver(person: Person): boolean {
  const before = readStored(STORED_PERSON);
  const isOther = before !== null && before !== person.id;
  if (isOther) clearStored();
  writeStored(STORED_PERSON, person.id);
  return !isOther;
}

async function showPage(session: SessionCalls, target: HTMLElement, state: SessionState | null): Promise<Person> {
  const person = await new Promise<Person>((resolve) => {
    const page = mount(SignInPage, {
      target,
      props: {
        session,
        state,
        code: currentPath() === CODE_PATH ? decodeURIComponent(location.hash.slice(1)) : null,
        done: (found: Person) => void unmount(page).then(() => resolve(found)),
      },
    });
  });
  if (currentPath() === CODE_PATH) history.replaceState(null, "", toAddress("/"));
  return person;
}
