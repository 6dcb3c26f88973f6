// Calls that the server has not seen: they are being decided, or wait for a person.
//
// In: calls by their ids, and what ends them. Out: the end of each, once, to its waiter. Must not lose one.

import { type Id, keyOf } from "./mcp-message.js";

/**
 * How a call ended before it was passed on: `silent` where nobody may be answered (the connection is closed, the client
 * cancelled, the id is another request's now), `refused` where an answer may still arrive.
 */
export type End = "silent" | "refused";

/** What `during` rejects with. */
export const ENDED = Symbol("the call ended");

/** One such call. */
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

/** Those of one connection. */
export class Undecided {
  readonly #calls = new Map<Id, Waiting>();
  /** Set once no new one may ask or begin. */
  #all: { how: End; asking: boolean } | undefined;

  /** A call that began. One that has its id ends: an answer could not tell them apart. */
  begin(id: Id, stream: AbortSignal | undefined): Waiting {
    this.end(id, "silent");
    const waiting = new Waiting();
    this.#calls.set(keyOf(id), waiting);
    if (this.#all?.asking === false || stream?.aborted === true) waiting.end(this.#all?.how ?? "refused");
    else stream?.addEventListener("abort", () => waiting.end("refused"), { once: true });
    return waiting;
  }

  /** A call asks for approval from here on; it ends at once if nobody who asks may wait any more. */
  ask(waiting: Waiting): void {
    waiting.asking = true;
    if (this.#all !== undefined) waiting.end(this.#all.how);
  }

  /** It was passed on, or answered. */
  done(id: Id, waiting: Waiting): void {
    if (this.#calls.get(keyOf(id)) === waiting) this.#calls.delete(keyOf(id));
  }

  end(id: Id, how: End): void {
    this.#calls.get(keyOf(id))?.end(how);
  }

  /** Ends all, now and later; with `asking` those that ask for approval. */
  endAll(how: End, asking: boolean): void {
    if (this.#all?.asking === false) return;
    this.#all = { how, asking };
    for (const waiting of this.#calls.values()) if (waiting.asking || !asking) waiting.end(how);
  }
}
