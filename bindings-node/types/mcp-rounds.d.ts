import { type Message } from "./mcp-message.js";
import type { Identity } from "./identity.js";
/** What a call must have again. */
export interface Same {
    readonly key: string;
    readonly method: string;
    readonly tool: string;
    readonly digest: string;
    readonly identity: Identity;
    /** The engine that decides. */
    readonly engine: object;
}
/** Who waits for the client to come again. */
export interface Parked {
    /** The time has passed. */
    end(): void;
}
/** A call that came again. */
export interface Resumed<P extends Parked> {
    readonly parked: P;
    readonly same: Same;
    /** It is settled: its deadline ends it no more. */
    settled(): void;
    /** The client's answer to the question; undefined where it gave none. */
    readonly answer: Message | undefined;
}
/** What of a call's arguments tells it from others. */
export declare function digestOf(args: unknown): string;
export declare function isSame({ engine, ...one }: Same, { engine: engine2, ...other }: Same): boolean;
/** Whether a text may bring a state of a guard's. */
export declare function bringsState(text: string): boolean;
/** Whether a call's generation of the protocol asks its client by rounds. */
export declare function hasRounds(params: Message): boolean;
/** Throws where the client of such a call has not said that it shows forms. */
export declare function askableInRounds(params: Message): void;
