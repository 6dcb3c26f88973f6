// `npm pack` and `npm publish` in this folder would make a package without its platforms' packages: refuse, and say what to run.
console.error("callgate: packages are made by scripts/pack.sh FOLDER, which leaves out what is only for building and names the platforms' packages");
process.exit(1);
