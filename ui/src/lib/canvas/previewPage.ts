// The documents that the preview frame shows: a page as it is, or a React component with what it needs.

import preact from "preact-files/dist/preact.umd.js?raw";
import hooks from "preact-files/hooks/dist/hooks.umd.js?raw";
import compat from "preact-files/compat/dist/compat.umd.js?raw";

/** What a component may import. */
const MODULES = `{"react": preactCompat, "preact": preact, "preact/hooks": preactHooks, "react-dom": preactCompat, "react-dom/client": {
  createRoot: (at) => ({ render: (what) => preactCompat.render(what, at) }) } }`;

const STYLE = "body{margin:0;padding:1rem;font:16px/1.5 system-ui,sans-serif;background:#fff;color:#1d1d1d}";

/** The document of a component; its imports are looked up among what we serve. */
export async function componentPage(source: string): Promise<string> {
  const { transform } = await import("sucrase");
  const { code } = transform(source, { transforms: ["jsx", "typescript", "imports"], jsxRuntime: "classic", production: true });
  const start = `
const modules = ${MODULES};
const React = preactCompat;
const exports = {};
const module = { exports };
const require = (name) => {
  if (/\\.css$/.test(name)) return {};
  if (!(name in modules)) throw Object.assign(new Error(name), { name: "MissingModule" });
  return modules[name];
};
${code}
;const Shown = exports.default ?? module.exports.default ?? (typeof App === "function" ? App : null) ?? Object.values(exports).find((each) => typeof each === "function");
if (Shown) preactCompat.render(React.createElement(Shown), document.getElementById("root"));`;
  const scripts = [preact, hooks, compat].map((library) => script(library)).join("");
  return `<!doctype html><html><head><meta charset="utf-8"><style>${STYLE}</style></head><body><div id="root"></div>${scripts}${script(`(() => {${start}\n})()`)}</body></html>`;
}

function script(text: string): string {
  return `<script>${text.replace(/<\/(script)/gi, "<\\/$1").replace(/<!--/g, "<\\!--")}</script>`;
}
