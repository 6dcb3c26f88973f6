import { type Message } from "./mcp-message.js";
import type { MessageExtra } from "./mcp.js";
/** Gives a request to the server. */
export type Ask = (request: Message, extra: MessageExtra | undefined) => void;
