// Reads JSON that is still being written, as far as it has come.

const MAX_DEPTH = 32;

/** The value so far: a string ends where it does by now, a number or word counts once it is whole; undefined for none. */
export function growingJson(text: string): unknown {
  return new Reader(text).value(0);
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): unknown {
    this.#skipSpace();
    switch (this.#text[this.#at]) {
      case '"':
        return this.#string();
      case "{":
        return depth < MAX_DEPTH ? Object.fromEntries(this.#entries(depth)) : this.#end();
      case "[":
        return depth < MAX_DEPTH ? [...this.#items(depth)] : this.#end();
      default:
        return this.#word();
    }
  }

  *#entries(depth: number): Generator<[string, unknown]> {
    while (this.#goesOn("}")) {
      if (this.#text[this.#at] !== '"') return this.#end();
      const name = this.#string();
      this.#skipSpace();
      if (this.#text[this.#at] !== ":") return this.#end();
      this.#at++;
      const value = this.value(depth + 1);
      if (value !== undefined) yield [name, value];
    }
  }

  *#items(depth: number): Generator<unknown> {
    while (this.#goesOn("]")) {
      const value = this.value(depth + 1);
      if (value !== undefined) yield value;
    }
  }

  /** Step over an opening mark or a comma; false at `close`, which is stepped over, and where the text ends. */
  #goesOn(close: string): boolean {
    this.#skipSpace();
    const mark = this.#text[this.#at];
    if (mark === undefined) return false;
    if (mark !== close && !"{[,".includes(mark)) this.#end();
    this.#at++;
    if (mark === close) return false;
    this.#skipSpace();
    if (this.#text[this.#at] !== close) return this.#at < this.#text.length;
    this.#at++;
    return false;
  }

  #string(): string {
    const from = ++this.#at;
    let to = from;
    while (to < this.#text.length && this.#text[to] !== '"') {
      const next = to + (this.#text[to] !== "\\" ? 1 : this.#text[to + 1] === "u" ? 6 : 2);
      if (next > this.#text.length) break; // half of an escape
      to = next;
    }
    const isWhole = this.#text[to] === '"';
    this.#at = isWhole ? to + 1 : this.#text.length;
    const read = unescaped(this.#text.slice(from, to));
    return isWhole ? read : read.replace(/[\ud800-\udbff]$/, "");
  }

  #word(): unknown {
    const from = this.#at;
    while (this.#at < this.#text.length && !/[\s,\]}]/.test(this.#text[this.#at] ?? "")) this.#at++;
    if (this.#at === this.#text.length) return undefined; // more of it may come
    try {
      return JSON.parse(this.#text.slice(from, this.#at)) as unknown;
    } catch {
      return this.#end();
    }
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  /** Read no further. */
  #end(): undefined {
    this.#at = this.#text.length;
    return undefined;
  }
}

/** The text between two quotes, unescaped; unchanged if it isn't valid JSON, such as one with raw line breaks. */
function unescaped(body: string): string {
  try {
    return JSON.parse(`"${body}"`) as string;
  } catch {
    return body;
  }
}
