/** A call that is filed, or was answered. */
export interface FiledCall {
    /** 8 characters: names it in its namespace. */
    readonly id: string;
    readonly state: "pending" | "granted" | "denied" | "used";
    /** The server that would run it, by its host's name. */
    readonly server: string;
    readonly method: string;
    /** Null for another method than `tools/call`. */
    readonly tool: string | null;
    /** The caller's id; null where nobody is known. */
    readonly caller: string | null;
    /** The rules that ask, by name or place in the policy; at most 16. */
    readonly rules: readonly string[];
    /** The policy's digest. */
    readonly policy: string;
    /** The approval key. */
    readonly key: string;
    /** How many calls an approval lets through. */
    readonly uses: number;
    /** For how many seconds; null where no rule says. */
    readonly validFor: number | null;
    /** Who may approve: null for anybody. */
    readonly approvers: readonly string[] | null;
    /** The paths that an approval does not cover. */
    readonly ignored: readonly string[];
    readonly filedAt: Date;
    /** Until when it stands. */
    readonly until: Date;
    /** When and by whom it was answered; null while nobody has. */
    readonly answeredAt: Date | null;
    readonly by: string | null;
    /** What is kept of the arguments; undefined in a list. Show them with control characters escaped. */
    readonly args?: {
        readonly kind: "none" | "keys" | "full" | "cut";
        readonly keys?: readonly string[];
        readonly text?: string;
        readonly bytes?: number;
    };
}
/** A person's answer. */
export interface ApprovalByPerson {
    /** The name of who answers, which the host vouches for. */
    readonly by: string;
    /**
     * For how long it holds, in milliseconds. A grant holds as long as the rules say, else an hour, and no longer than they say; a denial a day.
     */
    readonly forMs?: number;
}
