// A person's message, in the server's format.

import type { Message } from "../api/events.ts";
import type { ImageOptions } from "../api/conversations.ts";
import { toStoredOptions } from "./images.ts";

type UserMessageInput = Pick<Message, "id" | "parent"> & Partial<Pick<Message, "files" | "libraries">> & { readonly text: string; readonly draw?: ImageOptions; readonly comparison?: Message["comparison"] };

export function userMessage(conversation: string, { id, parent, text, files = [], libraries = [], draw, comparison = null }: UserMessageInput, created = Date.now()): Message {
  const parts = [{ kind: "text", text, id: null, name: null, round: 0 }] as const;
  const rest = { run: null, model: null, finish_reason: null, usage: null, fault: null, remarks: [], steps: [] };
  const references = { files, libraries, passages: [], citations: [], doubts: [], calls: [], wish: draw === undefined ? null : toStoredOptions(draw), rating: null };
  const memories = { used_memories: [], kept_memories: [], computed_figures: [], agents: [] };
  return { id, conversation, parent, role: "user", parts, created, status: "finished", ...rest, ...references, ...memories, comparison };
}
