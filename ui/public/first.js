// Dresses the page before its first paint, as ui/src/lib/appearance.ts has left it in this browser.
try {
  const look = JSON.parse(localStorage.getItem("eclair.look") || "{}");
  for (const name in look) document.documentElement.setAttribute(name, look[name]);
} catch {
  // Storage is forbidden or was written by something else: the system's look is a good one.
}
