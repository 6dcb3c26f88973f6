/** Base of all errors of this package. */
export declare class CallgateError extends Error {
    /** Stable name of what went wrong, such as `unknown_field`. */
    readonly code: string;
    constructor(code: string, message: string);
}
/** One finding in a policy document (clause 12 of the language). */
export declare class Diagnostic {
    /** `error`: the policy does not load. `warning`: it may not mean what its author thinks. */
    readonly severity: "error" | "warning";
    /** Stable code, such as `unknown_field`. */
    readonly code: string;
    /** What is wrong: one sentence, the author's text in backticks. */
    readonly message: string;
    /** What to do about it, or null. */
    readonly help: string | null;
    /** JSON Pointer to the place; empty for the whole document. */
    readonly pointer: string;
    /** Line, from 1. */
    readonly line: number;
    /** Column in code points, from 1. */
    readonly column: number;
    /** First byte of the place in the UTF-8 text. */
    readonly start: number;
    /** The byte after its last. */
    readonly end: number;
    /** `3:5: error[unknown_field]: … (at /tools)`, and help on a line of its own. */
    toString(): string;
}
/** A policy that does not load, with every reason. `code`, `line` and `column` are those of the first error. */
export declare class PolicyError extends CallgateError {
    /** The file, as it was named; null for a text. */
    readonly file: string | null;
    /** Line of the first error, from 1. */
    readonly line: number;
    /** Column of the first error in code points, from 1. */
    readonly column: number;
    /** Errors and warnings, in document order; none for a `StackError`. */
    readonly diagnostics: readonly Diagnostic[];
}
/**
 * Policies that load, but do not go together as a stack (clause 6.10): `unnamed_layer`, `duplicate_layer`, `conflicting_dispatchers`,
 * `layer_count` or `too_many_entries`. It is about a whole policy, so it has no diagnostics, and line and column are 1.
 */
export declare class StackError extends PolicyError {
}
/** A policy file that cannot be read. Its code is `unreadable_file`. */
export declare class PolicyFileError extends CallgateError {
    /** The file, as it was named. */
    readonly file: string;
}
/** A store URL that names no store (`store_url`), or a store that cannot be reached (`store_unavailable`). Never names the URL. */
export declare class StoreError extends CallgateError {
    /** Whether the same may succeed later by itself. */
    readonly transient: boolean;
    /** Whether it is certain that nothing was changed, so that the same may be asked again. */
    readonly undone: boolean;
}
/**
 * A reservation that cannot be finished so: `finished`, `nothing_to_settle`, `ambiguous`, `unknown_counter`,
 * `invalid_amount`.
 */
export declare class ReservationError extends CallgateError {
}
