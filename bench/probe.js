// Measures inside the page what a person would notice; runs before the page's own scripts. Nothing is looked at while
// an answer streams but what cannot be looked at later: what arrived is kept as bytes and read at the end.
{
  const now = () => performance.now();
  /** Where the page has its answers. Another page than ours says it in `probed`. */
  const found = () => globalThis.probed ?? { pane: "section[tabindex]", prose: "article .prose" };
  const probe = {
    chunks: [],
    frames: [],
    paints: [],
    commits: [],
    tasks: [],
    keys: [],
    events: [],
    wanted: null,
    shown: null,
    painting: null,
    clear() {
      for (const list of [probe.chunks, probe.frames, probe.paints, probe.commits, probe.tasks, probe.keys, probe.events]) list.length = 0;
    },
    /** What was measured since `clear`, with the letters that had arrived at each moment. */
    read() {
      const arrivals = letters(probe.chunks);
      const { frames, paints, commits, tasks, keys, events } = probe;
      return { arrivals, frames: [...frames], paints: [...paints], commits: [...commits], tasks: [...tasks], keys: [...keys], events: [...events] };
    },
    /** Elements and texts of the page but for those of the turns that are seen. */
    nodes() {
      const count = (root) => {
        const walker = document.createTreeWalker(root);
        let total = 0;
        while (walker.nextNode() !== null) total += 1;
        return total;
      };
      const pane = document.querySelector(found().pane).getBoundingClientRect();
      const seen = [...document.querySelectorAll("article")].filter((article) => {
        const { top, bottom } = article.getBoundingClientRect();
        return bottom > pane.top && top < pane.bottom;
      });
      return count(document) - seen.reduce((sum, article) => sum + count(article), 0);
    },
    /** From the last byte of a conversation to its end on the screen. */
    opened(id) {
      const read = performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(`/conversations/${id}`));
      return probe.shown - read[0].responseEnd;
    },
    scripts() {
      return performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => name.endsWith(".js"));
    },
  };
  globalThis.probe = probe;

  const observe = (type, list, value, more = {}) =>
    new PerformanceObserver((seen) => list.push(...seen.getEntries().flatMap(value))).observe({ type, buffered: true, ...more });
  observe("longtask", probe.tasks, (task) => [[task.startTime, task.duration]]);
  observe("event", probe.events, (event) => (event.name === "keydown" ? [event.duration] : []), { durationThreshold: 16 });
  observe("paint", [], ({ name, startTime }) => {
    if (name === "first-contentful-paint") probe.painting = startTime;
    return [];
  });

  // What arrives: each piece of a fetched body as it is handed to the page.
  const read = ReadableStreamDefaultReader.prototype.read;
  ReadableStreamDefaultReader.prototype.read = async function (...given) {
    const got = await read.apply(this, given);
    if (got.value instanceof Uint8Array) probe.chunks.push([now(), got.value, this]);
    return got;
  };

  function letters(chunks) {
    const decoder = new TextDecoder();
    const arrivals = [];
    let rest = "";
    let count = 0;
    for (const [time, bytes] of chunks) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (!line.startsWith("data: ")) continue;
        const event = JSON.parse(line.slice(6));
        if (event.type === "part.delta") count += event.text.replace(/\s+/g, "").length;
      }
      arrivals.push([time, count]);
    }
    return arrivals;
  }

  // What is shown: the letters of the last answer, counted block by block and only where something changed.
  const known = new WeakMap();
  function visible() {
    const prose = [...document.querySelectorAll(found().prose)].at(-1);
    if (prose === undefined) return 0;
    let total = 0;
    for (const block of prose.children) {
      let count = known.get(block);
      if (count === undefined) known.set(block, (count = block.textContent.replace(/\s+/g, "").length));
      total += count;
    }
    return total;
  }

  /** In the next task, before whatever else waits for one. */
  const soon = (action) => void scheduler.postTask(action, { priority: "user-blocking" });
  let inFrame = false;
  let changes = 0;
  let painting = false;

  /** Once the frame that is being made has been laid out and painted. */
  function painted(action) {
    if (inFrame) soon(action);
    else requestAnimationFrame(() => soon(action));
  }

  function tick(time) {
    probe.frames.push(time);
    if (changes > 0) probe.commits.push([time, changes]);
    changes = 0;
    inFrame = true;
    soon(() => (inFrame = false));
    requestAnimationFrame(tick);
  }
  requestAnimationFrame(tick);

  function changed(records) {
    const within = (selector) => records.filter(({ target }) => (target.nodeType === 1 ? target : target.parentElement)?.closest(selector));
    const own = within(found().pane);
    if (own.length === 0) return;
    for (const { target } of own) {
      for (let at = target; at; at = at.parentElement) known.delete(at);
    }
    if (within(found().prose).length > 0) changes += 1;
    if (painting) return;
    painting = true;
    painted(() => {
      painting = false;
      const pane = document.querySelector(found().pane);
      const below = pane === null ? 0 : pane.scrollHeight - pane.scrollTop - pane.clientHeight;
      probe.paints.push([now(), visible(), below]);
      if (probe.wanted === null || pane === null) return;
      const box = document.getElementById(probe.wanted)?.getBoundingClientRect();
      if (box === undefined || box.height === 0 || box.top > innerHeight || box.bottom < 0) return;
      probe.wanted = null;
      probe.shown = now();
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(changed).observe(document.body, { childList: true, characterData: true, subtree: true });
    // A turn that is laid out at another size than was guessed moves without a change in the tree.
    document.addEventListener("scroll", () => probe.wanted !== null && changed([{ target: document.querySelector(found().pane) }]), true);
  });
  addEventListener(
    "keydown",
    ({ timeStamp }) => painted(() => probe.keys.push(now() - timeStamp)),
    true,
  );
}
