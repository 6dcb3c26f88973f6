/**
 * Registers a test of `node:test` for each policy test, in a suite for each file. They are run once, here, by the command of the package.
 *
 * `paths` are test files, and folders in which those called `*_test.yaml`, `*_test.yml` or `*_test.json` are looked for. Text is relative
 * to the folder of the process, as for the command.
 *
 * A test that is marked `skip` is skipped. One that is marked `todo` is a `todo`, and fails if it passes. A file that cannot be run has a
 * test that fails.
 *
 * @throws {CallgateError} with the code `not_run` where there is no command, a path leads nowhere, or a folder holds no test file.
 */
export declare function policyTests(paths: string | URL | readonly (string | URL)[]): void;
