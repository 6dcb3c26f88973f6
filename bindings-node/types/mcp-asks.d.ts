import { CallgateError } from "./errors.js";
import { type Id, type Message } from "./mcp-message.js";
/** How a message is sent straight to the client. Over HTTP it goes with the answer to the request that it is about. */
export type SendToClient = (message: Message, options: {
    readonly relatedRequestId: Id;
}) => Promise<void>;
/** What `ask` rejects with where the client cannot be asked, or did not answer. */
export declare class CannotAsk extends CallgateError {
    constructor(message: string);
}
/** A request of a guard to a client: a form for the person who sits there. */
export declare const ELICITATION = "elicitation/create";
/** Throws where a client with these capabilities has not said that it shows forms. */
export declare function askable(capabilities: unknown): void;
