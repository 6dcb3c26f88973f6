# The two commands of the README are `make demo` and `make test`; each sets up whatever it needs.
.DEFAULT_GOAL := help
export CARGO_TERM_COLOR ?= auto

.PHONY: help demo test proof fuzz bench

help: ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## Run agents' calls against the policies of spec/policies, then the same calls from Python and Node
	@demo/run.sh
	@demo/languages.sh

test: ## Format, lint, docs, and every test
	stores/redis/setup.sh
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	cargo test --workspace --locked
	demo/run.sh > /dev/null
	tests/package.sh
	bindings-python/test.sh
	bindings-node/test.sh

proof: ## Slower checks: dependencies, oldest compiler, interleavings, coverage, mutants (tests/proof.sh NAME runs one)
	tests/proof.sh

fuzz: ## Fuzz every target for FUZZ_SECONDS each, 1200 by default; needs the nightly toolchain
	fuzz/run.sh

bench: ## Measure everything beside peers and floors, into benches/results; BENCH_QUICK=1 for a quarter of the rounds (benches/run.sh NAME runs one)
	benches/run.sh
