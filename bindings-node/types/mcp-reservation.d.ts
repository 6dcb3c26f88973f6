import type { Decision, Reservation } from "./decision.js";
/** A call, as its guard knows it. */
export interface Running {
    readonly guard: object;
    readonly call: number;
    readonly decision: Decision | undefined;
    /** Whether the server's own wrapper refused its arguments, so that no handler was reached; undefined where it said nothing. */
    isRefused?: boolean;
}
/**
 * The charges of the guarded call that runs, for its handler to settle (clause 8.14) or give back (clause 8.13), also in what it calls
 * and awaits. Null outside of a guarded call, and where the call charged nothing.
 */
export declare function currentReservation(): Reservation | null;
