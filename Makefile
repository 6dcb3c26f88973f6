# Each target sets up whatever it needs.
.DEFAULT_GOAL := help
export CARGO_TERM_COLOR ?= auto
PART ?=

.PHONY: help demo check test proof fuzz bench

help: ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## Run agents' calls against the policies of spec/policies, from Python and Node too, and a runaway client against a real server
	@demo/run.sh
	@demo/languages.sh
	@demo/proxy.sh

check: ## The quick loop: pages, format, lints, and the tests of core
	tests/pages.py
	cargo fmt --all --check
	cargo clippy --package callgate --all-targets --locked -- -D warnings
	cargo test --package callgate --locked

test: ## Every check and test; PART="core python" runs some: lint core stores package python node
	@scripts/test.sh $(PART)

proof: ## Slower checks: dependencies, oldest compiler, interleavings, the reference, slow calls, processes left behind, SDKs' clients, coverage, mutants (tests/proof.sh NAME runs one)
	tests/proof.sh

fuzz: ## Fuzz every target for FUZZ_SECONDS each, 1200 by default; needs the nightly toolchain
	fuzz/run.sh

bench: ## Measure everything beside peers and floors, into benches/results; BENCH_QUICK=1 for a quarter of the rounds (benches/run.sh NAME runs one)
	benches/run.sh
