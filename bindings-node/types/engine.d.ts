/// <reference lib="esnext.disposable" preserve="true" />
import { ArgsCheck } from "./args-check.js";
import { Decision, type DecisionJson, type Observations } from "./decision.js";
import { type CallgateError, Diagnostic } from "./errors.js";
import { type ApprovalByPerson, type FiledCall } from "./filed.js";
import type { Identity } from "./identity.js";
import { type NamedTool, Policy } from "./policy.js";
import { type LiveCounter, Store } from "./store.js";
/** An approval that the host holds for a call (clause 7.2). */
export interface Approval {
    /** The key of the `approval` that the decision asked for. */
    readonly key: string;
    /** The approval's own id, 1 to 256 bytes, never used for another. */
    readonly id: string;
    /** When it was given, a date or milliseconds since the epoch, by the engine's clock. Needed where the decision's `approval` has a `valid_for`. */
    readonly givenAt?: Date | number | undefined;
}
/** What to log of a call (clause 10.8). Holds no argument values. */
export interface AuditRecord {
    readonly decision: DecisionJson;
    /** The identity's id, or null. */
    readonly identity: string | null;
    readonly args: {
        /** The names of the arguments, sorted. */
        readonly keys: readonly string[];
        /** `sha256:…` or `hmac-sha256:…`, or null. */
        readonly hash: string | null;
    };
}
/** One check that an evaluation makes. */
export interface Check {
    /** JSON Pointer to its place in the policy; empty where it has none. */
    readonly pointer: string;
    /** What is checked, for people: not stable. */
    readonly what: string;
    /** The outcome: `holds`, `fails`, `unknown`, `passes`, `denies`, … */
    readonly outcome: string;
    /** Why, where there is more to say. Carries no argument values. */
    readonly why?: string;
    /** The checks that it consists of. */
    readonly checks: readonly Check[];
}
/** A decision that would be made, with every check that leads to it. */
export interface Explanation {
    readonly decision: Decision;
    /** In the order in which they are made; those after a settling one are not made. */
    readonly checks: readonly Check[];
}
/** How an engine is put together. A name that is not listed here is an error. */
export interface EngineOptions {
    /**
     * `memory` (the default): counters of this engine. Else a store's URL, such as `redis://localhost:6379`, or a `Store` that engines
     * share.
     */
    readonly store?: string | Store;
    /** Prefix of the counters in a store that several servers share. For a URL alone. */
    readonly storeNamespace?: string;
    /** How long a call waits for its store, in milliseconds. For a URL alone. */
    readonly storeTimeoutMs?: number;
    /** What becomes of a call when the store fails: `deny` (the default), or `allow`, which voids every limit meanwhile, but no approval. */
    readonly onStoreError?: "deny" | "allow";
    /** Milliseconds since the epoch; the machine's clock unless given. For tests, and for replaying a log. */
    readonly clock?: () => number;
    /**
     * Hears of every decision, before `evaluate` returns it. What it throws, `evaluate` throws: no call runs that could not
     * be recorded; its charges stand. It must not be async: `evaluate` throws as well where it answers with a promise.
     */
    readonly onDecision?: (record: AuditRecord, decision: Decision) => void;
    /** How audit records identify arguments: `none` (the default), `sha256`, or an HMAC under a key of the host's. */
    readonly argsHash?: "none" | "sha256" | {
        readonly hmacSha256: Uint8Array;
    };
    /**
     * Hears of the warnings of each policy that is put in force: at the start, by `replace`, by watching. `file` is null
     * where the policy came from a text. A process warning unless given.
     */
    readonly onWarning?: (warning: Diagnostic, file: string | null) => void;
}
/** How an engine is put together from a file. */
export interface FileOptions extends EngineOptions {
    /**
     * Puts every new text of the file in force that is a policy, without a restart. Looked at four times a second unless told
     * otherwise. A file that replaced another is read at the next look; one that is written in place when it has not changed
     * for a second.
     */
    readonly watch?: boolean | {
        readonly intervalMs: number;
    };
    /** Hears of every policy that was put in force by watching. */
    readonly onReload?: (policy: Policy) => void;
    /**
     * Hears of texts that have an error, or look like half a file (clause 1.8); the old policy stays in force. A process
     * warning unless given.
     */
    readonly onReloadError?: (error: CallgateError) => void;
}
/**
 * Decides calls: evaluates the policy and charges the counters.
 *
 * Counters in memory are those of one engine in one process, unless a `Store` was given: workers of a cluster count each for
 * themselves. Give them a shared store if a limit is to hold over all of them.
 */
