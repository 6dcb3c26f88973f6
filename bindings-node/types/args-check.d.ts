/** What is checked. A name that is not listed here is an error. */
export interface ArgsCheckOptions {
    /** The tool's input schema, a JSON Schema. Without one, no type is checked. */
    readonly schema?: object;
    /** Whether a member denies that folds to one which a rule reads, such as `Amount` to `amount`. True unless told otherwise. */
    readonly folding?: boolean;
}
/**
 * What is checked in the arguments of a call before any rule, where the rules read them (clauses 3.7 and 3.8): a server may read
 * arguments otherwise than they do. Made once for a tool.
 */
export declare class ArgsCheck {
    /**
     * @throws {TypeError} where the schema is not an object that JSON can hold.
     */
    constructor(options?: ArgsCheckOptions);
}
