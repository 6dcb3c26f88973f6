/// <reference lib="esnext.disposable" preserve="true" />
// The store: counters that engines share, opened once for any number of namespaces.
//
// In: a URL, and names of namespaces. Out: handles for engines, and the counters in them. Must never show the URL: it may hold a
// password.

import { inspect } from "node:util";

import * as native from "../native.js";
import { throwing, typed } from "./errors.js";
import { type ApprovalByPerson, type FiledCall, answerFiled, filed, findFiled } from "./filed.js";
import { type Kind, millis, read } from "./options.js";

/** A counter that holds something (clause 8.12), for one scope value. Amounts are exact decimal strings. */
export interface LiveCounter {
  /** Names it for `resetCounter`, in every process that shares the store. */
  readonly key: string;
  /** The key in `tools`; null for `all_tools`. */
  readonly entry: string | null;
  readonly counter: string;
  /** What it counts by. */
  readonly scope: string;
  /** For whom it counts, as `callgate counters list` shows it. */
  readonly scopeValue: string;
  readonly window: string;
  readonly algorithm: "fixed" | "sliding";
  /** What it holds. */
  readonly used: string;
  /** When it holds nothing any more if nothing else happens. */
  readonly resetsAt: Date | null;
}

/** How a store is opened. A name that is not listed here is an error. */
export interface StoreOptions {
  /** Prefix of the counters in a store that several servers share: `callgate` unless given. */
  readonly namespace?: string;
  /** How long a call waits for the store, in milliseconds. */
  readonly timeoutMs?: number;
}

const OPTIONS: Readonly<Record<keyof StoreOptions, Kind>> = { namespace: "string", timeoutMs: "number" };
/** What makes a store of a handle that is open. */
const OPENED = Symbol("opened");

/**
 * Counters that engines share (clause 8.15): a store that was opened once, in one of its namespaces. `namespaced` gives the
 * counters of another, which share the open file or the connections.
 *
 * Closing the store that was opened closes all of its namespaces; closing one that `namespaced` gave closes that one alone.
 */
export class Store {
  /** @internal */
  readonly native: native.NativeStore;

  /**
   * Opens the store that a URL names: `memory`, `sqlite:///path`, `redis://host:port`.
   *
   * @throws {StoreError} where it cannot be opened, {TypeError} for options that are not known.
   */
  constructor(url: string, options?: StoreOptions);
  /** @internal */
  constructor(url: typeof OPENED, opened: native.NativeStore);
  constructor(url: string | typeof OPENED, given: StoreOptions | native.NativeStore = {}) {
    if (url === OPENED) {
      this.native = given as native.NativeStore;
      return;
    }
    if (typeof url !== "string") throw new TypeError("a store has a URL");
    const { namespace, timeoutMs } = read(given as StoreOptions, OPTIONS);
    this.native = opened(url, namespace, timeoutMs === undefined ? undefined : millis("timeoutMs", timeoutMs), false);
  }

  /**
   * The counters of another namespace of this store; the same ones where the name is the same. Opens nothing.
   *
   * @throws {StoreError} where the store admits no such name, or is closed.
   */
  namespaced(name: string): Store {
    if (typeof name !== "string") throw new TypeError("a namespace has a name");
    return new Store(OPENED, throwing(() => this.native.namespaced(name)));
  }

  /** The name of the namespace. */
  get namespace(): string {
    return this.native.namespace;
  }

  /**
   * Every counter that holds something, in no particular order (clause 8.12). For operators: a store may have millions.
   *
   * @throws {StoreError} where the counters cannot be reached.
   */
  counters(): LiveCounter[] {
    return counters(this.native, null);
  }

  /** `counters` without blocking on a store that waits for a disk or a network. */
  async countersAsync(): Promise<LiveCounter[]> {
    return countersAsync(this.native, null);
  }

  /**
   * Makes a counter that `counters` listed hold nothing, and tells whether it held something (clause 8.12). A charge made before
   * is not given back after it.
   *
   * @throws {StoreError} where it is unknown whether the counter was reset, {TypeError} for a key that names no counter.
   */
  resetCounter(counter: Pick<LiveCounter, "key">): boolean {
    return resetCounter(this.native, counter, null);
  }

