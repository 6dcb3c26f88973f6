// Requests that a guard makes of the client that calls.
//
// In: a request of the guard's own, and the client's messages. Out: the client's answer, once. Must not pass an answer on to the server, which
// asked nothing, and must not ask a client but the one of this connection.

import { randomUUID } from "node:crypto";
import { CallgateError } from "./errors.js";
import { type Id, type Message, isObject, member } from "./mcp-message.js";

/** How a message is sent straight to the client. Over HTTP it goes with the answer to the request that it is about. */
export type SendToClient = (message: Message, options: { readonly relatedRequestId: Id }) => Promise<void>;

/** What `ask` rejects with where the client cannot be asked, or did not answer. */
export class CannotAsk extends CallgateError {
  constructor(message: string) {
    super("cannot_ask", message);
  }
}

/** A request of a guard to a client: a form for the person who sits there. */
export const ELICITATION = "elicitation/create";

/** Throws where a client with these capabilities has not said that it shows forms. */
export function askable(capabilities: unknown): void {
  const declared = isObject(capabilities) ? member(capabilities, "elicitation") : undefined;
  // A client that names no mode has the form, which is older than URLs.
  const shows = isObject(declared) && ("form" in declared || !("url" in declared));
  if (!shows) throw new CannotAsk("the client has not declared that it answers questions (`elicitation`)");
}

interface Open {
  resolve(result: Message): void;
  reject(error: unknown): void;
}

/** @internal Those of one connection. */
export class Asks {
  readonly #send: SendToClient;
  readonly #open = new Map<string, Open>();
  /** How the ids of the guard's own requests begin. Nobody else can know it, so it also tells answers that come too late. */
  readonly #own = `callgate-${randomUUID()}-`;
  #requests = 0;
  #closed = false;
  /** What the client declared in `initialize`; undefined where it did not. */
  capabilities: unknown;

  constructor(send: SendToClient) {
    this.#send = send;
  }

  /** Whether a text may be of interest. */
  concerns(text: string): boolean {
    return text.includes(this.#own) || text.includes('"initialize"');
  }

  /** A message from the client: notes what it declares, and tells whether it answers the guard, so that nobody else may see it. */
  heard(message: Message): boolean {
    if (member(message, "method") === "initialize") {
      const params = member(message, "params");
      this.capabilities = isObject(params) ? member(params, "capabilities") : undefined;
      return false;
    }
    const id = member(message, "id");
    if (Object.hasOwn(message, "method") || typeof id !== "string" || !id.startsWith(this.#own)) return false;
    const open = this.#open.get(id);
    this.#open.delete(id);
    const { result, error } = message;
    if (isObject(result)) open?.resolve(result);
    else open?.reject(new CannotAsk(`the client answered: ${isObject(error) ? String(error["message"]) : "nothing"}`));
    return true;
  }

  /** Asks the client while it waits for the answer to `about`. Rejects, and takes the question back, when `signal` aborts. */
  async elicit(params: Message, about: Id, signal: AbortSignal): Promise<Message> {
    askable(this.capabilities);
    // Callers may share a connection: nobody guesses the id of a question to another.
    const id = `${this.#own}${(this.#requests += 1)}-${randomUUID()}`;
    const options = { relatedRequestId: about };
    const gone = () => new CannotAsk("the call ended before its client answered");
    if (signal.aborted || this.#closed) throw gone();
    let abort = () => {};
    try {
      return await new Promise<Message>((resolve, reject) => {
        this.#open.set(id, { resolve, reject });
        abort = () => {
          reject(gone());
          if (this.#closed) return;
          const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id, reason: "the call ended" } };
          this.#send(cancelled, options).catch(() => {});
        };
        signal.addEventListener("abort", abort, { once: true });
        this.#send({ jsonrpc: "2.0", id, method: ELICITATION, params }, options).catch(reject);
      });
    } finally {
      signal.removeEventListener("abort", abort);
      this.#open.delete(id);
    }
  }

  /** Tells the client something about a request of its own. */
  notify(method: string, params: Message, about: Id): void {
    if (!this.#closed) this.#send({ jsonrpc: "2.0", method, params }, { relatedRequestId: about }).catch(() => {});
  }

  /** The connection is closed. */
  close(): void {
    this.#closed = true;
    for (const { reject } of this.#open.values()) reject(new CannotAsk("the connection is closed"));
    this.#open.clear();
  }
}
