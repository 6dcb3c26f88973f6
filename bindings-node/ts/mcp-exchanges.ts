// Calls in rounds, where each request has a connection of its own (HTTP, 2026-07-28).
//
// In: calls whose server asked for input, as their connection ends. Out: each once, to the connection on which its client comes again. Must
// not keep one longer than its client has to come (clause 8.16).

import { createHash } from "node:crypto";
import type { NativeRound, NativeStream } from "../native.js";
import type { Outcome } from "./decision.js";
import type { Call } from "./mcp-call.js";
import { Deadlines, now } from "./mcp-deadlines.js";
import type { Endings } from "./mcp-endings.js";
import { type Message, isObject, member } from "./mcp-message.js";

/** As the relay has it. */
const DEADLINE_MS = 600_000;
/** Calls of one engine that are kept. One more is a new call when it comes again. */
const MOST = 10_000;
const REQUEST_STATE = '"requestState":';

/** A call between two connections. */
interface Left {
  /** The digest of the state that goes on with it. */
  readonly state: string;
  /** A new one after each connection that did not go on with it. */
  round: NativeRound;
  readonly call: Call;
  /** It ended so, without another round. */
  over(outcome: Outcome): void;
}

/** Whether a transport carries one request and its answer, and is closed then. */
export function isExchange(transport: object): boolean {
  return typeof (transport as { handleMessage?: unknown }).handleMessage === "function";
}

/** @internal Those of one engine. */
export class Exchanges {
  /** By state: a server may give several calls the same. */
  readonly #left = new Map<string, Set<Left>>();
  readonly #ends = new Deadlines<Left>((late) => {
    for (const left of late) {
      this.#forget(left);
      left.over("timed_out");
    }
  });

  /** Takes the calls whose server asks for input off a connection, before its client knows of it. */
  leave(relay: NativeStream, calls: Map<number, Call>, endings: Endings): void {
    for (const round of relay.leave()) {
      const id = round.call ?? 0;
      const call = calls.get(id);
      const { state } = round;
      const { decision } = call ?? {};
      if (call === undefined || decision === undefined || state === null) continue;
      calls.delete(id);
      this.#keep({ state, round, call, over: (outcome) => void endings.over(call, decision, outcome) });
    }
  }

  /**
   * Has a connection's relay hear for whom a message is, while it knows the calls that this message may go on with. The one that it goes on with is
   * that connection's from then on. The others stay here: no client keeps another's call from going on.
   */
  join<T>(text: string, relay: NativeStream, calls: Map<number, Call>, identified: () => T): T {
    const joined = new Map<number, Left>();
    for (const left of this.#of(text)) {
      // What was allowed under another policy is decided anew.
      const isInForce = left.call.decision?.policy === left.call.arrived.engine?.policy.digest;
      const id = isInForce ? relay.join(left.round) : null;
      if (id === null || id === undefined) {
        this.#taken(left);
        left.over("done");
      } else {
        joined.set(id, left);
        calls.set(id, left.call);
      }
    }
    const then = identified();
    for (const round of joined.size === 0 ? [] : relay.leave()) {
      const id = round.call ?? 0;
      const left = joined.get(id);
      if (left === undefined) continue;
      left.round = round;
      joined.delete(id);
      calls.delete(id);
    }
    for (const left of joined.values()) this.#taken(left);
    return then;
  }

  #keep(left: Left): void {
    if (this.#ends.size >= MOST) return left.over("done");
    const ofState = this.#left.get(left.state) ?? new Set<Left>();
    this.#left.set(left.state, ofState.add(left));
    this.#ends.add(left, now() + DEADLINE_MS);
  }

  #of(text: string): Left[] {
    if (this.#ends.size === 0 || !text.includes(REQUEST_STATE)) return [];
    const { params } = JSON.parse(text) as Message;
    const given = isObject(params) ? member(params, "requestState") : undefined;
    if (typeof given !== "string") return [];
    const state = createHash("sha256").update(given).digest("hex");
    return [...(this.#left.get(state) ?? [])];
  }

  #taken(left: Left): void {
    this.#forget(left);
    this.#ends.delete(left);
  }

  #forget(left: Left): void {
    const ofState = this.#left.get(left.state);
    ofState?.delete(left);
    if (ofState?.size === 0) this.#left.delete(left.state);
  }
}
