// Prints one element of the page alone.

import "./printElement.css";

export function printElement(element: HTMLElement): void {
  const sheet = document.createElement("div");
  sheet.className = "print-sheet";
  sheet.append(element.cloneNode(true));
  for (const details of sheet.querySelectorAll("details")) details.open = true;
  document.body.append(sheet);
  addEventListener("afterprint", () => sheet.remove(), { once: true });
  print();
}
