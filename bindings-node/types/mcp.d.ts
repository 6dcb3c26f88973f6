import type { Engine } from "./engine.js";
import type { EngineOf, McpTransport } from "./mcp-context.js";
import { type GuardOptions } from "./mcp-options.js";
export type { ElicitationOptions, StoreApprovalOptions } from "./approve.js";
export { approveByElicitation, approveByStore } from "./approve.js";
export type { ApprovalAnswer, ApprovalRequest, Elicitation, GivenApproval, OnApproval, Refusal } from "./mcp-approvals.js";
export type { AuditSink, GuardRecord } from "./mcp-audit.js";
export type { AuthInfo, CallContext, EngineOf, McpTransport, MessageExtra, ServerError } from "./mcp-context.js";
export type { GuardOptions } from "./mcp-options.js";
export type { CallResult, OnResult } from "./mcp-results.js";
export type { GuardWarning, OnGuardWarning } from "./mcp-warnings.js";
/** A low-level `Server`. */
export interface McpProtocol {
    connect(transport: never): Promise<void>;
}
/** An `McpServer`, or a low-level `Server`. */
export type Guardable = McpProtocol | {
    readonly server: McpProtocol;
};
/**
 * Guards a server of `@modelcontextprotocol/sdk`, before it is connected:
 *
 * ```ts
 * guard(server, Engine.fromFile("policy.yaml"))
 * ```
 *
 * A call that the policy does not allow is answered with `isError: true` and the policy's message; its handler is not
 * reached. A call that was passed on stays charged, whatever the server answers (clause 8.10), but for what the policy gives back (clause 8.13);
 * `refundOnError` may say that all is. A task that was accepted has not ended: its place in flight is free after the lease.
 *
 * `engine` may be a function that gives the engine of each request, such as that of its tenant. Guards of servers that are made anew for each
 * request are given the same function, so that a call may come again to another of them.
 *
 * @throws {TypeError} if `server` is not a server or is guarded already, `engine` is not an engine, or an option is unknown.
 * @returns the same server.
 */
export declare function guard<S extends Guardable>(server: S, engine: Engine | EngineOf, options?: GuardOptions): S;
/**
 * Guards a transport, for a gateway that passes messages on: set `onmessage` afterwards, as always.
 *
 * @throws {TypeError} if `transport` is not a transport, and as `guard`.
 * @returns the same transport.
 */
export declare function guardTransport<T extends McpTransport>(transport: T, engine: Engine | EngineOf, options?: GuardOptions): T;
