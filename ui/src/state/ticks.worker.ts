// Ticks many times a second, also while the page is hidden: browsers slow the timers of hidden pages, not those of workers.

const TICK_MS = 50;

setInterval(() => postMessage(null), TICK_MS);
