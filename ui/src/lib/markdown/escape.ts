// Text as HTML. Characters that change the text direction are shown, and affect nothing but themselves.

const CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;

/** Escape text between tags. */
export function escape(text: string): string {
  return text.replace(/[&<>"']/g, reference);
}

/** Escape a value in double quotes. */
export function attribute(text: string): string {
  return text.replace(/[&<>"'\u202a-\u202e\u2066-\u2069]/g, reference);
}

/** The HTML with every bidirectional control between its tags made visible. */
export function shown(html: string): string {
  return html.replace(CONTROLS, (c) => `<bdi class="control" data-code="${name(c)}">${c}</bdi>`);
}

/** `text` split before and after each bidirectional control: those have odd indices. */
export function controls(text: string): string[] {
  return text.split(/([\u202a-\u202e\u2066-\u2069])/);
}

/** `U+202E` */
export function name(control: string): string {
  return `U+${control.charCodeAt(0).toString(16).toUpperCase()}`;
}

function reference(c: string): string {
  return `&#${c.charCodeAt(0)};`;
}
