// The messages of a connection, as text.
//
// In: what a transport received, or a server sends. Out: its JSON text, read once: what is judged, and what others get. Must not pass on
// what a handler may read otherwise than a check does.

export type Id = string | number;
export type Message = Record<string, unknown>;

const { hasOwn, getOwnPropertyDescriptor } = Object;
const { parse, stringify } = JSON;

/** How a member called so begins in a text that `stringify` wrote. */
const PROTO = '"__proto__":';
const NULL_ARGUMENTS = '"arguments":null';

export function isObject(value: unknown): value is Message {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isId(id: unknown): id is Id {
  return typeof id === "string" || typeof id === "number";
}

/** A member of its own. */
export function member(object: Message, name: string): unknown {
  return hasOwn(object, name) ? object[name] : undefined;
}

/** @throws where it is no JSON. */
export function textOf(message: unknown): string {
  const text = stringify(message) as string | undefined;
  if (text === undefined) throw new TypeError("a message that is no JSON was dropped");
  return text;
}

/**
 * The text of a client's message. Arguments that are null are absent (clause 3.3), and the SDKs' servers take only what is. Those with a
 * member called `__proto__`, at any depth, become a text, which no policy takes for arguments: a handler that merges them would see
 * members that no check saw.
 *
 * @throws where it is no JSON, or has such a member elsewhere.
 */
export function clientText(message: unknown): string {
  const text = textOf(message);
  const hasProto = text.includes(PROTO);
  if (!hasProto && !text.includes(NULL_ARGUMENTS)) return text;
  const own = parse(text) as unknown;
  const params = isObject(own) ? member(own, "params") : undefined;
  if (isObject(own) && isObject(params)) {
    const { arguments: args, ...rest } = params;
    const isAbsent = args === null && own["method"] === "tools/call";
    const isProto = args !== undefined && textOf(args).includes(PROTO);
    const changed = textOf({ ...own, params: isAbsent ? rest : { ...rest, arguments: isProto ? "__proto__" : args } });
    if (!changed.includes(PROTO)) return changed;
  }
  if (hasProto) throw new TypeError("a message with a member called `__proto__` was dropped");
  return text;
}

/** The id of a request, without running code of whoever made it; undefined where it is none. */
export function requestId(message: unknown): Id | undefined {
  try {
    if (!isObject(message)) return undefined;
    const [id, method] = ["id", "method"].map((name) => getOwnPropertyDescriptor(message, name)?.value as unknown);
    return isId(id) && typeof method === "string" ? id : undefined;
  } catch {
    return undefined;
  }
}
