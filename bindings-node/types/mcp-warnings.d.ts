/** What may not be meant so. */
export interface GuardWarning {
    /**
     * `unmatched_name`: the server has no such tool. `unknown_caller`: a rule needs to know who calls, and nobody does. `requests_pass`: the policy denies
     * what it does not name, and says nothing of other requests than calls of tools. `definition_changed`: a tool is not as it was approved.
     */
    readonly code: "unmatched_name" | "unknown_caller" | "requests_pass" | "definition_changed";
    /** A sentence, with the rule's line where it is about one. */
    readonly message: string;
    /** What to write instead. */
    readonly help: string | null;
}
/** Hears of a warning. */
export type OnGuardWarning = (warning: GuardWarning) => void;