  /** `resetCounter` without blocking on a store that waits for a disk or a network. */
  async resetCounterAsync(counter: Pick<LiveCounter, "key">): Promise<boolean> {
    return resetCounterAsync(this.native, counter, null);
  }

  /**
   * Calls of the namespace that wait for approval, or were answered and have not ended, the oldest first (clause 7.10).
   *
   * @throws {StoreError} where they cannot be read.
   */
  approvals(): Promise<FiledCall[]> {
    return filed(this.native, null);
  }

  /** One of them, with what is kept of its arguments; null where none that stands has this id. */
  approval(id: string): Promise<FiledCall | null> {
    return findFiled(this.native, id, null);
  }

  /**
   * Grants a call, from whatever process (clause 7.8): made again, it passes. A later answer takes the place of an earlier one.
   *
   * @returns the record as it stands now; null where none that stands has this id.
   * @throws {CallgateError} `not_an_approver` where its rules name others, `approval_used` where it was let through before; {StoreError} where it
   * is unknown whether the answer holds.
   */
  grantApproval(id: string, answer: ApprovalByPerson): Promise<FiledCall | null> {
    return answerFiled(this.native, id, true, answer, null);
  }

  /** Denies a call, or takes a grant back; as `grantApproval`. */
  denyApproval(id: string, answer: ApprovalByPerson): Promise<FiledCall | null> {
    return answerFiled(this.native, id, false, answer, null);
  }

  /** Closes it: what engines ask afterwards certainly was not done. Calls that wait for the store get their answers. */
  close(): void {
    this.native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal */
  [inspect.custom](): string {
    return `Store { ${this.native.kind}, namespace: ${inspect(this.namespace)} }`;
  }
}

/** @internal The native store that a URL names. */
export function opened(url: string, namespace: string | undefined, timeout: number | undefined, mayBeAway: boolean): native.NativeStore {
  const settings: native.StoreSettings = { mayBeAway };
  if (namespace !== undefined) settings.namespace = namespace;
  if (timeout !== undefined) settings.timeout = timeout;
  return throwing(() => native.NativeStore.open(url, settings));
}

/** @internal */
export function counters(store: native.NativeStore, at: number | null): LiveCounter[] {
  return throwing(() => store.counters(at)).map(live);
}

/** @internal */
export async function countersAsync(store: native.NativeStore, at: number | null): Promise<LiveCounter[]> {
  if (store.immediate) return counters(store, at);
  const found = await throwing(() => store.countersAsync(at));
  if (isFailure(found)) throw typed(...found);
  return found.map(live);
}

/** @internal */
export function resetCounter(store: native.NativeStore, counter: Pick<LiveCounter, "key">, at: number | null): boolean {
  const key = keyOf(counter);
  return throwing(() => store.resetCounter(key, at));
}

/** @internal */
export async function resetCounterAsync(store: native.NativeStore, counter: Pick<LiveCounter, "key">, at: number | null): Promise<boolean> {
  if (store.immediate) return resetCounter(store, counter, at);
  const key = keyOf(counter);
  const reset = await throwing(() => store.resetCounterAsync(key, at));
  if (typeof reset !== "boolean") throw typed(...reset);
  return reset;
}

function live({ resetsAt, ...counter }: native.LiveCounter): LiveCounter {
  const { entry = null, algorithm } = counter;
  return { ...counter, entry, algorithm: algorithm === "sliding" ? "sliding" : "fixed", resetsAt: resetsAt === undefined ? null : new Date(resetsAt) };
}

function isFailure(found: native.LiveCounter[] | [code: string, message: string]): found is [code: string, message: string] {
  return typeof found[0] === "string";
}

function keyOf(counter: Pick<LiveCounter, "key">): string {
  const key: unknown = (counter as Partial<LiveCounter> | null | undefined)?.key;
  if (typeof key !== "string") throw new TypeError("a counter is one of those that `counters` lists");
  return key;
}
