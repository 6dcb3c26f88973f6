// Messages that are under way on a connection.
//
// In: messages as they arrive and go out. Out: what came with the message that another one is about. Must not keep a message for longer than it is
// held, or its request has no answer.

import type { Engine } from "./engine.js";
import type { Arrived } from "./mcp-call.js";
import { type Id, type Message, isId, isObject } from "./mcp-message.js";

export class Underway {
  /** What decides where that is the same for all. */
  readonly #engine: Engine | undefined;
  /** Messages that are held, and requests that have no answer yet, by their tags. */
  readonly #arrived = new Map<number, Arrived>();
  /** Requests that the server has, by their ids. */
  readonly #open = new Map<Id, Arrived>();
  /** The message for whose sake the server was asked for its tools. */
  #asking: Arrived | undefined;
  #tags = 0;

  constructor(engine: Engine | undefined) {
    this.#engine = engine;
  }

  arrive(message: Omit<Arrived, "tag" | "open">): Arrived {
    const arrived: Arrived = { engine: this.#engine, ...message, tag: (this.#tags += 1), open: false };
    this.#arrived.set(arrived.tag, arrived);
    return arrived;
  }

  /** A message of the server arrived, with the options that it is sent with. It is for whom the request is that it is about. */
  answered(text: string, id: unknown, options: unknown): Arrived {
    const about = isObject(options) ? options["relatedRequestId"] : undefined;
    const { extra, identity, engine = this.#engine } = this.#open.get(about as Id) ?? this.#open.get(id as Id) ?? {};
    return this.arrive({ text, isClients: false, extra, options, identity, engine });
  }

  /** The message of a request that is asked about; it is kept until it has its answer. */
  begin(tag: number): Arrived {
    const arrived = this.#arrived.get(tag);
    if (arrived === undefined) throw new TypeError("a request of a message that is not known");
    arrived.open = true;
    return arrived;
  }

  /** It was read, and nothing follows but what was said already. */
  read(arrived: Arrived): void {
    if (!arrived.open) this.#arrived.delete(arrived.tag);
  }

  givenUp(arrived: Arrived): void {
    this.#arrived.delete(arrived.tag);
  }

  /** A message goes to the server. Gives the one that caused it. */
  toServer(tag: number, text: string, message: Message): Arrived | undefined {
    const arrived = this.#arrived.get(tag) ?? (this.#asking?.tag === tag ? this.#asking : undefined);
    const { id } = message;
    if (text !== arrived?.text) {
      // The relay's own: it asks for tools, or answers a request of the server.
      if (Object.hasOwn(message, "method")) this.#asking = arrived;
      else this.#arrived.delete(tag);
    } else if (isId(id) && Object.hasOwn(message, "method")) {
      arrived.open = true;
      this.#open.set(id, arrived);
    } else if (message["method"] === "notifications/cancelled") {
      const { params } = message;
      if (isObject(params)) this.#close(params["requestId"]);
    }
    return arrived;
  }

  /** A message goes to the client. Whether it is the server's own, and how it is to be sent. */
  toClient(tag: number, text: string, message: Message): { isServers: boolean; options: unknown } {
    const arrived = this.#arrived.get(tag);
    const isServers = arrived?.text === text;
    let options = isServers ? arrived.options : undefined;
    const id = message["id"] as Id;
    if (Object.hasOwn(message, "method")) {
      if (arrived?.isClients === true) options = { relatedRequestId: (JSON.parse(arrived.text) as Message)["id"] };
      else if (arrived?.open === true) this.#arrived.delete(tag);
    } else if (arrived?.isClients !== true) {
      this.#close(id);
    } else {
      this.#arrived.delete(tag);
      // Of a request that was refused, another may have the id.
      if (this.#open.get(id) === arrived) this.#open.delete(id);
    }
    return { isServers, options };
  }

  clear(): void {
    this.#arrived.clear();
    this.#open.clear();
  }

  /** A request has its answer, or will have none. */
  #close(id: unknown): void {
    const arrived = this.#open.get(id as Id);
    if (arrived === undefined) return;
    this.#open.delete(id as Id);
    this.#arrived.delete(arrived.tag);
  }
}
