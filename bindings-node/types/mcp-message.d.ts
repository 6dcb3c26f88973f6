export type Id = string | number;
export type Message = Record<string, unknown>;
export declare function isObject(value: unknown): value is Message;
export declare function isId(id: unknown): id is Id;
/** The SDKs take an id and its digits for the same. */
export declare function keyOf(id: Id): Id;
/** A member of its own. */
export declare function member(object: Message, name: string): unknown;
/** Its members, each read once; null where one is called `__proto__`, which a copy made by assignment loses. */
export declare function shallow(object: Message): Message | null;
/**
 * All of a value, each part read once, as JSON would carry it; `unreadable` where it is more than plain data, or has a member
 * called `__proto__` anywhere: a handler that merges it would see members that no check saw.
 */
export declare function copied(value: unknown): unknown;
