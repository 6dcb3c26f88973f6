import type { Decision } from "./decision.js";
import type { Approval, Engine } from "./engine.js";
import type { Identity } from "./identity.js";
import { type Asks } from "./mcp-asks.js";
import { type Id, type Message } from "./mcp-message.js";
import { type Parked, type Resumed, Rounds, type Same } from "./mcp-rounds.js";
import type { CallContext } from "./mcp-context.js";
/** A call that needs approval. */
export interface ApprovalRequest extends CallContext {
    readonly decision: Decision;
    readonly identity: Identity;
    /** The engine that decided. */
    readonly engine: Engine;
    /** The guard's option. */
    readonly serverName: string | undefined;
    /**
     * Aborted when the call ends before it is approved (clause 7.6): the connection is closed, the client cancels it, the HTTP
     * stream is closed that should carry the answer, or `approvalTimeoutMs` has passed. An approval that comes later is dropped.
     */
    readonly signal: AbortSignal;
    /**
     * Asks whoever sits at the client that made this call, and at no other, by a form (`elicitation/create`). `schema` is that of the form: an
     * object of plain values. Under 2026-07-28 the question is a round of the call, one at a time. Rejects with the code `cannot_ask` where the client
     * has not declared that it answers questions, answers with an error, or goes away. A client proves nothing about who answers.
     */
    elicit(message: string, schema: Readonly<Record<string, unknown>>): Promise<Elicitation>;
}
/** What the calling client answered to a question. */
export interface Elicitation {
    readonly action: "accept" | "decline" | "cancel";
    /** The fields of the form, where it was accepted; else empty. */
    readonly content: Readonly<Record<string, unknown>>;
}
/** An approval that was given before now, such as one that a store has. */
export interface GivenApproval {
    /** Its own id, 1 to 256 bytes, never used for another. */
    readonly id: string;
    /** When it was given; now unless told. */
    readonly givenAt?: Date | number | undefined;
}
/** A refusal with words of its own, which the caller is told behind the decision's. */
export interface Refusal {
    readonly refused: string;
    /** Under what the call was filed: `_meta["callgate/approval_id"]` of the answer. */
    readonly approvalId?: string | undefined;
}
/** An approval's own id, true for an approval without one, an approval that was given before; or a refusal. */
export type ApprovalAnswer = string | boolean | GivenApproval | Refusal | null | undefined;
/** What a guard asks for approval. */
export type OnApproval = (request: ApprovalRequest) => ApprovalAnswer | Promise<ApprovalAnswer>;
/** Calls of one caller that wait unless the host says otherwise. */
export declare const MAX_WAITING = 100;
/** A call that was decided, in the hands of what speaks with its client. */
export interface Held {
    /** The request's id. */
    readonly id: Id;
    /** Its params, for what they say of the client. */
    readonly params: Message;
    /** A copy for the callback. */
    readonly call: CallContext;
    readonly identity: Identity;
    readonly engine: Engine;
    readonly decision: Decision;
    readonly serverName: string | undefined;
    /** The round that this call goes on with. */
    readonly resumed: Resumed<Asking> | null;
    /** Null where the request is not the client's own. */
    readonly asks: Asks | null;
    /** Aborted when the call ends. */
    readonly signal: AbortSignal;
    /** Decides the call once more. */
    again(approval: Approval): Promise<Decision>;
}
/** What follows for a call: a decision, with what its caller is told beside it, or a question to its client. */
export type Settled = {
    readonly decision: Decision;
    readonly told?: Refusal;
} | {
    readonly question: Message;
};
/** A person who is asked about a call, over all of its rounds. */
export declare class Asking implements Parked {
    #private;
    constructor(onApproval: OnApproval, held: Held, same: Same, rounds: Rounds<Asking>, leave: () => void, timeoutMs: number | undefined);
    /** Whatever is answered from here on is dropped. */
    end(): void;
    /** The client came again. */
    resume(held: Held, answer: Message | undefined): Promise<Settled>;
    run(): Promise<Settled>;
}
