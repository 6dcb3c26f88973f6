// Published servers, and the command that is put in front of them: where the packed package is installed.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export const APP = join(process.cwd(), ".work/app");
export const CALLGATE = join(APP, "node_modules/.bin/callgate");

const require = createRequire(join(process.cwd(), "package.json"));

/** The command that starts a published server. */
export function published(name: string): string[] {
  const manifest = require.resolve(`${name}/package.json`);
  const { bin } = require(manifest) as { bin: Record<string, string> };
  return [process.execPath, join(dirname(manifest), Object.values(bin)[0] ?? assert.fail("it has no program"))];
}
