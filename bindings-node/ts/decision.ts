// Decisions and reservations.
//
// In: a packed decision of the native half, which only core can read, but for its first character. Out: the decision in JS
// terms, and its charges in the host's hands. Nothing native belongs to one decision, so none needs a finalizer; its text,
// the same in every language (clause 10.3 of the language), is made when it is asked for.

import { MCP_DENIED as DENIED, type NativeObserved, NativePlan, type NativeStore, type Stands } from "../native.js";
import { ReservationError, StoreError, throwing, typed } from "./errors.js";
import type { Plan, Told } from "./plan.js";

/** What is to happen with a call. */
export type Effect = "allow" | "deny" | "require_approval";

/** Why (clause 10.2). */
export type Code =
  | "allowed"
  | "invalid_tool"
  | "invalid_method"
  | "hidden"
  | "not_listed"
  | "invalid_args"
  | "invalid_identity"
  | "condition_failed"
  | "denied"
  | "invalid_amount"
  | "identity_required"
  | "limit_exceeded"
  | "store_unavailable"
  | "approval_required"
  | "approval_spent";

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
export const MCP_DENIED: number = DENIED;

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
  content: { type: "text"; text: string }[];
  isError: true;
  _meta: McpMeta;
};

// As core counts them: the first character of a packed decision is 16 times the effect, plus the code.
const EFFECTS: readonly Effect[] = ["allow", "deny", "require_approval"];
const CODES: readonly Code[] = [
  "allowed",
  "hidden",
  "not_listed",
  "denied",
  "condition_failed",
  "limit_exceeded",
  "approval_required",
  "approval_spent",
  "identity_required",
  "invalid_amount",
  "invalid_args",
  "invalid_identity",
  "invalid_tool",
  "invalid_method",
  "store_unavailable",
];

/** Taken before anybody could replace it: what it says of the first character decides whether a call runs. */
const codeAt = Function.prototype.call.bind(String.prototype.charCodeAt) as unknown as (text: string, index: number) => number;

/** Beside the decisions: most have nothing of it, and a field of each would take its time. */
const candidates = new WeakMap<Decision, { observed: NativeObserved; host: Host }>();

/** @internal Keeps what a candidate says of a decision's call. */
export function keepObserved(decision: Decision, observed: NativeObserved | null | undefined, host: Host): void {
  if (observed) candidates.set(decision, { observed, host });
}

/** @internal Tells a candidate how a call ended, for one of which the policy in force gives nothing back. */
export function observedEnd(decision: Decision, outcome: Outcome): void {
  const candidate = candidates.get(decision);
  if (candidate === undefined) return;
  let at: number | null = null;
  try {
    at = now(candidate.host);
  } catch {
    // It fails no call; the machine's time is right but for a clock of the host's.
  }
  candidate.observed.finish(outcome, at);
}

/** @internal What a store is told of a call that it files, beside the decision. */
export interface Filing {
  readonly server: string;
  readonly caller: string | null;
  readonly shown: string;
  /** The arguments' text. */
  readonly args: string;
}

/** A decision about one call. Nothing of the call's arguments is in it. */
export class Decision {
  readonly #packed: string;
  readonly #plan: Plan;
  readonly #host: Host;
  #told: Told | undefined;
  #reservation: Reservation | null | undefined;

  /** @internal */
  constructor(packed: string, plan: Plan, host: Host) {
    this.#packed = packed;
    this.#plan = plan;
    this.#host = host;
  }

  /** The decision's JSON, byte for byte the same in every language. */
  get json(): string {
    return this.#tell().json;
  }

  /** The charges of an allowed call, to be finished or settled; null if nothing was charged. */
  get reservation(): Reservation | null {
    if (this.#reservation === undefined) {
      // An allowed call that no counter was asked about is one character.
      const ends = this.#packed.length > 1 ? throwing(() => this.#plan.native.charged(this.#packed)) : null;
      this.#reservation = ends === null ? null : new Reservation(this.#packed, ends, this.#plan.native, this.#host, candidates.get(this)?.observed);
    }
    return this.#reservation;
  }

  /**
   * What a candidate says of the call (clause 10.11); null without a candidate, where it failed, and as long as its store has not
   * answered.
   */
  observed(): Observed | null {
    return read(() => candidates.get(this)?.observed.json() ?? null);
  }

  /** The decision as plain data, frozen; what `JSON.stringify` writes. */
  toJSON(): DecisionJson {
    return this.#tell().fields;
  }

  /** Whether the call may run now. */
  get allowed(): boolean {
    return this.effect === "allow";
  }

