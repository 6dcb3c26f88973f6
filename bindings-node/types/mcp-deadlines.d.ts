/** In the relay's time: milliseconds from any start. */
export declare function now(): number;
export declare class Deadlines<T> {
    #private;
    /** `over` is told of entries that have ended, which are forgotten by then. */
    constructor(over: (entries: T[], now: number) => void);
    get size(): number;
    add(entry: T, end: number): void;
    /** Whether it had not ended. */
    delete(entry: T): boolean;
    /** Nothing ends any more. */
    clear(): void;
}
