// Text of others, made safe to show to a person.
//
// In: text of a caller, a server or an author. Out: the same, with what is not drawn, steers a terminal or reorders text written out. Must not
// leave out anything.

// The characters of `is_invisible` in core.
const INVISIBLE =
  /[\u0000-\u001f\u007f-\u009f\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

/** Text on one line: each such character as `\u{…}`. */
export function shown(text: string): string {
  return text.replace(INVISIBLE, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}

/** A value as JSON on one line: each such character as JSON escapes it. */
export function shownJson(value: unknown): string {
  const escaped = (c: string) => c.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return (JSON.stringify(value) ?? "none").replace(INVISIBLE, (c) => escaped(c).join(""));
}
