// Questions to a client that are rounds of its call (2026-07-28).
//
// In: a question, and the call that waits for it. Out: the answer `input_required`, with a state of the guard's own; the call that comes
// again, without it. Must not take a state twice, and must not let the server see one, or what the client answered.

import { createHash, randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { CannotAsk, ELICITATION, askable } from "./mcp-asks.js";
import { Deadlines, now } from "./mcp-deadlines.js";
import { type Message, isObject, member } from "./mcp-message.js";
import type { Identity } from "./identity.js";

const PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
/** How a state begins, so that one which is used up or too old is known for the guard's as well. */
const OWN = "callgate.ask.";
/** The name of the one question that a round has. */
const QUESTION = "callgate";
/** How long a client has to come again, as clause 8.16 has it for rounds of a server. */
const DEADLINE_MS = 600_000;
/** Calls whose clients are to come again, of one engine. */
const MOST = 1_000;

/** What a call must have again. */
export interface Same {
  readonly key: string;
  readonly method: string;
  readonly tool: string;
  readonly digest: string;
  readonly identity: Identity;
  /** The engine that decides. */
  readonly engine: object;
}

/** Who waits for the client to come again. */
export interface Parked {
  /** The time has passed. */
  end(): void;
}

/** A call that came again. */
export interface Resumed<P extends Parked> {
  readonly parked: P;
  readonly same: Same;
  /** It is settled: its deadline ends it no more. */
  settled(): void;
  /** The client's answer to the question; undefined where it gave none. */
  readonly answer: Message | undefined;
}

/** What of a call's arguments tells it from others. */
export function digestOf(args: unknown): string {
  return createHash("sha256").update(JSON.stringify(args) ?? "").digest("hex");
}

export function isSame({ engine, ...one }: Same, { engine: engine2, ...other }: Same): boolean {
  return engine === engine2 && isDeepStrictEqual(one, other);
}

/** Whether a text may bring a state of a guard's. */
export function bringsState(text: string): boolean {
  return text.includes(OWN);
}

/** Whether a call's generation of the protocol asks its client by rounds. */
export function hasRounds(params: Message): boolean {
  return metaOf(params, PROTOCOL_VERSION) !== undefined;
}

/** Throws where the client of such a call has not said that it shows forms. */
export function askableInRounds(params: Message): void {
  askable(metaOf(params, CAPABILITIES));
}

function metaOf(params: Message, name: string): unknown {
  const meta = member(params, "_meta");
  return isObject(meta) ? member(meta, name) : undefined;
}

interface Open<P extends Parked> {
  readonly state: string;
  readonly parked: P;
  readonly same: Same;
}

/** @internal Those of one engine: over HTTP each round may come to a server of its own. */
export class Rounds<P extends Parked> {
  readonly #parked = new Map<string, Open<P>>();
  readonly #ends = new Deadlines<Open<P>>((late) => {
    for (const { state, parked } of late) {
      this.#parked.delete(state);
      parked.end();
    }
  });

  /** The answer that asks the client. */
  ask(parked: P, same: Same, params: Message): Message {
    if (this.#ends.size >= MOST) throw new CannotAsk("too many clients are asked already");
    const state = OWN + randomBytes(24).toString("base64url");
    const open = { state, parked, same };
    this.#parked.set(state, open);
    this.#ends.add(open, now() + DEADLINE_MS);
    return { resultType: "input_required", inputRequests: { [QUESTION]: { method: ELICITATION, params } }, requestState: state };
  }

  /** The params of a call without what is the guard's, and what they resume; null where they bring no state that waits. */
  taken(params: Message): { params: Message; resumed: Resumed<P> | null } {
    const state = member(params, "requestState");
    if (typeof state !== "string" || !state.startsWith(OWN)) return { params, resumed: null };
    const { requestState: _, inputResponses, ...rest } = params;
    const open = this.#parked.get(state);
    if (open === undefined) return { params: rest, resumed: null };
    // Its time runs on until somebody settles it: what brings it may never be decided.
    this.#parked.delete(state);
    const answer = isObject(inputResponses) ? member(inputResponses, QUESTION) : undefined;
    const { parked, same } = open;
    return { params: rest, resumed: { parked, same, answer: isObject(answer) ? answer : undefined, settled: () => void this.#ends.delete(open) } };
  }
}
