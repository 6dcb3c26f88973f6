import type { Engine } from "./engine.js";
import type { Arrived } from "./mcp-call.js";
import { type Message } from "./mcp-message.js";
export declare class Underway {
    #private;
    constructor(engine: Engine | undefined);
    arrive(message: Omit<Arrived, "tag" | "open">): Arrived;
    /** A message of the server arrived, with the options that it is sent with. It is for whom the request is that it is about. */
    answered(text: string, id: unknown, options: unknown): Arrived;
    /** The message of a request that is asked about; it is kept until it has its answer. */
    begin(tag: number): Arrived;
    /** It was read, and nothing follows but what was said already. */
    read(arrived: Arrived): void;
    givenUp(arrived: Arrived): void;
    /** A message goes to the server. Gives the one that caused it. */
    toServer(tag: number, text: string, message: Message): Arrived | undefined;
    /** A message goes to the client. Whether it is the server's own, and how it is to be sent. */
    toClient(tag: number, text: string, message: Message): {
        isServers: boolean;
        options: unknown;
    };
    clear(): void;
}
