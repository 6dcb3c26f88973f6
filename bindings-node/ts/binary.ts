// Where the command `callgate` is that came with the package.
//
// In: the platform, and the packages that npm installed for it. Out: a path, or why there is none. Must not run it.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

const { arch, platform } = process;
const extension = platform === "win32" ? ".exe" : "";

/** What to say where there is none. */
export const missing = `no package with the command \`callgate\` is installed for ${platform} on ${arch}; \`cargo install callgate-cli\` builds it`;

/** Whether this Node runs on glibc, where packages for both of Linux's libraries are installed. */
function glibc(): boolean {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime !== undefined;
}

/** The binary of this platform's package. */
export function find(): string | undefined {
  // In a checkout, where `scripts/command.sh` puts it.
  const built = join(__dirname, "..", `callgate.command${extension}`);
  if (existsSync(built)) return built;
  const abis = platform === "linux" ? ["-gnu", "-musl"] : platform === "win32" ? ["-msvc"] : [""];
  const found = abis.flatMap((abi) => {
    try {
      const file = join(dirname(require.resolve(`@callgate/${platform}-${arch}${abi}/package.json`)), `callgate${extension}`);
      return existsSync(file) ? [file] : [];
    } catch {
      return [];
    }
  });
  return found.length > 1 && !glibc() ? found[1] : found[0];
}
