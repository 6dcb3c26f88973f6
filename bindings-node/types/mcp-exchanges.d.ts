/** Whether a transport carries one request and its answer, and is closed then. */
export declare function isExchange(transport: object): boolean;
