// A call that the server has not seen: it is being decided, or waits for a person.
//
// In: what ends it. Out: its end, once, to its waiter. Must not lose one.

/** How it ended before it was passed on: `silent` where its client gave it up or is gone, `refused` where an answer may still arrive. */
export type End = "silent" | "refused";

/** What `during` rejects with. */
export const ENDED = Symbol("the call ended");

export class Waiting {
  /** Whether somebody is being asked for approval. */
  asking = false;
  #ended: End | null = null;
  #over: (() => void) | undefined;
  #abort: AbortController | undefined;

  /** How it ended; null while it goes on. */
  get ended(): End | null {
    return this.#ended;
  }

  /** Aborted when it ends. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#ended !== null) this.#abort.abort();
    return this.#abort.signal;
  }

  end(how: End): void {
    if (this.#ended !== null) return;
    this.#ended = how;
    // Before the signal: what its listeners answer comes too late.
    this.#over?.();
    this.#abort?.abort();
  }

  /** What `work` comes to; rejects with `ENDED` as soon as the call has ended. */
  during<T>(work: T | PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#over = () => reject(ENDED);
      if (this.#ended !== null) this.#over();
      Promise.resolve(work).then(resolve, reject);
    });
  }
}
