// A gateway: puts a policy before any MCP server that speaks stdio, and changes nothing else.
//
//     node gateway.js policy.yaml COMMAND [ARGUMENT...]
//
// In: a client over stdio. Out: the server's answers, and the policy's.

import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { Engine } from "callgate";
import { guardTransport } from "callgate/mcp";

const [policy, command, ...args] = process.argv.slice(2);
if (policy === undefined || command === undefined) {
  console.error("usage: gateway POLICY COMMAND [ARGUMENT...]");
  process.exit(2);
}

const engine = Engine.fromFile(policy, { watch: true });
// With the whole environment, as if the client had started it: the SDK would pass on only a few variables.
const env = Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
const server = new StdioClientTransport({ command, args, env, stderr: "inherit" });
const client = guardTransport(new StdioServerTransport(), engine, { onError: console.error });

const stop = () => process.exit();
client.onmessage = (message) => void server.send(message).catch(stop);
server.onmessage = (message) => void client.send(message).catch(stop);
server.onclose = stop;
process.stdin.on("end", () => void server.close().finally(stop));

await server.start();
await client.start();
