/// <reference lib="esnext.disposable" preserve="true" />
import { type ApprovalByPerson, type FiledCall } from "./filed.js";
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
/**
 * Counters that engines share (clause 8.15): a store that was opened once, in one of its namespaces. `namespaced` gives the
 * counters of another, which share the open file or the connections.
 *
 * Closing the store that was opened closes all of its namespaces; closing one that `namespaced` gave closes that one alone.
 */
export declare class Store {
    /**
     * Opens the store that a URL names: `memory`, `sqlite:///path`, `redis://host:port`.
     *
     * @throws {StoreError} where it cannot be opened, {TypeError} for options that are not known.
     */
    constructor(url: string, options?: StoreOptions);
    /**
     * The counters of another namespace of this store; the same ones where the name is the same. Opens nothing.
     *
     * @throws {StoreError} where the store admits no such name, or is closed.
     */
    namespaced(name: string): Store;
    /** The name of the namespace. */
    get namespace(): string;
    /**
     * Every counter that holds something, in no particular order (clause 8.12). For operators: a store may have millions.
     *
     * @throws {StoreError} where the counters cannot be reached.
     */
    counters(): LiveCounter[];
    /** `counters` without blocking on a store that waits for a disk or a network. */
    countersAsync(): Promise<LiveCounter[]>;
    /**
     * Makes a counter that `counters` listed hold nothing, and tells whether it held something (clause 8.12). A charge made before
     * is not given back after it.
     *
     * @throws {StoreError} where it is unknown whether the counter was reset, {TypeError} for a key that names no counter.
     */
    resetCounter(counter: Pick<LiveCounter, "key">): boolean;
    /** `resetCounter` without blocking on a store that waits for a disk or a network. */
    resetCounterAsync(counter: Pick<LiveCounter, "key">): Promise<boolean>;
    /**
     * Calls of the namespace that wait for approval, or were answered and have not ended, the oldest first (clause 7.10).
     *
     * @throws {StoreError} where they cannot be read.
     */
    approvals(): Promise<FiledCall[]>;
    /** One of them, with what is kept of its arguments; null where none that stands has this id. */
    approval(id: string): Promise<FiledCall | null>;
    /**
     * Grants a call, from whatever process (clause 7.8): made again, it passes. A later answer takes the place of an earlier one.
     *
     * @returns the record as it stands now; null where none that stands has this id.
     * @throws {CallgateError} `not_an_approver` where its rules name others, `approval_used` where it was let through before; {StoreError} where it
     * is unknown whether the answer holds.
     */
    grantApproval(id: string, answer: ApprovalByPerson): Promise<FiledCall | null>;
    /** Denies a call, or takes a grant back; as `grantApproval`. */
    denyApproval(id: string, answer: ApprovalByPerson): Promise<FiledCall | null>;
    /** Closes it: what engines ask afterwards certainly was not done. Calls that wait for the store get their answers. */
    close(): void;
    [Symbol.dispose](): void;
}
