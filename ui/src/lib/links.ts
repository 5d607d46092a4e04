// Runs a link's action in place, unless the person wants another tab.

export function followLink(event: MouseEvent, action: () => void): void {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  action();
}
