/** How it ended before it was passed on: `silent` where its client gave it up or is gone, `refused` where an answer may still arrive. */
export type End = "silent" | "refused";
/** What `during` rejects with. */
export declare const ENDED: unique symbol;
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
