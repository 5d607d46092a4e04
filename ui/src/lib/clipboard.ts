// Copies text to the clipboard, also on plain http pages, which have no clipboard API.

/** `html` is a rich version of `text` for programs that accept it. */
export async function copyToClipboard(text: string, html?: string): Promise<void> {
  if (navigator.clipboard === undefined) return copyWithCommand(text, html);
  if (html === undefined) return navigator.clipboard.writeText(text);
  const types = { "text/plain": text, "text/html": html };
  const blobs = Object.entries(types).map(([type, data]) => [type, new Blob([data], { type })] as const);
  await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(blobs))]);
}

function copyWithCommand(text: string, html: string | undefined): void {
  const onCopy = (event: ClipboardEvent) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    event.clipboardData?.setData("text/plain", text);
    if (html !== undefined) event.clipboardData?.setData("text/html", html);
  };
  document.addEventListener("copy", onCopy, { capture: true, once: true });
  document.execCommand("copy");
  document.removeEventListener("copy", onCopy, { capture: true });
}
