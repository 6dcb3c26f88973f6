// The clients of both generations of the TypeScript SDK, as one thing: what `scenario-client` plays scenarios with.
//
// In: a server's command or URL, and who answers it. Out: answers as the SDK gives them, an error as its code, message and data.

import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as Stdio1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as Http1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  CreateTaskResultSchema,
  ElicitRequestSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { Client as Client2, StreamableHTTPClientTransport as Http2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as Stdio2 } from "@modelcontextprotocol/client/stdio";

export type Raw = Record<string, unknown>;
export interface Answer {
  result?: Raw;
  error?: { code: number; message: string; data?: unknown };
}
/** Who answers the server at the client. */
export interface Person {
  elicited(schema: Raw): Promise<Raw>;
  sampled(): void;
  notified(method: string): void;
}
interface Params extends Raw {
  name: string;
}
export interface Client {
  call(params: Params, told: ((progress: number) => void) | undefined, signal: AbortSignal): Promise<Answer>;
  request(method: string, params: Raw): Promise<Answer>;
  pages(method: string): Promise<Raw[]>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

const INFO = { name: "scenario", version: "1" };
const CAPABILITIES = { sampling: {}, elicitation: { form: {} } };
const SAMPLE = { role: "assistant" as const, content: { type: "text" as const, text: "sampled" }, model: "none" };

/** Methods that both generations have. */
interface Common {
  listTools(params?: Raw): Promise<object>;
  listResources(params?: Raw): Promise<object>;
  listPrompts(params?: Raw): Promise<object>;
  readResource(params: never): Promise<object>;
  getPrompt(params: never): Promise<object>;
  ping(): Promise<object>;
  close(): Promise<void>;
}

export async function open(generation: number, server: string[] | URL, era: string | undefined, person: Person): Promise<Client> {
  return generation === 1 ? first(server, person) : second(server, era, person);
}

async function first(server: string[] | URL, person: Person): Promise<Client> {
  const client = new Client1(INFO, { capabilities: CAPABILITIES });
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => (await person.elicited(schemaOf(params))) as never);
  client.setRequestHandler(CreateMessageRequestSchema, () => {
    person.sampled();
    return SAMPLE;
  });
  client.setNotificationHandler(ToolListChangedNotificationSchema, ({ method }) => person.notified(method));
  await client.connect((server instanceof URL ? new Http1(server) : new Stdio1(started(server))) as never);
  const transport = client.transport as { terminateSession?(): Promise<void> } | undefined;
  const call: Client["call"] = (params, onprogress, signal) => {
    const options = { signal, ...(onprogress && { onprogress: ({ progress }: { progress: number }) => onprogress(progress) }) };
    if ("task" in params) return answered(client.request({ method: "tools/call", params }, CreateTaskResultSchema, options));
    return answered(client.callTool(params, undefined, options));
  };
  return { ...common(client, undefined, transport), call };
}

async function second(server: string[] | URL, era: string | undefined, person: Person): Promise<Client> {
  const mode = era === undefined ? ("legacy" as const) : { pin: era };
  const client = new Client2(INFO, { capabilities: CAPABILITIES, versionNegotiation: { mode } });
  client.setRequestHandler("elicitation/create", async ({ params }) => (await person.elicited(schemaOf(params))) as never);
  client.setRequestHandler("sampling/createMessage", () => {
    person.sampled();
    return SAMPLE;
  });
  client.setNotificationHandler("notifications/tools/list_changed", ({ method }) => person.notified(method));
  await client.connect(server instanceof URL ? new Http2(server) : new Stdio2(started(server)));
  const transport = client.transport as { terminateSession?(): Promise<void> } | undefined;
  const call: Client["call"] = (params, onprogress, signal) => {
    const options = { signal, ...(onprogress && { onprogress: ({ progress }: { progress: number }) => onprogress(progress) }) };
    return answered(client.callTool(params, options));
  };
  return { ...common(client as unknown as Common, era, transport), call };
}

const started = ([command = "", ...args]: string[]) => ({ command, args, stderr: "inherit" as const });
const schemaOf = (params: object) => ("requestedSchema" in params ? (params.requestedSchema as Raw) : {});

function common(client: Common, era: string | undefined, transport: { terminateSession?(): Promise<void> } | undefined): Omit<Client, "call"> {
  const lists: Record<string, (params?: Raw) => Promise<object>> = {
    "tools/list": (params) => client.listTools(params),
    "resources/list": (params) => client.listResources(params),
    "prompts/list": (params) => client.listPrompts(params),
  };
  const requests: Record<string, (params: never) => Promise<object>> = {
    "resources/read": (params) => client.readResource(params),
    "prompts/get": (params) => client.getPrompt(params),
    ping: () => client.ping(),
  };
  const pages = async (method: string) => {
    const found: Raw[] = [];
    for (let cursor: unknown; found.length === 0 || cursor !== undefined; cursor = found.at(-1)?.["nextCursor"]) {
      found.push((await lists[method]?.(cursor === undefined ? undefined : { cursor })) as Raw);
    }
    return found;
  };
  return {
    pages,
    request: (method, params) => answered(requests[method]?.(params as never) ?? Promise.reject(new Error(`no ${method}`))),
    // 2026-07-28 has none.
    ping: async () => void (await (era === undefined ? client.ping() : client.listTools())),
    close: async () => {
      await transport?.terminateSession?.().catch(() => {});
      await client.close();
    },
  };
}

async function answered(result: Promise<object>): Promise<Answer> {
  try {
    return { result: (await result) as Raw };
  } catch (error) {
    const { code, message, data } = error as { code?: number; message: string; data?: unknown };
    if (typeof code !== "number") return { error: { code: 0, message, data } };
    return { error: { code, message: message.replace(`MCP error ${code}: `, ""), data } };
  }
}
