/** The signal of the HTTP request that the transport is receiving. */
export declare function streamOf(transport: object): AbortSignal | undefined;
/** Watches the requests that are given to a transport for HTTP. */
export declare function watchStreams(transport: object): void;
/** Calls `ended` when the input of a transport for stdio ends: the transport of `@modelcontextprotocol/sdk` does not listen for it. */
export declare function watchInput(transport: object, ended: () => void): void;
/**
 * Puts `wrap` around a callback of the transport, whatever is set there, now or later. A transport that wraps another one, as
 * that for HTTP in Node does, hands its callback on.
 *
 * @returns what was set last, without it.
 */
export declare function around<F>(transport: object, name: string, wrap: (callback: F | undefined) => F | undefined): () => F | undefined;
