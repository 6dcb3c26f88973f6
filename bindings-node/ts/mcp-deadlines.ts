// What ends at a time of its own, under one timer.
//
// In: entries, each with its end. Out: those whose time has passed, together. Must not keep the process alive, and must not hold a timer for each.

/** How long after some have ended the others are looked at again at the soonest: to look takes as long as there are entries. */
const PAUSE_MS = 100;

/** In the relay's time: milliseconds from any start. */
export function now(): number {
  return Math.floor(performance.now());
}

export class Deadlines<T> {
  readonly #ends = new Map<T, number>();
  readonly #over: (entries: T[], now: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #next = Infinity;

  /** `over` is told of entries that have ended, which are forgotten by then. */
  constructor(over: (entries: T[], now: number) => void) {
    this.#over = over;
  }

  get size(): number {
    return this.#ends.size;
  }

  add(entry: T, end: number): void {
    this.#ends.set(entry, end);
    this.#wakeAt(end);
  }

  /** Whether it had not ended. */
  delete(entry: T): boolean {
    const was = this.#ends.delete(entry);
    if (this.#ends.size === 0) this.clear();
    return was;
  }

  /** Nothing ends any more. */
  clear(): void {
    this.#ends.clear();
    clearTimeout(this.#timer);
    this.#next = Infinity;
  }

  #wakeAt(time: number): void {
    if (time >= this.#next) return;
    clearTimeout(this.#timer);
    this.#next = time;
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, time - now()));
    // A process that has nothing else to do ends, and all this with it.
    this.#timer.unref?.();
  }

  #wake(): void {
    // A timer may be early.
    const time = Math.max(this.#next, now());
    const ended: T[] = [];
    let next = Infinity;
    for (const [entry, end] of this.#ends) {
      if (end > time) next = Math.min(next, end);
      else ended.push(entry);
    }
    for (const entry of ended) this.#ends.delete(entry);
    this.#next = Infinity;
    if (next < Infinity) this.#wakeAt(Math.max(next, time + PAUSE_MS));
    this.#over(ended, time);
  }
}
