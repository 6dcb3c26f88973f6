/** What is to happen with a call. */
export type Effect = "allow" | "deny" | "require_approval";
/** Why (clause 10.2). */
export type Code = "allowed" | "invalid_tool" | "invalid_method" | "hidden" | "not_listed" | "invalid_args" | "invalid_identity" | "condition_failed" | "denied" | "invalid_amount" | "identity_required" | "limit_exceeded" | "store_unavailable" | "approval_required" | "approval_spent";
/** The rule or item that a decision reports. */
export interface RuleRef {
    /** The name of the policy layer that has it, or null. */
    readonly layer: string | null;
    /** Its name, or null. */
    readonly name: string | null;
    /** JSON Pointer into the policy. */
    readonly pointer: string;
    /** Line in the policy's text, from 1. */
    readonly line: number;
}
/** A rule that asks for approval. */
export interface AskingRule extends RuleRef {
    /** Who may approve, for the host to check; empty for anybody. */
    readonly approvers: readonly string[];
}
/** What a call needs to be approved (clause 7.1). */
export interface ApprovalNeeded {
    /** What an approval of this very call must name. */
    readonly key: string;
    /** Every rule that asks or may ask, in the order of the policy: what the person who approves has to know. */
    readonly rules: readonly AskingRule[];
    /** The paths of arguments and claims that an approval does not cover. */
    readonly ignored: readonly string[];
    /** For how many seconds after it was given an approval lets calls through, or null. With one, an `Approval` needs a `givenAt`. */
    readonly valid_for: number | null;
    /** How many calls one approval lets through. */
    readonly uses: number;
}
/** A counter of a decision, as its JSON has it (clause 10.4). Amounts are exact decimal strings. */
export interface CounterJson {
    readonly entry: string | null;
    readonly counter: string;
    readonly scope: string;
    readonly window: string;
    readonly charged: string | null;
    readonly used: string;
    readonly max: string | null;
    readonly resets_at: string | null;
    readonly budget: string | null;
}
/** A decision's JSON (clause 10.3). */
export interface DecisionJson {
    readonly effect: Effect;
    readonly code: Code;
    /** Null for another method than `tools/call`. */
    readonly tool: string | null;
    readonly method: string;
    readonly message: string | null;
    readonly rule: RuleRef | null;
    readonly counters: readonly CounterJson[];
    readonly retry_after: number | null;
    readonly approval: ApprovalNeeded | null;
    readonly policy: string;
}
/** The rule of a decision that is compared with another. */
export interface ObservedRule {
    readonly name: string | null;
    readonly pointer: string;
    readonly line: number;
}
/** How a candidate's decision differs from the enforced one: it would refuse less, or more (clause 10.11). */
export type Flip = "none" | "looser" | "tighter";
/** What decisions are compared by (clause 10.11). */
export interface DecisionSummary {
    readonly effect: Effect;
    readonly code: Code;
    readonly rule: ObservedRule | null;
}
/** What a candidate says of one call (clause 10.11). */
export interface Observed extends DecisionSummary {
    readonly flip: Flip;
}
/** Calls of one tool about which both policies decided the same each time (clause 10.11). */
export interface Observation {
    /** Null for another method than `tools/call`, and for names that neither policy lists. */
    readonly tool: string | null;
    readonly method: string;
    readonly enforced: DecisionSummary;
    readonly candidate: DecisionSummary;
    readonly flip: Flip;
    readonly count: number;
    /** When, as RFC 3339. */
    readonly first: string;
    readonly last: string;
}
/** What came of all calls since a candidate began (clause 10.11). */
export interface Observations {
    /** Digest of the candidate. */
    readonly policy: string;
    readonly calls: number;
    /** Calls of which the candidate said nothing. */
    readonly failed: number;
    /** Calls that no row has: there are 1,024 at most. */
    readonly omitted: number;
    readonly rows: readonly Observation[];
}
/** A counter of a decision. Amounts are exact decimal strings. */
export interface CounterUse {
    /** The key in `tools`; null for `all_tools` and for a budget. */
    readonly entry: string | null;
    readonly counter: string;
    /** What it counts by. */
    readonly scope: string;
    readonly window: string;
    /** What was charged; null if it was only read, or the call was refused. */
    readonly charged: string | null;
    /** What it holds: with the charge if it was taken, else as it stands. */
    readonly used: string;
    /** The maximum that held for the call, or null. */
    readonly max: string | null;
    /** When it holds nothing any more if nothing else happens; null for one that never resets. */
    readonly resetsAt: Date | null;
    /** Its name where it is a budget, else null. */
    readonly budget: string | null;
}
/**
 * The code of the JSON-RPC error that answers what the policy denies where there is no tool result to say it in: a call that asked
 * for a task, and a request of another method (clause 10.6).
 */
