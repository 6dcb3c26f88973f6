import { Engine } from "./engine.js";
import type { Identity } from "./identity.js";
/** Who asks, and what decides. */
export interface Known {
    readonly identity: Identity;
    readonly engine: Engine;
}
