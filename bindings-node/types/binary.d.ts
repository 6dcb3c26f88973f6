/** What to say where there is none. */
export declare const missing: string;
/** The binary of this platform's package. */
export declare function find(): string | undefined;
