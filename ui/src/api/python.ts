// Sandboxed Python: what it can use, its data tools, and the files that it made in a conversation.

import type { FileState } from "./files.ts";
import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** What code of models can use, and the state of the data tools. */
export type PythonStatus = Reply<"/api/python", "get">;

/** A version of a file that Python made. */
export type WorkspaceFile = Reply<"/api/conversations/{id}/workspace", "get">["files"][number];

type Version = Pick<WorkspaceFile, "name" | "version">;

function address(conversation: string, { name, version }: Version): string {
  return `/api/conversations/${conversation}/workspace/${name.split("/").map(encodeURIComponent).join("/")}?version=${version}`;
}

export class PythonCalls extends Resource {
  status(): Promise<PythonStatus> {
    return this.client.call("GET", "/api/python");
  }

  install(): Promise<PythonStatus["data_tools"]> {
    return this.client.call("POST", "/api/python/data-tools");
  }

  cancel(): Promise<void> {
    return this.client.call("DELETE", "/api/python/data-tools/installation");
  }

  async remove(): Promise<void> {
    await this.client.call("DELETE", "/api/python/data-tools");
  }

  /** A file's bytes. */
  file(conversation: string, file: Version, signal?: AbortSignal): Promise<Response> {
    return this.client.request("GET", address(conversation, file), undefined, signal);
  }

  /** Keep it as a file of the person, for a message to be sent with. */
  keep(conversation: string, file: Version): Promise<FileState> {
    return this.client.call("POST", address(conversation, file));
  }

  download(conversation: string, file: Version): Promise<Response> {
    return this.client.request("GET", `${address(conversation, file)}&download=true`);
  }
}
