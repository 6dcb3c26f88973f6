import type { StreamStep } from "../native.js";
import type { Decision } from "./decision.js";
import type { Engine } from "./engine.js";
import type { Identity } from "./identity.js";
import type { Asking } from "./mcp-approvals.js";
import type { CallContext, MessageExtra } from "./mcp-context.js";
import type { Running } from "./mcp-reservation.js";
import type { Resumed } from "./mcp-rounds.js";
import type { Waiting } from "./mcp-waiting.js";
export type Step<K extends StreamStep["kind"]> = Extract<StreamStep, {
    kind: K;
}>;
/** A message, and what came with it. */
export interface Arrived {
    readonly tag: number;
    readonly text: string;
    readonly isClients: boolean;
    /** What came with it; with a message of the server, what came with the request for whose sake it is sent. */
    readonly extra: MessageExtra | undefined;
    /** Of a message of the server: how it is to be sent. */
    readonly options?: unknown;
    /** Aborted when the client closes the HTTP stream that is to carry the answer. */
    readonly stream?: AbortSignal | undefined;
    /** The round of the guard's own that it goes on with. */
    readonly resumed?: Resumed<Asking> | null;
    /** Whether it is held, or a request that has no answer yet. */
    open: boolean;
    /** Who calls, as soon as that is known. */
    identity?: Identity | undefined;
    /** What decides, as soon as that is known. */
    engine?: Engine | undefined;
}
/** A request from when the relay asks for whom it is to its end. */
export interface Call {
    /** Its message; of several rounds, the last. */
    arrived: Arrived;
    readonly waiting: Waiting;
    ask?: Step<"decide">;
    decision?: Decision;
    /** Set once the server has it. */
    running?: Running;
    sent?: {
        readonly at: number;
        readonly bytes: number;
    };
}
/** What callbacks see of a request: a copy of their own. What they change is neither judged nor passed on. */
export declare function contextOf({ arrived, ask }: Call, sessionId: string | undefined): CallContext;
/** What decides a request that has been identified. */
export declare function engineOf({ arrived }: Call): Engine;
export declare function isPromise<T>(value: T | Promise<T>): value is Promise<T>;
