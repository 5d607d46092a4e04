// Applies the appearance that ui/src/lib/appearance.ts stored in this browser, before the first paint.
try {
  const look = JSON.parse(localStorage.getItem("eclair.look") || "{}");
  for (const name in look) document.documentElement.setAttribute(name, look[name]);
} catch {
  // The storage is blocked or holds something else: the default appearance is fine.
}
