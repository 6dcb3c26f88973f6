export type Id = string | number;
export type Message = Record<string, unknown>;
export declare function isObject(value: unknown): value is Message;
export declare function isId(id: unknown): id is Id;
/** A member of its own. */
export declare function member(object: Message, name: string): unknown;
/** @throws where it is no JSON. */
export declare function textOf(message: unknown): string;
/**
 * The text of a client's message. Arguments that are null are absent (clause 3.3), and the SDKs' servers take only what is. Those with a
 * member called `__proto__`, at any depth, become a text, which no policy takes for arguments: a handler that merges them would see
 * members that no check saw.
 *
 * @throws where it is no JSON, or has such a member elsewhere.
 */
export declare function clientText(message: unknown): string;
/** The id of a request, without running code of whoever made it; undefined where it is none. */
export declare function requestId(message: unknown): Id | undefined;
