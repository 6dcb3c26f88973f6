// What a guard knows of a request besides its text.
//
// In: what a transport of the SDKs passes on. Out: what the host's callbacks see. Must not take for verified what a client can set.

import type { Engine } from "./engine.js";

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

/** A call of a tool, or another request that is decided or whose list is filtered, as its message has it. */
export interface CallContext {
  /** `tools/call`, or another method (clause 3.10). */
  readonly method: string;
  /** Empty for another method. */
  readonly tool: string;
  /** As they were sent: a copy. Of another method, its params. Undefined where there are none. */
  readonly arguments: unknown;
  /** What the transport verified; undefined over stdio and without authentication. */
  readonly authInfo: AuthInfo | undefined;
  /** The session that the server gave the client, where the transport has sessions. A client may open many. */
  readonly sessionId: string | undefined;
  /** All that the transport passed on. Headers in it are the client's own words. */
  readonly extra: MessageExtra | undefined;
}

/** The JSON-RPC error with which a server answered a call. */
export interface ServerError {
  readonly code: number;
  readonly message: string;
  /** Undefined where the error has none. */
  readonly data: unknown;
}

/** Gives the engine that decides a call, such as that of its tenant. */
export type EngineOf = (call: CallContext) => Engine | Promise<Engine>;

/** What a transport of the SDK has. */
export interface McpTransport {
  send(message: never, options?: never): Promise<void>;
  onmessage?: ((message: never, extra?: never) => void) | undefined;
  onclose?: (() => void) | undefined;
  sessionId?: string | undefined;
}
