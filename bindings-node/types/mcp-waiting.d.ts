import { type Id } from "./mcp-message.js";
/**
 * How a call ended before it was passed on: `silent` where nobody may be answered (the connection is closed, the client
 * cancelled, the id is another request's now), `refused` where an answer may still arrive.
 */
export type End = "silent" | "refused";
/** What `during` rejects with. */
export declare const ENDED: unique symbol;
/** One such call. */
export declare class Waiting {
    #private;
    /** Whether somebody is being asked for approval. */
    asking: boolean;
    /** How it ended; null while it goes on. */
    get ended(): End | null;
    /** Aborted when it ends. */
    get signal(): AbortSignal;
    end(how: End): void;
    /** What `work` comes to; rejects with `ENDED` as soon as the call has ended. */
    during<T>(work: T | PromiseLike<T>): Promise<T>;
}
/** Those of one connection. */
export declare class Undecided {
    #private;
    /** A call that began. One that has its id ends: an answer could not tell them apart. */
    begin(id: Id, stream: AbortSignal | undefined): Waiting;
    /** A call asks for approval from here on; it ends at once if nobody who asks may wait any more. */
    ask(waiting: Waiting): void;
    /** It was passed on, or answered. */
    done(id: Id, waiting: Waiting): void;
    end(id: Id, how: End): void;
    /** Ends all, now and later; with `asking` those that ask for approval. */
    endAll(how: End, asking: boolean): void;
}