export declare const MCP_DENIED: number;
/** Why a call may not run, for programs (clause 10.6). An alias, as `McpResult`. */
export type McpMeta = {
    "callgate/code": Code;
    /** Whole seconds after which the call may pass if nothing else happens. */
    "callgate/retry_after"?: number;
    /** What an approval of this very call must name. */
    "callgate/approval_key"?: string;
};
/** The result of a tool call that tells the agent why it may not (clause 10.6). An alias: the SDKs' results have an index signature. */
export type McpResult = {
    content: {
        type: "text";
        text: string;
    }[];
    isError: true;
    _meta: McpMeta;
};
/** A decision about one call. Nothing of the call's arguments is in it. */
export declare class Decision {
    #private;
    /** The decision's JSON, byte for byte the same in every language. */
    get json(): string;
    /** The charges of an allowed call, to be finished or settled; null if nothing was charged. */
    get reservation(): Reservation | null;
    /**
     * What a candidate says of the call (clause 10.11); null without a candidate, where it failed, and as long as its store has not
     * answered.
     */
    observed(): Observed | null;
    /** The decision as plain data, frozen; what `JSON.stringify` writes. */
    toJSON(): DecisionJson;
    /** Whether the call may run now. */
    get allowed(): boolean;
    /** What is to happen with the call. */
    get effect(): Effect;
    /** Why. */
    get code(): Code;
    /** The tool that was called; null for another method than `tools/call`. */
    get tool(): string | null;
    /** The method that was called (clause 3.10). */
    get method(): string;
    /** What to tell the agent; null when the call is allowed. */
    get message(): string | null;
    /** The rule or item that decided, if one did. */
    get rule(): RuleRef | null;
    /** Every counter that was asked. */
    get counters(): CounterUse[];
    /** Whole seconds after which the call may pass if nothing else happens; null if waiting does not help. */
    get retryAfter(): number | null;
    /** What an approval of this very call must name; null unless the effect is `require_approval`. */
    get approval(): ApprovalNeeded | null;
    /** Digest of the policy that decided. */
    get policy(): string;
    /**
     * The MCP tool result that tells the agent; null when the call is allowed. Its text is the message, with the approval key on a
     * line of its own where the call waits for approval; its `_meta` is what `toMcpMeta` gives.
     */
    toMcpResult(): McpResult | null;
    /**
     * Why the call may not run, for programs; null when it is allowed. It is the `data` of a JSON-RPC error with the code `MCP_DENIED`
     * and the message, which answers a call that asked for a task.
     */
    toMcpMeta(): McpMeta | null;
    toString(): string;
}
/** In core's order. */
declare const OUTCOMES: readonly ["not_run", "done", "tool_error", "error", "cancelled", "timed_out", "lost"];
/** How a call ended (clause 8.13). */
export type Outcome = (typeof OUTCOMES)[number];
/** An exact amount: a number by its shortest decimal, or a string of digits. */
export type Amount = number | bigint | string;
/** What a call really cost: one amount, or amounts by the names of their counters and budgets (clause 8.14). */
export type Actual = Amount | {
    readonly [counter: string]: Amount;
};
/**
 * The charges of one allowed call (clause 8.10). To be finished at most once; if it never is, the charges stand.
 */
export declare class Reservation {
    #private;
    /**
     * Says how the call ended (clause 8.13). `not_run` takes all charges back: the call provably never reached its tool. Any other
     * outcome takes back what the policy says: calls in flight, and charges with `refund`.
     *
     * @throws {ReservationError} if it was finished before, {StoreError} if the store failed, which leaves it open where that is
     * certain to have changed nothing (`undone`), {TypeError} for an outcome that is not known.
     */
    finish(outcome: Outcome): void;
    /**
     * Whether finishing it so would give something back. Where it would not, nobody needs to: the charges stand, and can still be settled.
     *
     * @throws {TypeError} for an outcome that is not known.
     */
    givesBack(outcome: Outcome): boolean;
    /**
     * Makes charges what the call really cost, less or more (clause 8.14): those of items with `increment_from` or `settle`. One amount
     * where the call has one such charge, else amounts by the names of their counters and budgets. No bound refuses more: the counter may
     * be above its maximum then. Decimals beyond a double's precision are given as strings.
     *
     * @throws {ReservationError} for nothing to settle, a counter that is not named or not known, which leave it
     * open, or a second finish; {StoreError} as for `finish`.
     */
    settle(actual: Actual): void;
    /** `finish`, without blocking on a store that waits for a disk or a network. */
    finishAsync(outcome: Outcome): Promise<void>;
    /** `settle`, without blocking on a store that waits for a disk or a network. */
    settleAsync(actual: Actual): Promise<void>;
    /** Whether it can still be finished. */
    get open(): boolean;
}
export {};
