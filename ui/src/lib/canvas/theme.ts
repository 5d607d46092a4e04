// The look of the editor, by the tokens of the page, which reach into its shadow root.

import { HighlightStyle } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export const editorTheme = EditorView.theme({
  "&": { height: "100%", backgroundColor: "transparent", color: "var(--ink)", fontSize: "var(--t-small)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { overflow: "auto", overscrollBehavior: "contain", scrollbarWidth: "thin", fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { padding: "var(--s4) 0 var(--s8)", caretColor: "var(--accent)" },
  ".cm-line": { padding: "0 var(--s4)" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--mark)" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--hover) 45%, transparent)" },
  ".cm-gutters": { backgroundColor: "transparent", border: "0", color: "var(--ink-quiet)" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 var(--s1) 0 var(--s3)", minWidth: "2.2em" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--ink)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--chosen)" },
  ".cm-selectionMatch, .cm-searchMatch": { backgroundColor: "color-mix(in srgb, var(--bolt) 30%, transparent)" },
  ".cm-panels": { backgroundColor: "var(--paper-low)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-panel.cm-search": { padding: "var(--s2) var(--s3)", fontFamily: "var(--sans)" },
  ".cm-panel.cm-search [name=close]": { color: "var(--ink)", fontSize: "1rem" },
  ".cm-textfield": { backgroundColor: "var(--paper-high)", border: "var(--hair) solid var(--line-strong)", borderRadius: "var(--s1)", color: "var(--ink)" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--bubble)", border: "0", borderRadius: "var(--s1)", color: "var(--ink)" },
  // prose
  "&.prose": { fontSize: "var(--t-body)" },
  "&.prose .cm-scroller": { fontFamily: "var(--serif)", lineHeight: "1.75" },
  "&.prose .cm-content": { maxWidth: "var(--measure)", margin: "0 auto", padding: "var(--s5) 0 var(--s8)" },
  "&.prose .cm-line": { padding: "0 var(--s5)" },
  // comparison
  ".cm-deletedChunk": { backgroundColor: "var(--danger-soft)", padding: "0 var(--s4)" },
  "&.prose .cm-deletedChunk": { padding: "0 var(--s5)" },
  ".cm-deletedChunk .cm-deletedText": { background: "color-mix(in srgb, var(--danger) 22%, transparent)", textDecoration: "line-through", textDecorationColor: "color-mix(in srgb, var(--danger) 60%, transparent)" },
  ".cm-deletedChunk .cm-deletedLine, .cm-deletedLine del": { textDecoration: "none" },
  "&.cm-merge-b .cm-changedLine, .cm-changedLine": { backgroundColor: "color-mix(in srgb, var(--code-quoted) 12%, transparent)" },
  "&.cm-merge-b .cm-changedText, .cm-changedText": { background: "color-mix(in srgb, var(--code-quoted) 26%, transparent)" },
  ".cm-insertedLine": { textDecoration: "none" },
});

export const codeColors = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: "var(--code-word)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp, tags.attributeValue], color: "var(--code-quoted)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.unit], color: "var(--code-number)" },
  { tag: [tags.function(tags.variableName), tags.definition(tags.variableName), tags.className, tags.typeName, tags.tagName, tags.propertyName, tags.attributeName], color: "var(--code-name)" },
  { tag: [tags.comment, tags.meta], color: "var(--ink-quiet)", fontStyle: "italic" },
  { tag: tags.heading, fontWeight: "600" },
]);

export const proseColors = HighlightStyle.define([
  { tag: tags.heading, fontWeight: "600" },
  { tag: tags.strong, fontWeight: "700" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: tags.strikethrough, textDecoration: "line-through" },
  { tag: [tags.link, tags.url], color: "var(--accent)" },
  { tag: tags.monospace, fontFamily: "var(--mono)", fontSize: "0.88em" },
  { tag: [tags.processingInstruction, tags.contentSeparator], color: "var(--ink-quiet)" },
]);
