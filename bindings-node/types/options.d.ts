/** What an option is. `answer`: a function whose answer is used at once, which none that waits can give. */
export type Kind = "string" | "number" | "function" | "answer" | "any";
/** The own members of `given`, on an object without prototype. */
export declare function read<T extends object>(given: T, known: Readonly<Record<keyof T, Kind>>): T;
/** The value, which is one of those that are known. */
export declare function choice<T>(name: string, value: T, known: readonly string[]): T;
/** A length of time. */
export declare function millis(name: string, value: unknown, most?: number): number;
/** Whether a callback answered with a promise. What it comes to goes to `failed`, so that it does not end the process. */
export declare function promised(answer: unknown, failed: (error: unknown) => void): boolean;
/** Calls a callback that only hears of something. What it throws, at once or later, is a warning of the process and no more. */
export declare function tell<A>(name: string, callback: ((heard: A) => unknown) | undefined, heard: A): void;
