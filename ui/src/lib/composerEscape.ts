// Escape where it is meant for what goes on in the composer: elsewhere, it ends what has the focus or lies above the page.

const OVERLAYS = "dialog[open], [role=menu], [role=listbox]";
/** The body, or the conversation where somebody has clicked in its text. */
const UNFOCUSED = "body, #conversation";

/** True for Escape in the composer's form, or where nothing has the focus. */
export function isComposerEscape({ key, target }: KeyboardEvent): boolean {
  if (key !== "Escape" || !(target instanceof Element) || document.querySelector(OVERLAYS) !== null) return false;
  return target.matches(UNFOCUSED) || document.getElementById("composer")?.closest("form")?.contains(target) === true;
}
