// How calls end, for hosts that want to hear of it.
//
// In: a decided call, and the message that answers it, if one does. Out: what the host's callback hears. Must not say more of a call than its
// messages do.

import type { Decision, Outcome } from "./decision.js";
import { type Message, isObject } from "./mcp-message.js";
import type { CallContext, ServerError } from "./mcp-context.js";

/** How a decided call ended. */
export interface CallResult extends CallContext {
  /** `not_run` for one that was refused. */
  readonly outcome: Outcome;
  /** The tool's result, or the refusal, as it goes to the client; undefined where there is none. */
  readonly result: Readonly<Record<string, unknown>> | undefined;
  /** The JSON-RPC error that goes to the client; undefined where there is none. */
  readonly error: ServerError | undefined;
}

/** Hears how a decided call ended. */
export type OnResult = (decision: Decision, result: CallResult) => unknown;

/** What a call's answer says, as its message has it; none where no answer goes out. */
export function resultOf(call: CallContext, outcome: Outcome, answer: Message | undefined): CallResult {
  const { result, error } = answer ?? {};
  const told = isObject(error) ? { code: Number(error["code"]), message: String(error["message"]), data: error["data"] } : undefined;
  return { ...call, outcome, result: isObject(result) ? result : undefined, error: told };
}
