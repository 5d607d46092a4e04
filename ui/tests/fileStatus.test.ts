// The states of the files on the page.

import assert from "node:assert/strict";
import { test } from "vitest";
import type { FileState } from "../src/api/files.ts";
import { FileStatuses } from "../src/state/fileStatus.svelte.ts";

function file(state: FileState["state"]): FileState {
  return { id: "file_1", state, chunks: 1, embedded: 1 } as FileState;
}

/** A server whose file has been read, and the ids that it was asked for. */
function read(): { statuses: FileStatuses; asked: string[] } {
  const asked: string[] = [];
  const get = (id: string): Promise<FileState> => {
    asked.push(id);
    return Promise.resolve(file("ready"));
  };
  return { statuses: new FileStatuses({ files: { get } }), asked };
}

test("a file that was read before it is shown doesn't stay as its upload's reply had it", async () => {
  const { statuses, asked } = read();
  statuses.set(file("queued"));
  await statuses.refresh();
  assert.deepEqual(asked, [], "what isn't shown isn't looked at");
  statuses.show("file_1");
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(asked, ["file_1"]);
  assert.equal(statuses.known.get("file_1")?.state, "ready");
});

test("a file that is settled isn't read again", () => {
  const { statuses, asked } = read();
  statuses.set(file("ready"));
  statuses.show("file_1");
  assert.deepEqual(asked, []);
});
