// Files and their pages. The server counts characters where JavaScript counts UTF-16 units.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** A file and how far it is read; of its `chunks` those that are `embedded` are found by meaning too. */
export type FileState = FilePage["files"][number];

/** Files of one library, newest first; `next` is where those after them begin. */
export type FilePage = Reply<"/api/files", "get">;

/** A page as text; its first character is number `start` of the document. `picture` is null where it has no fixed form. */
export type DocumentPage = Reply<"/api/files/{id}/pages/{number}", "get">;

/** Characters `start` to `end` of a page. */
export type PageBlock = DocumentPage["blocks"][number];

/** Where words stand, in shares of a page's width and height. */
export type Box = Reply<"/api/files/{id}/boxes", "get">[number];

export class FileCalls extends Resource {
  /** Have a file read: for a message, or for the library that is named. */
  add(file: File, library: string | null, progress: (share: number) => void, signal: AbortSignal): Promise<FileState> {
    const name = file.name.replace(/[/\\\p{Cc}]/gu, "_").slice(-255);
    const query = new URLSearchParams(library === null ? { name } : { name, library });
    return this.client.upload(`/api/files?${query}`, file, progress, signal);
  }

  get(id: string): Promise<FileState> {
    return this.client.call("GET", `/api/files/${id}`);
  }

  /** The files of a library, from the newest on or after those that were read before. */
  list(library: string, before: string | null): Promise<FilePage> {
    const query = new URLSearchParams(before === null ? { library } : { library, before });
    return this.client.call("GET", `/api/files?${query}`);
  }

  /** Erase a file with all that was read of it. */
  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/files/${id}`);
  }

  readAgain(id: string): Promise<FileState> {
    return this.client.call("POST", `/api/files/${id}/retry`);
  }

  /** The file itself. */
  content(id: string): Promise<Response> {
    return this.client.request("GET", `/api/files/${id}/content`);
  }

  page(file: string, page: number, signal: AbortSignal): Promise<DocumentPage> {
    return this.client.call("GET", `/api/files/${file}/pages/${page}`, undefined, signal);
  }

  /** The image of a page, so many pixels wide. */
  pageImage(address: string, width: number, signal: AbortSignal): Promise<Blob> {
    return this.client.request("GET", `${address}?width=${width}`, undefined, signal).then((response) => response.blob());
  }

  /** Where characters `start` to `end` of a document stand on its pages. */
  boxes(file: string, start: number, end: number, signal: AbortSignal): Promise<readonly Box[]> {
    return this.client.call("GET", `/api/files/${file}/boxes?start=${start}&end=${end}`, undefined, signal);
  }
}
