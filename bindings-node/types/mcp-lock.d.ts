import { NativePins } from "../native.js";
/** @throws {CallgateError} with the code `invalid_lock` where the file cannot be read, or is no lock of this server. */
export declare function pinsOf(path: string, server: string | undefined): NativePins;
