import type { AuthInfo, Guardable } from "./mcp.js";
/** Who the client is, and what it answers. */
export interface ClientOptions {
    /** The verified access token, as the transport for HTTP would have it. */
    readonly authInfo?: AuthInfo;
    /** Answers the server's and the guard's questions (`elicitation/create`). Unless given, the client cannot be asked. */
    readonly elicit?: (params: Readonly<Record<string, unknown>>) => Elicited | Promise<Elicited>;
}
/** An answer to a question. */
export interface Elicited {
    readonly action: "accept" | "decline" | "cancel";
    readonly content?: Readonly<Record<string, unknown>>;
}
/** What a call is answered with. */
export interface Answer {
    /** The guard's code, such as `limit_exceeded`; null where the server answered. */
    readonly code: string | null;
    /** Whether it is an error, of the guard or of the server. */
    readonly isError: boolean;
    /** The text of the result, or of the error. */
    readonly text: string;
    /** The result; undefined where there is a JSON-RPC error. */
    readonly result: Readonly<Record<string, unknown>> | undefined;
}
/** A client of a guarded server. */
export interface TestClient {
    /** Calls a tool, as the client or, where it is given, under another token. */
    call(tool: string, args?: Readonly<Record<string, unknown>>, authInfo?: AuthInfo): Promise<Answer>;
    /** The names of the tools that it sees. */
    tools(authInfo?: AuthInfo): Promise<string[]>;
    close(): Promise<void>;
}
/**
 * Connects a client to a guarded server, in memory:
 *
 * ```ts
 * const client = await connect(guard(makeServer(), engine));
 * assert.equal((await client.call("pay", { amount: 99 })).code, "limit_exceeded");
 * ```
 *
 * Give the engine a `clock`, and limits need no waiting.
 */
export declare function connect(server: Guardable, { authInfo, elicit }?: ClientOptions): Promise<TestClient>;
