// Decisions and reservations.
//
// In: an answer of the native half. Out: the decision in JS terms, and its charges in the host's hands. The text of a
// decision is the same in every language (clause 10.3 of the language); it is kept as it came.

import type { Answer, NativeReservation } from "../native.js";
import { throwing, typed } from "./errors.js";

/** What is to happen with a call. */
export type Effect = "allow" | "deny" | "require_approval";

/** Why (clause 10.2). */
export type Code =
  | "allowed"
  | "invalid_tool"
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
  /** Its name, or null. */
  readonly name: string | null;
  /** JSON Pointer into the policy. */
  readonly pointer: string;
  /** Line in the policy's text, from 1. */
  readonly line: number;
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
  readonly resets_at: string;
}

/** A decision's JSON (clause 10.3). */
export interface DecisionJson {
  readonly effect: Effect;
  readonly code: Code;
  readonly tool: string;
  readonly message: string | null;
  readonly rule: RuleRef | null;
  readonly counters: readonly CounterJson[];
  readonly retry_after: number | null;
  readonly approval_key: string | null;
  readonly policy: string;
}

/** A counter of a decision. Amounts are exact decimal strings. */
export interface CounterUse {
  /** The key in `tools`; null for `all_tools`. */
  readonly entry: string | null;
  readonly counter: string;
  /** What it counts by. */
  readonly scope: string;
  readonly window: string;
  /** What was charged; null if it was only read, or the call was refused. */
  readonly charged: string | null;
  /** What it holds: with the charge if it was taken, else as it stands. */
  readonly used: string;
  /** The maximum that the policy gives, or null. */
  readonly max: string | null;
  /** When it holds nothing any more if nothing else happens. */
  readonly resetsAt: Date;
}

/** The result of a tool call that tells the agent why it may not (clause 10.6). */
export interface McpResult {
  content: { type: "text"; text: string }[];
  isError: true;
}

/** A decision about one call. Nothing of the call's arguments is in it. */
export class Decision {
  /** The decision's JSON, byte for byte the same in every language. */
  readonly json: string;
  /** The charges of an allowed call, to be released or settled; null if nothing was charged. */
  readonly reservation: Reservation | null;
  #fields: DecisionJson | undefined;

  /** @internal */
  constructor(json: string, reservation: Reservation | null) {
    this.json = json;
    this.reservation = reservation;
  }

  /** The decision as plain data; what `JSON.stringify` writes. */
  toJSON(): DecisionJson {
    return (this.#fields ??= JSON.parse(this.json) as DecisionJson);
  }

  /** Whether the call may run now. */
  get allowed(): boolean {
    return this.effect === "allow";
  }

  /** What is to happen with the call. */
  get effect(): Effect {
    return this.toJSON().effect;
  }

  /** Why. */
  get code(): Code {
    return this.toJSON().code;
  }

  /** The tool that was called. */
  get tool(): string {
    return this.toJSON().tool;
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
    return this.toJSON().counters.map(({ resets_at, ...counter }) => ({ ...counter, resetsAt: new Date(resets_at) }));
  }

  /** Whole seconds after which the call may pass if nothing else happens; null if waiting does not help. */
  get retryAfter(): number | null {
    return this.toJSON().retry_after;
  }

  /** What an approval of this very call must name; null unless the effect is `require_approval`. */
  get approvalKey(): string | null {
    return this.toJSON().approval_key;
  }

  /** Digest of the policy that decided. */
  get policy(): string {
    return this.toJSON().policy;
  }

  /** The MCP tool result that tells the agent; null when the call is allowed. */
  toMcpResult(): McpResult | null {
    const { message } = this;
    return message === null ? null : { content: [{ type: "text", text: message }], isError: true };
  }

  toString(): string {
    return this.json;
  }
}

/**
 * The charges of one allowed call (clause 8.10). To be finished at most once; if it never is, the charges stand.
 */
export class Reservation {
  readonly #native: NativeReservation;
  readonly #host: Host;

  /** @internal */
  constructor(reservation: NativeReservation, host: Host) {
    this.#native = reservation;
    this.#host = host;
  }

  /**
   * Takes all charges back: the upstream call failed.
   *
   * @throws {ReservationError} if it was finished before, {StoreError} if the store was not reached; do not repeat then.
   */
  release(): void {
    throwing(() => this.#native.release(now(this.#host)));
  }

  /**
   * Makes every charge that came from `increment_from` smaller, to what the call really cost. Decimals beyond a double's
   * precision are given as strings.
   *
   * @throws {ReservationError} for a larger amount, nothing to settle, or a second finish; {StoreError} as for `release`.
   */
  settle(actual: number | bigint | string): void {
    throwing(() => this.#native.settle(String(actual), now(this.#host)));
  }

  /** `release`, without blocking on a store that waits for a disk or a network. */
  async releaseAsync(): Promise<void> {
    if (this.#host.immediate) return this.release();
    finished(await throwing(() => this.#native.releaseAsync(now(this.#host))));
  }

  /** `settle`, without blocking on a store that waits for a disk or a network. */
  async settleAsync(actual: number | bigint | string): Promise<void> {
    if (this.#host.immediate) return this.settle(actual);
    finished(await throwing(() => this.#native.settleAsync(String(actual), now(this.#host))));
  }
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

/** @internal The decision of an answer. */
export function decision(answer: Answer, host: Host): Decision {
  const reservation = answer.reservation ? new Reservation(answer.reservation, host) : null;
  return new Decision(answer.json, reservation);
}

function finished(failure: [code: string, message: string] | null): void {
  if (failure !== null) throw typed(failure[0], failure[1]);
}
