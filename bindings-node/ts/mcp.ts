// Enforcement for MCP servers of the official SDK, in one line.
//
// In: a server (`McpServer` or the low-level `Server`) or a transport, and an engine. Out: the same, guarded: every `tools/call`, and every
// request that the policy's `requests` decide, is decided before the other side sees it, lists show only what the policy does not hide, and
// nothing else is touched. Works on messages, so that no handler, however it was registered, is reached past it. Must not take an identity
// from anything that the client can set.

import type { Engine } from "./engine.js";
import type { EngineOf, McpTransport } from "./mcp-context.js";
import { Guard } from "./mcp-guard.js";
import { type GuardOptions, checked } from "./mcp-options.js";
import { watchWrapper } from "./mcp-reservation.js";

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
export type Guardable = McpProtocol | { readonly server: McpProtocol };

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
export function guard<S extends Guardable>(server: S, engine: Engine | EngineOf, options: GuardOptions = {}): S {
  const protocol = innermost(server);
  const own = checked(engine, options);
  if (guarded.has(protocol)) throw new TypeError("this server is guarded already");
  if (protocol.transport) throw new TypeError("guard a server before it is connected");
  guarded.add(protocol);
  watchWrapper(server);
  const connect = protocol.connect.bind(protocol);
  let current: Guard | undefined;
  protocol.connect = (transport) => {
    const before = current;
    const connected = protocol.transport;
    const next = put(transport, engine, own);
    const connecting = connect(transport);
    // Some versions of the SDKs then answer what is still to come from the connection before on this one.
    if (protocol.transport !== connected) {
      before?.close();
      current = next;
    }
    return connecting;
  };
  return server;
}

/**
 * Guards a transport, for a gateway that passes messages on: set `onmessage` afterwards, as always.
 *
 * @throws {TypeError} if `transport` is not a transport, and as `guard`.
 * @returns the same transport.
 */
export function guardTransport<T extends McpTransport>(transport: T, engine: Engine | EngineOf, options: GuardOptions = {}): T {
  put(transport, engine, checked(engine, options));
  return transport;
}

/** What is guarded already: two guards would charge every call twice. */
const guarded = new WeakSet<object>();

interface Connectable {
  connect(transport: McpTransport): Promise<void>;
  readonly transport?: object | undefined;
}

/** The server that all others around it connect: that of an `McpServer` is the same one, however it is named. */
function innermost(server: unknown): Connectable {
  let protocol = server;
  while (isObject(protocol) && "server" in protocol) protocol = protocol.server;
  if (!isObject(protocol) || !("connect" in protocol) || typeof protocol.connect !== "function") {
    throw new TypeError("guard takes an McpServer or a Server");
  }
  return protocol as Connectable;
}

function put(transport: McpTransport, engine: Engine | EngineOf, options: GuardOptions): Guard {
  if (!isObject(transport) || typeof transport.send !== "function") throw new TypeError("a transport has a function `send`");
  if (guarded.has(transport)) throw new TypeError("this transport is guarded already");
  guarded.add(transport);
  return new Guard(transport, engine, options);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
