import type { Outcome } from "./decision.js";
import type { Identity } from "./identity.js";
/** A record: see `spec/audit.schema.json`. */
export type GuardRecord = Readonly<Record<string, unknown>>;
/** Where records go: a file that this process alone appends to, or a function. */
export type AuditSink = string | ((record: GuardRecord) => unknown);
/** What a record tells of a call, beside its decision. */
export interface About {
    readonly method: string;
    readonly tool: string | undefined;
    /** The JSON text of its arguments. */
    readonly args: string | undefined;
    readonly request: string | undefined;
    readonly protocol: string | undefined;
    readonly session: string | undefined;
    readonly identity: Identity;
}
/** How a call went at the server. */
export interface Went {
    readonly outcome: Outcome;
    readonly code?: number | null;
    readonly latencyMs?: number | undefined;
    readonly bytesOut?: number | undefined;
    readonly bytesIn?: number | undefined;
}
