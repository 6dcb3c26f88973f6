import type { ApprovalRequest, OnApproval } from "./mcp-approvals.js";
/** How a client is asked. */
export interface ElicitationOptions {
    /** Stands above the policy's message, the tool, its arguments and the rules that ask; a function says all that the person reads. */
    readonly message?: string | ((request: ApprovalRequest) => string);
    /**
     * For how long a yes is kept for the same call, in milliseconds, where the rules let an approval be used more than once (`uses`); an hour
     * unless given, and never longer than the rules say.
     */
    readonly validForMs?: number;
}
/** How calls are filed. */
export interface StoreApprovalOptions {
    /** How long a call waits for an answer, in milliseconds; 0, the default, answers at once, and the client makes the call again. */
    readonly waitMs?: number;
    /** What is kept of the arguments, for the person to see: their text (`full`, the default), their names, or nothing (clause 7.12). */
    readonly args?: "full" | "keys" | "none";
    /** How records name the server; the guard's `serverName` unless given. */
    readonly server?: string;
}
/**
 * Asks the client that makes the call, by `elicitation/create`; under 2026-07-28 as a round of the call. Without a client that can be asked, the
 * call is answered as if nobody could be. **A client that is only the agent proves nothing by its answer**: use it where the client shows the
 * question to a person.
 */
export declare function approveByElicitation(options?: ElicitationOptions): OnApproval;
/**
 * Files the call in the engine's store, where `callgate approvals`, or `store.answerApproval` of any process, answers it (clauses 7.7 to 7.9), as the
 * gateway does. The call is refused until then, and told its id; the same call, made again, finds the answer. With `waitMs` it waits so long first.
 */
export declare function approveByStore(options?: StoreApprovalOptions): OnApproval;