  /** What is to happen with the call. */
  get effect(): Effect {
    return EFFECTS[codeAt(this.#packed, 0) >> 4] as Effect;
  }

  /** Why. */
  get code(): Code {
    return CODES[codeAt(this.#packed, 0) & 15] as Code;
  }

  /** The tool that was called; null for another method than `tools/call`. */
  get tool(): string | null {
    return this.toJSON().tool;
  }

  /** The method that was called (clause 3.10). */
  get method(): string {
    return this.toJSON().method;
  }

  /** What to tell the agent; null when the call is allowed. */
  get message(): string | null {
    return this.toJSON().message;
  }

  /** The rule or item that decided, if one did. */
  get rule(): RuleRef | null {
    return this.toJSON().rule;
  }

  /** Every counter that was asked. */
  get counters(): CounterUse[] {
    return this.toJSON().counters.map(({ resets_at, ...counter }) => ({ ...counter, resetsAt: resets_at === null ? null : new Date(resets_at) }));
  }

  /** Whole seconds after which the call may pass if nothing else happens; null if waiting does not help. */
  get retryAfter(): number | null {
    return this.toJSON().retry_after;
  }

  /** What an approval of this very call must name; null unless the effect is `require_approval`. */
  get approval(): ApprovalNeeded | null {
    return this.toJSON().approval;
  }

  /** Digest of the policy that decided. */
  get policy(): string {
    return this.toJSON().policy;
  }

  /**
   * The MCP tool result that tells the agent; null when the call is allowed. Its text is the message, with the approval key on a
   * line of its own where the call waits for approval; its `_meta` is what `toMcpMeta` gives.
   */
  toMcpResult(): McpResult | null {
    return read(() => this.#plan.native.mcpResult(this.#packed));
  }

  /**
   * Why the call may not run, for programs; null when it is allowed. It is the `data` of a JSON-RPC error with the code `MCP_DENIED`
   * and the message, which answers a call that asked for a task.
   */
  toMcpMeta(): McpMeta | null {
    return read(() => this.#plan.native.mcpMeta(this.#packed));
  }

  /** @internal Files the call for a person's approval; null where it needs none. */
  file(store: NativeStore, { caller, ...filing }: Filing, at: number | null): Promise<Stands> | null {
    return throwing(() => this.#plan.native.file(this.#packed, store, { ...filing, ...(caller === null ? {} : { caller }), ...(at === null ? {} : { now: at }) }));
  }

  /** @internal As the native half knows it. */
  get native(): [plan: NativePlan, packed: string] {
    return [this.#plan.native, this.#packed];
  }

  toString(): string {
    return this.json;
  }

  /** What `console.log` shows. @internal */
  [Symbol.for("nodejs.util.inspect.custom")](_depth: number, options: object, inspect: (value: unknown, options: object) => string): string {
    return `Decision ${inspect(this.toJSON(), options)}`;
  }

  #tell(): Told {
    return (this.#told ??= this.#plan.tell(this.#packed));
  }
}

/** What a text of core means that may be none. */
function read<T>(json: () => string | null): T | null {
  const text = throwing(json);
  return text === null ? null : (JSON.parse(text) as T);
}

/** In core's order. */
const OUTCOMES = ["not_run", "done", "tool_error", "error", "cancelled", "timed_out", "lost"] as const;

/** How a call ended (clause 8.13). */
export type Outcome = (typeof OUTCOMES)[number];

/** An exact amount: a number by its shortest decimal, or a string of digits. */
export type Amount = number | bigint | string;

/** What a call really cost: one amount, or amounts by the names of their counters and budgets (clause 8.14). */
export type Actual = Amount | { readonly [counter: string]: Amount };

/**
 * The charges of one allowed call (clause 8.10). To be finished at most once; if it never is, the charges stand.
 */
export class Reservation {
  readonly #packed: string;
  /** The ends that give something back, each as a bit, and behind them those that keep something. */
  readonly #ends: number;
  readonly #native: NativePlan;
  readonly #host: Host;
  readonly #observed: NativeObserved | undefined;
  #finished = false;
  #settled = false;

  /** @internal */
  constructor(packed: string, ends: number, native: NativePlan, host: Host, observed: NativeObserved | undefined) {
    this.#packed = packed;
    this.#ends = ends;
    this.#native = native;
    this.#host = host;
    this.#observed = observed;
  }

  /**
   * Says how the call ended (clause 8.13). `not_run` takes all charges back: the call provably never reached its tool. Any other
   * outcome takes back what the policy says: calls in flight, and charges with `refund`.
   *
   * @throws {ReservationError} if it was finished before, {StoreError} if the store failed, which leaves it open where that is
   * certain to have changed nothing (`undone`), {TypeError} for an outcome that is not known.
   */
  finish(outcome: Outcome): void {
    known(outcome);
    this.#finish((at) => {
      this.#native.finish(this.#packed, outcome, at);
      this.#observed?.finish(outcome, at);
    });
  }

  /**
   * Whether finishing it so would give something back. Where it would not, nobody needs to: the charges stand, and can still be settled.
   *
   * @throws {TypeError} for an outcome that is not known.
   */
  givesBack(outcome: Outcome): boolean {
    known(outcome);
    return !this.#finished && ((this.#ends >> OUTCOMES.indexOf(outcome)) & 1) === 1;
  }

  /**
   * Makes charges what the call really cost, less or more (clause 8.14): those of items with `increment_from` or `settle`. One amount
   * where the call has one such charge, else amounts by the names of their counters and budgets. No bound refuses more: the counter may
   * be above its maximum then. Decimals beyond a double's precision are given as strings.
   *
   * @throws {ReservationError} for nothing to settle, a counter that is not named or not known, which leave it
   * open, or a second finish; {StoreError} as for `finish`.
   */
  settle(actual: Actual): void {
    const { names, amounts } = checked(actual);
    this.#finish((at) => {
      this.#native.settle(this.#packed, names, amounts, at);
      this.#observed?.settle(names, amounts, at);
    });
    this.#settled = true;
  }

  /** `finish`, without blocking on a store that waits for a disk or a network. */
  async finishAsync(outcome: Outcome): Promise<void> {
    if (this.#host.immediate) return this.finish(outcome);
    known(outcome);
    await this.#finishAsync((at) =>
      this.#native.finishAsync(this.#packed, outcome, at).then((failure) => {
        if (failure === null) this.#observed?.finish(outcome, at);
        return failure;
      }),
    );
  }

  /** `settle`, without blocking on a store that waits for a disk or a network. */
  async settleAsync(actual: Actual): Promise<void> {
    if (this.#host.immediate) return this.settle(actual);
    const { names, amounts } = checked(actual);
    await this.#finishAsync((at) =>
      this.#native.settleAsync(this.#packed, names, amounts, at).then((failure) => {
        if (failure === null) this.#observed?.settle(names, amounts, at);
        return failure;
      }),
    );
    this.#settled = true;
  }

