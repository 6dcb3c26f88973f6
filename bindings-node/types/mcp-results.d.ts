import type { Decision, Outcome } from "./decision.js";
import { type Message } from "./mcp-message.js";
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
export declare function resultOf(call: CallContext, outcome: Outcome, answer: Message | undefined): CallResult;
