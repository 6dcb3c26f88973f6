// Choices that a seed repeats.
//
// In: a seed. Out: numbers, one after another, and what is made of them.

export class Choices {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 up to `below`. */
  number(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  /** Once in so many times. */
  oneIn(times: number): boolean {
    return this.number(times) === 0;
  }

  of<T>(things: readonly T[]): T {
    const thing = things[this.number(things.length)];
    if (thing === undefined && things.length === 0) throw new RangeError("nothing to choose from");
    return thing as T;
  }
}
