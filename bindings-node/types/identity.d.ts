/** What is known of a caller, such as `id`, `grant`, `session`, `roles`: an object; no list, no function. */
export type Claims = {
    readonly [claim: string]: unknown;
} | (object & {
    readonly [Symbol.iterator]?: never;
    readonly apply?: never;
});
/**
 * Who calls, as the host has verified it: an id, an object of claims, or nothing. Never something that the agent or its
 * client can set.
 */
export type Identity = string | Claims | null | undefined;
