// The second wall: whatever the renderer let through, nothing that acts reaches the page.

import DOMPurify from "dompurify";

export function clean(html: string): string {
  return DOMPurify.sanitize(html, { ADD_ATTR: ["target"], FORBID_ATTR: ["style"], FORBID_TAGS: ["style", "form"] });
}
