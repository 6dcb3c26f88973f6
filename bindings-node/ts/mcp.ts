// Enforcement for MCP servers of the official SDK, in one line.
//
// In: a server (`McpServer` or the low-level `Server`) or a transport, and an engine. Out: the same, guarded: every
// `tools/call` is decided before the server sees it, `tools/list` shows only what the policy does not hide, and nothing
// else is touched. Works on messages, so that no handler, however it was registered, is reached past it. Must not take an
// identity from anything that the client can set.

import type { Decision } from "./decision.js";
import { Engine } from "./engine.js";
import type { Identity } from "./identity.js";
import { Guard } from "./mcp-guard.js";
import { type Kind, millis, read } from "./options.js";

/** What the transport knows of a message besides its text, as the SDK passes it on. */
export interface MessageExtra {
  /** What the server's own verification of the access token gave. */
  readonly authInfo?: AuthInfo | undefined;
  readonly [name: string]: unknown;
}

/** A verified access token, as the SDK describes it. */
export interface AuthInfo {
  readonly token: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
  readonly [name: string]: unknown;
}

/** A call of a tool, as its message has it. */
export interface CallContext {
  readonly tool: string;
  /** As the client sent them: a copy. Undefined where the client sent none, or something that is not JSON. */
  readonly arguments: unknown;
  /** What the transport verified; undefined over stdio and without authentication. */
  readonly authInfo: AuthInfo | undefined;
  /** The session that the server gave the client, where the transport has sessions. A client may open many. */
  readonly sessionId: string | undefined;
  /** All that the transport passed on. Headers in it are the client's own words. */
  readonly extra: MessageExtra | undefined;
}

/** A call that needs approval. */
export interface ApprovalRequest extends CallContext {
  readonly decision: Decision;
  readonly identity: Identity;
  /**
   * Aborted when the call ends before it is approved (clause 7.6): the connection is closed, the client cancels it, the HTTP
   * stream is closed that should carry the answer, or `approvalTimeoutMs` has passed. An approval that comes later is dropped.
   */
  readonly signal: AbortSignal;
}

/** An approval's own id, true for an approval without one, or a refusal. */
export type ApprovalAnswer = string | boolean | null | undefined;

/** The JSON-RPC error with which a server answered a call. */
export interface ServerError {
  readonly code: number;
  readonly message: string;
  /** Undefined where the error has none. */
  readonly data: unknown;
}

/** How a server is guarded. */
export interface GuardOptions {
  /**
   * Who calls. Unless given: from a verified access token, `id` (its subject, else the client's id), `client_id`, `scopes`
   * and the verifier's other claims; without one nobody is known, and limits by session count for all clients together.
   * Under `list: callable` it is asked for lists of tools, too; the tool's name is then empty.
   */
  readonly identity?: (call: CallContext) => Identity | Promise<Identity>;
  /**
   * Asks for approval of a call. Gives the approval's own id (1 to 256 bytes, never used before), or true if it has none;
   * anything else refuses. Unless given, such calls are answered with an error that carries the approval key.
   */
  readonly onApproval?: (request: ApprovalRequest) => ApprovalAnswer | Promise<ApprovalAnswer>;
  /** How long a call waits for `onApproval`, in milliseconds; then it is refused. Without end unless given. */
  readonly approvalTimeoutMs?: number;
  /**
   * Whether an error of the server gives the call's charges back. Unless given, none does: a client can cause an error after
   * the tool ran. True gives back; what it throws, and any answer but true and false, gives nothing back and goes to `onError`.
   * Not asked about a call that its client cancelled, nor about one whose id its client used twice.
   */
  readonly refundOnError?: (call: CallContext, error: ServerError) => boolean;
  /**
   * Whether arguments are checked before any rule, where rules read them: against the tool's input schema, as the server itself
   * gives it, and for members that fold to one that is read (clauses 3.7 and 3.8). True unless told otherwise: a server may read
   * arguments otherwise than the rules do. `guard` asks its server for `tools/list`, by a request of its own that no client sees, at
   * the first call, and again after `notifications/tools/list_changed`. `guardTransport` learns from the server's answers to the
   * client: until the client has asked for the list, only members that fold are checked.
   */
  readonly checkArgs?: boolean;
  /** The name of the server, which policies read as `server` (clause 9.5). Absent unless given. */
  readonly serverName?: string;
  /** Hears of what a callback threw, and of reservations that could not be finished. The call was refused, or stays charged. */
  readonly onError?: (error: unknown) => void;
}

const OPTIONS: Readonly<Record<keyof GuardOptions, Kind>> = {
  identity: "function",
  onApproval: "function",
  approvalTimeoutMs: "number",
  refundOnError: "answer",
  checkArgs: "any",
  serverName: "string",
  onError: "function",
};
/** What Node's timers can hold. */
const LONGEST = 2 ** 31 - 1;

/** What a transport of the SDK has. */
export interface McpTransport {
  send(message: never, options?: never): Promise<void>;
  onmessage?: ((message: never, extra?: never) => void) | undefined;
  onclose?: (() => void) | undefined;
  sessionId?: string | undefined;
}

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
 * reached. A call that was passed on stays charged, whatever the server answers (clause 8.10); `refundOnError` may say otherwise.
 *
 * @throws {TypeError} if `server` is not a server or is guarded already, `engine` is not an engine, or an option is unknown.
 * @returns the same server.
 */
export function guard<S extends Guardable>(server: S, engine: Engine, options: GuardOptions = {}): S {
  const protocol = innermost(server);
  const own = checked(engine, options);
  if (guarded.has(protocol)) throw new TypeError("this server is guarded already");
  if (protocol.transport) throw new TypeError("guard a server before it is connected");
  guarded.add(protocol);
  const connect = protocol.connect.bind(protocol);
  let current: Guard | undefined;
  protocol.connect = (transport) => {
    const before = current;
    const connected = protocol.transport;
    const next = put(transport, engine, own, true);
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
export function guardTransport<T extends McpTransport>(transport: T, engine: Engine, options: GuardOptions = {}): T {
  put(transport, engine, checked(engine, options), false);
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

function put(transport: McpTransport, engine: Engine, options: GuardOptions, asks: boolean): Guard {
  if (!isObject(transport) || typeof transport.send !== "function") throw new TypeError("a transport has a function `send`");
  if (guarded.has(transport)) throw new TypeError("this transport is guarded already");
  guarded.add(transport);
  return new Guard(transport, engine, options, asks);
}

function checked(engine: Engine, options: GuardOptions): GuardOptions {
  if (!(engine instanceof Engine)) throw new TypeError("a guard needs an Engine");
  const own = read(options, OPTIONS);
  if (own.checkArgs !== undefined && typeof own.checkArgs !== "boolean") throw new TypeError("the option `checkArgs` is a boolean");
  if (own.approvalTimeoutMs !== undefined) millis("approvalTimeoutMs", own.approvalTimeoutMs, LONGEST);
  return own;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
