# Everything that is done often. Each target installs what it needs by itself, as root or with sudo.

.PHONY: help run test faults screenshots check bench prepare

help: ## Say what the targets do
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 14

run: ## Start Muster with the sample files of examples/, on an embedded PostgreSQL
	@scripts/setup
	cargo run --locked -p muster -- up --demo

test: ## Run every test
	@scripts/setup --test
	RUST_BACKTRACE=0 cargo test --workspace --locked

faults: ## Run the tests of faults in their long form: what make test does once or twice, done often
	@scripts/setup --test
	MUSTER_FAULTS=1 cargo test --release --locked -p muster --test it -- faults:: kills:: full:: clocks:: recovery:: migrations:: backups_loaded:: --nocapture --test-threads 1

screenshots: ## Write a picture of every screen to target/screenshots
	@scripts/setup --test
	MUSTER_SCREENSHOTS=1 cargo test --locked -p muster --test it screenshots

check: ## Format, lints, docs, licences, samples and SQL metadata: all that must hold beside the tests
	@scripts/setup --test
	cargo fmt --all --check
	cargo fmt --manifest-path crates/bench/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	scripts/licences
	scripts/examples --check
	scripts/prepare --check

bench: ## Measure Muster beside other job queues, into target/bench: make bench ARGS=--quick for a minute's worth
	@scripts/setup
	cargo run --release --locked --manifest-path crates/bench/Cargo.toml --target-dir target -- $(ARGS)

prepare: ## Write the offline SQL metadata anew, after a change of schema or SQL
	@scripts/setup
	scripts/prepare
