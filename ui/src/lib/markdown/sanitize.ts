// The second line of defence: whatever the renderer lets through, nothing active reaches the page.

import DOMPurify, { type Config } from "dompurify";

const OPTIONS = {
  ADD_ATTR: ["target"],
  ADD_TAGS: ["semantics", "annotation"],
  FORBID_ATTR: ["style"],
  FORBID_TAGS: ["style", "form"],
  RETURN_DOM_FRAGMENT: true as const,
} satisfies Config;

export function sanitize(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, OPTIONS);
}
