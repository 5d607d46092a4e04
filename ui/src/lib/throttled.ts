/** Returns a function that calls `act` at once, and if it is called again meanwhile, once more after `intervalMs`. */
export function throttled(act: () => void, intervalMs: number): () => void {
  let waiting = false;
  let due = false;
  const run = () => {
    waiting = true;
    due = false;
    setTimeout(() => {
      waiting = false;
      if (due) run();
    }, intervalMs);
    act();
  };
  return () => {
    if (waiting) due = true;
    else run();
  };
}
