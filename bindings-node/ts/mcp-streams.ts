// The transports of the SDKs, as a guard needs them.
//
// In: a transport. Out: its callbacks, with the guard's around them; for a message that came by HTTP, a signal that aborts when its client
// closes the stream which is to carry the answer; for stdio, the end of the input. Must not change what is sent or received.

import { AsyncLocalStorage } from "node:async_hooks";

/** What of Node's `ServerResponse` is needed. */
interface Outgoing {
  readonly writableFinished: boolean;
  once(event: "close", listener: () => void): void;
}
type Handle = (this: unknown, first: unknown, second: unknown, ...rest: unknown[]) => Promise<unknown>;

/** The HTTP request whose messages are being received. */
const receiving = new AsyncLocalStorage<{ transport: object; signal: AbortSignal }>();

/** The signal of the HTTP request that the transport is receiving. */
export function streamOf(transport: object): AbortSignal | undefined {
  const request = receiving.getStore();
  return request?.transport === transport ? request.signal : undefined;
}

/** Watches the requests that are given to a transport for HTTP. */
export function watchStreams(transport: object): void {
  const handler = transport as { handleRequest?: Handle };
  const handle = handler.handleRequest;
  if (typeof handle !== "function") return;
  handler.handleRequest = async function (this: unknown, first, second, ...rest) {
    const gone = new AbortController();
    const abort = () => gone.abort();
    if (isOutgoing(second)) second.once("close", () => second.writableFinished || abort());
    else if (first instanceof Request) first.signal.addEventListener("abort", abort, { once: true });
    const answer = await receiving.run({ transport, signal: gone.signal }, () => handle.call(this ?? transport, first, second, ...rest));
    return answer instanceof Response && isStream(answer) ? watched(answer, abort) : answer;
  };
}

/** Calls `ended` when the input of a transport for stdio ends: the transport of `@modelcontextprotocol/sdk` does not listen for it. */
export function watchInput(transport: object, ended: () => void): void {
  const { _stdin: input } = transport as { _stdin?: { once?: (event: string, listener: () => void) => void; readableEnded?: boolean } };
  if (typeof input?.once !== "function") return;
  if (input.readableEnded === true) ended();
  input.once("end", ended);
  input.once("close", ended);
}

function isOutgoing(value: unknown): value is Outgoing {
  return typeof value === "object" && value !== null && "writableFinished" in value && "once" in value;
}

function isStream(response: Response): boolean {
  return response.body !== null && (response.headers.get("content-type") ?? "").startsWith("text/event-stream");
}

/** The same response, whose stream tells when its reader cancels it. */
function watched(response: Response, cancelled: () => void): Response {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel(reason) {
        cancelled();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
}

/**
 * Puts `wrap` around a callback of the transport, whatever is set there, now or later. A transport that wraps another one, as
 * that for HTTP in Node does, hands its callback on.
 *
 * @returns what was set last, without it.
 */
export function around<F>(transport: object, name: string, wrap: (callback: F | undefined) => F | undefined): () => F | undefined {
  const handOn = setter(transport, name);
  let current: F | undefined;
  const set = (callback: F | undefined) => {
    current = callback;
    handOn?.call(transport, wrap(callback));
  };
  set((transport as Record<string, F | undefined>)[name]);
  Object.defineProperty(transport, name, { configurable: true, enumerable: true, get: () => wrap(current), set });
  return () => current;
}

/** What setting the property calls, if it is more than a value. */
function setter(object: object, name: string): ((value: unknown) => void) | undefined {
  for (let holder: object | null = object; holder !== null; holder = Object.getPrototypeOf(holder) as object | null) {
    const property = Object.getOwnPropertyDescriptor(holder, name);
    if (property !== undefined) return property.set;
  }
  return undefined;
}
