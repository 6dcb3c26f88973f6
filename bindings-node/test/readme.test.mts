// The quick start of the README, as written: in an empty folder, from the packed tarballs, without a compiler.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";

test("the quick start", (t) => {
  const readme = readFileSync("README.md", "utf8");
  const section = readme.slice(readme.indexOf("## Quick start"), readme.indexOf("## An MCP server"));
  const block = (language: string, after = "") => {
    const from = section.indexOf(after);
    const found = new RegExp("```" + language + "\n([^`]*)```").exec(section.slice(from))?.[1];
    return found ?? assert.fail(`the README has no ${language} block`);
  };
  const folder = mkdtempSync(join(tmpdir(), "callgate-quickstart-"));
  t.after(() => rmSync(folder, { recursive: true }));

  // Nothing but node, npm and the shell: what would need a compiler fails.
  const bin = join(folder, "bin");
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, "node"));
  symlinkSync(join(resolve(process.execPath, ".."), "npm"), join(bin, "npm"));
  symlinkSync("/bin/sh", join(bin, "sh"));
  symlinkSync("/usr/bin/env", join(bin, "env"));
  const app = join(folder, "app");
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), "{}");
  const env = { PATH: bin, HOME: folder, npm_config_update_notifier: "false" };
  const run = (command: string) => execFileSync(join(bin, "sh"), ["-c", command], { cwd: app, env, encoding: "utf8" });

  // The one thing that differs: the packages come from this build, not from the registry.
  const install = block("sh").trim();
  assert.equal(install, "npm install callgate");
  const tarballs = readdirSync(".work/tarballs").map((name) => resolve(".work/tarballs", name));
  assert.equal(tarballs.length, 2);
  run(`npm install --offline --silent ${tarballs.join(" ")}`);

  writeFileSync(join(app, "policy.yaml"), block("yaml"));
  writeFileSync(join(app, "quickstart.mjs"), block("js"));
  assert.equal(run(block("sh", "```js")), block("text"));

  const tenants = /One store.*?```js\n(.*?)```/is.exec(readme.slice(readme.indexOf("**Many servers or tenants")))?.[1];
  writeFileSync(join(app, "tenants.mjs"), tenants ?? assert.fail("the README has no block of tenants"));
  assert.equal(run("node tenants.mjs"), "true\n[ 1, 0 ]\n");
  for (const [module, names] of [["mcp", "approveByElicitation,approveByStore,guard,guardTransport"], ["testing", "connect"]]) {
    const required = `console.log(Object.keys(require("callgate/${module}")).sort().join())`;
    assert.equal(run(`node -e '${required}'`).trim(), names);
  }
});
