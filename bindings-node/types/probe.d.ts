/** Stands for what cannot be read without running code. Never leaves the package. */
export declare const unreadable: unique symbol;
export declare const OBJECT = 1;
export declare const ARRAY = 2;
export declare const UNREADABLE = 3;
/** The kind of a value that may be no object: those have none. */
export declare function kindOf(value: unknown): number;
export declare function own(value: object, key: string | number): unknown;
