// Keeps front matter first: below anything else it would be a rule and a heading.

import { Plugin } from "prosemirror-state";
import { isFrontMatter } from "./parse.ts";

export const frontMatterFirst = new Plugin({
  appendTransaction(_transactions, { doc: before }, { doc, tr }) {
    const { firstChild: front } = before;
    if (front === null || doc.firstChild === front || !isFrontMatter(front)) return null;
    let at = -1;
    doc.forEach((block, offset) => {
      if (block === front) at = offset;
    });
    return at < 0 ? null : tr.delete(at, at + front.nodeSize).insert(0, front);
  },
});
