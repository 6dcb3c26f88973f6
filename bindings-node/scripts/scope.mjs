// Names the platforms' packages in the loader that napi writes: napi would call them `callgate-linux-x64-gnu`, they are
// `@callgate/linux-x64-gnu`. In: native.js. Out: native.js. Must not change anything else.
import { readFileSync, writeFileSync } from "node:fs";

const loader = new URL("../native.js", import.meta.url);
const text = readFileSync(loader, "utf8");
const scoped = text.replace(/require\('callgate-(?=[a-z0-9-]+(\/package\.json)?'\))/g, "require('@callgate/");
if (!scoped.includes("require('@callgate/linux-x64-gnu')")) throw new Error("napi writes its loader otherwise than it did");
writeFileSync(loader, scoped);
