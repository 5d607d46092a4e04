// Files and their pages. The server counts characters where JavaScript counts UTF-16 units.

import { toAddress } from "./address.ts";
import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** A file and how much of it is read; of its `chunks`, those `embedded` can be searched by meaning. */
export type FileState = FilePage["files"][number];

/** Files of one library, newest first; `next` is where the next page begins. */
export type FilePage = Reply<"/api/files", "get">;

/** A page as text that begins at character `start` of the document. `picture` is null where it has no fixed layout. */
export type DocumentPage = Reply<"/api/files/{id}/pages/{number}", "get">;

/** Characters `start` to `end` of a page. */
export type PageBlock = DocumentPage["blocks"][number];

/** The position of quoted words, as shares of a page's width and height. */
export type Box = Reply<"/api/files/{id}/boxes", "get">[number];

/** About a sentence of a recording: its times in seconds, and its characters `first` to `last` in the document. */
export type HeardSentence = Reply<"/api/files/{id}/transcript", "get">["sentences"][number];

function toQuery(member: string | null): string {
  return member === null ? "" : `?${new URLSearchParams({ member })}`;
}

export class FileCalls extends Resource {
  /** Upload a file, for a message or for the library that is named. */
  add(file: File, library: string | null, progress: (share: number) => void, signal: AbortSignal): Promise<FileState> {
    const name = file.name.replace(/[/\\\p{Cc}]/gu, "_").slice(-255);
    const query = new URLSearchParams(library === null ? { name } : { name, library });
    return this.client.upload(`/api/files?${query}`, file, progress, signal);
  }

  get(id: string): Promise<FileState> {
    return this.client.call("GET", `/api/files/${id}`);
  }

  /** List the files of a library, newest first, or those after the page before. */
  list(library: string, before: string | null): Promise<FilePage> {
    const query = new URLSearchParams(before === null ? { library } : { library, before });
    return this.client.call("GET", `/api/files?${query}`);
  }

  /** Delete a file with everything read from it. */
  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/files/${id}`);
  }

  readAgain(id: string): Promise<FileState> {
    return this.client.call("POST", `/api/files/${id}/retry`);
  }

  /** Download the file itself. */
  content(id: string): Promise<Response> {
    return this.client.request("GET", `/api/files/${id}/content`);
  }

  page(file: string, page: number, signal: AbortSignal): Promise<DocumentPage> {
    return this.client.call("GET", `/api/files/${file}/pages/${page}`, undefined, signal);
  }

  /** The transcript of a recording, or of the `member` of an archive or e-mail, as far as it has been transcribed. */
  transcript(file: string, member: string | null, signal: AbortSignal): Promise<{ readonly sentences: readonly HeardSentence[] }> {
    return this.client.call("GET", `/api/files/${file}/transcript${toQuery(member)}`, undefined, signal);
  }

  /** Download the transcript as text or subtitles, as far as it has been made. */
  transcriptFile(file: string, member: string | null, format: "text" | "srt" | "vtt"): Promise<Response> {
    const query = new URLSearchParams({ format, ...(member !== null && { member }) });
    return this.client.request("GET", `/api/files/${file}/transcript?${query}`);
  }

  /** The address that plays a recording; browsers whose key is needed can't play from there. */
  soundAddress(file: string, member: string | null): string {
    return toAddress(`/api/files/${file}/sound${toQuery(member)}`);
  }

  /** Download a recording, or the `member` of an archive or e-mail. */
  sound(file: string, member: string | null): Promise<Response> {
    return this.client.request("GET", `/api/files/${file}/sound${toQuery(member)}`);
  }

  /** The image of a page, `width` pixels wide. */
  pageImage(address: string, width: number, signal: AbortSignal): Promise<Blob> {
    return this.client.request("GET", `${address}?width=${width}`, undefined, signal).then((response) => response.blob());
  }

  /** Where characters `start` to `end` of a document are on its pages. */
  boxes(file: string, start: number, end: number, signal: AbortSignal): Promise<readonly Box[]> {
    return this.client.call("GET", `/api/files/${file}/boxes?start=${start}&end=${end}`, undefined, signal);
  }
}
