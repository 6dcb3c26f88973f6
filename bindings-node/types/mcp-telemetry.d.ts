import type { Decision } from "./decision.js";
/** Puts a decision on the active span: `callgate.effect`, `callgate.code`, `callgate.tool`, `callgate.rule`. */
export declare function markSpan(decision: Decision): void;
/** The id of the trace that is active. */
export declare function traceId(): string | null;