  /** @internal What became of the charges, of a call that ended so, as records have it. */
  became(outcome: Outcome): "kept" | "released" | "settled" {
    if (this.#settled) return "settled";
    const keeps = ((this.#ends >> (OUTCOMES.length + OUTCOMES.indexOf(outcome))) & 1) === 1;
    return this.#finished && !keeps ? "released" : "kept";
  }

  /** Whether it can still be finished. */
  get open(): boolean {
    return !this.#finished;
  }

  #finish(how: (at: number | null) => void): void {
    const at = this.#take();
    try {
      throwing(() => how(at));
    } catch (error) {
      throw this.#kept(error);
    }
  }

  async #finishAsync(how: (at: number | null) => Promise<[code: string, message: string] | null>): Promise<void> {
    const at = this.#take();
    try {
      finished(await throwing(() => how(at)));
    } catch (error) {
      throw this.#kept(error);
    }
  }

  /** Takes the charges, once, and gives the time at which they are finished. */
  #take(): number | null {
    if (this.#finished) throw new ReservationError("finished", "this reservation was finished or settled before");
    const at = now(this.#host);
    this.#finished = true;
    return at;
  }

  /** What was refused, or certainly did not happen, has changed nothing: the charges can still be finished. */
  #kept(error: unknown): unknown {
    const refused = error instanceof ReservationError && error.code !== "finished";
    if (refused || (error instanceof StoreError && error.undone)) this.#finished = false;
    return error;
  }
}

/** The texts of amounts. One that is none finishes nothing. */
function checked(actual: Actual): { names: string[] | null; amounts: string[] } {
  const byCounter = typeof actual === "object" && actual !== null;
  const names = byCounter ? Object.keys(actual) : null;
  const amounts = (byCounter ? Object.values(actual) : [actual]).map(String);
  for (const amount of amounts) throwing(() => NativePlan.checkAmount(amount));
  return { names, amounts };
}

/** An outcome that is not known finishes nothing. */
function known(outcome: Outcome): void {
  if (!OUTCOMES.includes(outcome)) throw new TypeError(`an outcome is one of ${OUTCOMES.join(", ")}`);
}

/** @internal What an engine and its reservations share. */
export interface Host {
  readonly clock: (() => number) | undefined;
  /** Whether counters are in this process, so that nothing ever waits. */
  readonly immediate: boolean;
}

/** @internal What the host's clock shows. */
export function now({ clock }: Host): number | null {
  if (clock === undefined) return null;
  const millis = clock();
  if (typeof millis !== "number" || Number.isNaN(millis)) {
    throw new TypeError("a clock returns milliseconds since the epoch");
  }
  return millis;
}

function finished(failure: [code: string, message: string] | null): void {
  if (failure !== null) throw typed(failure[0], failure[1]);
}
