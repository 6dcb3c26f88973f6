// A guarded server in memory, for its author's tests.
//
// In: a server of an SDK that is guarded already, and calls. Out: what a client is answered. Must not pass the guard by: it speaks as a client does,
// by messages. Needs no SDK of its own, and no runner of tests.

import type { AuthInfo, Guardable } from "./mcp.js";

type Message = Record<string, unknown>;

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

const REVISION = "2025-11-25";

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
export async function connect(server: Guardable, { authInfo, elicit }: ClientOptions = {}): Promise<TestClient> {
  const open = new Map<number, (answer: Message) => void>();
  let ids = 0;
  let isClosed = false;

  const hear = async (message: Message): Promise<void> => {
    const { id, method, params } = message;
    if (typeof method !== "string") return open.get(id as number)?.(message);
    if (id === undefined) return;
    try {
      if (method === "ping") deliver({ id, result: {} });
      else if (method === "elicitation/create" && elicit !== undefined) deliver({ id, result: await elicit(params as Message) });
      else deliver({ id, error: { code: -32601, message: `the test's client does not answer \`${method}\`` } });
    } catch (error) {
      deliver({ id, error: { code: -32603, message: String(error) } });
    }
  };
  const transport = {
    onmessage: undefined as ((message: Message, extra: unknown) => void) | undefined,
    onclose: undefined as (() => void) | undefined,
    start: async () => {},
    // As over a wire: what is sent is another object.
    send: async (message: Message) => void hear(JSON.parse(JSON.stringify(message)) as Message),
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      transport.onclose?.();
    },
  };
  const deliver = (message: Message, token = authInfo) => transport.onmessage?.({ jsonrpc: "2.0", ...message }, { authInfo: token });
  const request = (method: string, params: Message, token?: AuthInfo) =>
    new Promise<Message>((resolve, reject) => {
      if (isClosed) return reject(new Error("the connection is closed"));
      const id = (ids += 1);
      open.set(id, resolve);
      deliver({ id, method, params }, token ?? authInfo);
    });

  const protocol = "server" in server ? server.server : server;
  await protocol.connect(transport as never);
  const capabilities = elicit === undefined ? {} : { elicitation: {} };
  const answer = await request("initialize", { protocolVersion: REVISION, capabilities, clientInfo: { name: "callgate/testing", version: "1" } });
  if (answer["error"] !== undefined) throw new Error(`the server refuses to begin: ${JSON.stringify(answer["error"])}`);
  deliver({ method: "notifications/initialized" });

  return {
    call: async (name, args, token) => read(await request("tools/call", args === undefined ? { name } : { name, arguments: args }, token)),
    tools: async (token) => {
      const names: string[] = [];
      for (let cursor: unknown; ; ) {
        const { result, error } = await request("tools/list", cursor === undefined ? {} : { cursor }, token);
        if (error !== undefined) throw new Error(`the server does not list its tools: ${JSON.stringify(error)}`);
        const { tools, nextCursor } = result as { tools: { name: string }[]; nextCursor?: string };
        names.push(...tools.map((tool) => tool.name));
        if (nextCursor === undefined) return names;
        cursor = nextCursor;
      }
    },
    close: transport.close,
  };
}

function read({ result, error }: Message): Answer {
  if (error !== undefined) {
    const { message, data } = error as { message: string; data?: Message };
    return { code: codeOf(data), isError: true, text: message, result: undefined };
  }
  const { content = [], isError = false, _meta } = result as { content?: { text?: string }[]; isError?: boolean; _meta?: Message };
  return { code: codeOf(_meta), isError, text: content.map(({ text = "" }) => text).join("\n"), result: result as Message };
}

function codeOf(meta: Message | undefined): string | null {
  const code = meta?.["callgate/code"];
  return typeof code === "string" ? code : null;
}
