/** The signal of the HTTP request that the transport is receiving. */
export declare function streamOf(transport: object): AbortSignal | undefined;
/** Watches the requests that are given to a transport for HTTP. */
export declare function watchStreams(transport: object): void;
/** Calls `ended` when the input of a transport for stdio ends: the transport of `@modelcontextprotocol/sdk` does not listen for it. */
export declare function watchInput(transport: object, ended: () => void): void;