export declare class Engine {
    #private;
    /**
     * @throws {StoreError} where the store cannot be opened, {TypeError} for options that are not known.
     */
    constructor(policy: Policy, options?: EngineOptions);
    /**
     * An engine for a policy's text, YAML or JSON.
     *
     * @throws {PolicyError} with every error in the text; and as the constructor.
     */
    static fromString(text: string, options?: EngineOptions): Engine;
    /**
     * An engine for a policy file, or for several as one stack, in their order (clause 6.10). With `watch`, each file is watched until
     * `close`, and one with an error keeps all of the policy in force.
     *
     * @throws {PolicyFileError} {PolicyError} {StackError} where a file cannot be read, is not a valid policy, or does not go with the
     * others; and as the constructor.
     */
    static fromFile(path: string | readonly string[], options?: FileOptions): Engine;
    /**
     * Decides a call and charges what it costs. Arguments are read in place: own members only, without running code.
     * `undefined` and null mean absent, for arguments and identity. `check` is what is looked at in the arguments before any rule.
     * `server` is the name of the server that the call goes to, as the host knows it (clause 9.5).
     */
    evaluate(tool: string, args?: unknown, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Decision;
    /** `evaluate` for raw JSON text, which is checked whole (clause 3.5). Exact for numbers that JS cannot hold. */
    evaluateJson(tool: string, text: string, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Decision;
    /** `evaluate` without blocking on a store that waits for a disk or a network. The arguments are read before it returns. */
    evaluateAsync(tool: string, args?: unknown, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Promise<Decision>;
    /** `evaluateJson` without blocking on a store that waits for a disk or a network. */
    evaluateJsonAsync(tool: string, text: string, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Promise<Decision>;
    /**
     * Decides a request of another method than `tools/call`, such as `resources/read` (clause 3.10). `params` are those of the
     * request without `_meta`, `inputResponses` and `requestState`. A policy says nothing of such requests, so they are allowed; a
     * method that begins with `tools/` is denied (`invalid_method`): use `evaluate`.
     */
    evaluateRequest(method: string, params?: unknown, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Decision;
    /** `evaluateRequest` for params that are raw JSON text, which is checked whole (clause 3.5). */
    evaluateRequestJson(method: string, text: string, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Decision;
    /** `evaluateRequest` without blocking on a store that waits for a disk or a network. The params are read before it returns. */
    evaluateRequestAsync(method: string, params?: unknown, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Promise<Decision>;
    /** `evaluateRequestJson` without blocking on a store that waits for a disk or a network. */
    evaluateRequestJsonAsync(method: string, text: string, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Promise<Decision>;
    /** What would be decided now, and every check that leads to it. Charges nothing. */
    explain(tool: string, args?: unknown, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Explanation;
    /** `explain` for raw JSON text. */
    explainJson(tool: string, text: string, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Explanation;
    /** `explain` without blocking on a store that waits for a disk or a network. The arguments are read before it returns. */
    explainAsync(tool: string, args?: unknown, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Promise<Explanation>;
    /** `explainJson` without blocking on a store that waits for a disk or a network. */
    explainJsonAsync(tool: string, text: string, identity?: Identity, approved?: Approval | null, check?: ArgsCheck | null, server?: string | null): Promise<Explanation>;
    /** The policy in force. */
    get policy(): Policy;
    /**
     * What may not mean what its author thinks in the policy in force, and what it cannot keep with this engine's store (`memory_store`: a
     * counter that never resets, and used approvals, where counters are in memory; clause 8.18).
     */
    get warnings(): readonly Diagnostic[];
    /** Puts another policy in force, for every call from here on. Counters go on (clause 8.6). */
    replace(policy: Policy): void;
    /**
     * Lets a candidate decide each call beside the policy in force, from here on; null ends it (clause 10.11). It changes no decision,
     * and no call waits for it. It has counters of its own: in memory, or in `store`, which must not have those of this engine: take
     * another namespace. The table of `observations` begins anew.
     *
     * @throws {TypeError} where the store has the engine's counters.
     */
    observe(candidate: Policy | null, options?: {
        readonly store?: Store;
    }): void;
    /** What came of all calls since the candidate began; null without a candidate (clause 10.11). */
    observations(): Observations | null;
    /**
     * Forgets what no call can see any more, and gives its memory back; tells how many counters were dropped (clause 8.12). For
     * counters in memory and in a SQLite file, after a rush or now and then. Those in Redis expire by themselves: 0.
     *
     * @throws {StoreError} where the counters cannot be reached.
     */
    purge(): number;
    /** `purge` without blocking on a store that waits for a disk or a network. */
    purgeAsync(): Promise<number>;
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
    /** Calls that wait for approval in the engine's store, or were answered there, the oldest first; as `Store.approvals`. */
    approvals(): Promise<FiledCall[]>;
    /** One of them, with its arguments; null where there is none. */
    approval(id: string): Promise<FiledCall | null>;
    /** Grants one of them; as `Store.grantApproval`. */
    grantApproval(id: string, answer: ApprovalByPerson): Promise<FiledCall | null>;
    /** Denies one of them; as `Store.denyApproval`. */
    denyApproval(id: string, answer: ApprovalByPerson): Promise<FiledCall | null>;
    /** Whether the caller may see the tool in `tools/list` (clause 10.9). */
    visible(tool: string, identity?: Identity, server?: string | null): boolean;
    /** The tools that the caller may see, in their order; all by one policy (clause 10.9). */
    filterTools<T extends NamedTool>(tools: readonly T[], identity?: Identity, server?: string | null): T[];
    /**
     * Ends the watching of the policy file, and closes the store that the engine opened. Calls that counters decide are then as if it
     * could not be reached; those that wait for it now get their answer. A `Store` that it was given stays open, for the others that
     * use it, and the engine's own counters in memory go on.
     */
    close(): void;
    [Symbol.dispose](): void;
}
