/** Text on one line: each such character as `\u{…}`. */
export declare function shown(text: string): string;
/** A value as JSON on one line: each such character as JSON escapes it. */
export declare function shownJson(value: unknown): string;
