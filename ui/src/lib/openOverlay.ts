// Menus, lists and dialogs above the page, which Escape closes before it does anything else.

export function hasOpenOverlay(): boolean {
  return document.querySelector("dialog[open], [role=menu], [role=listbox]") !== null;
}
