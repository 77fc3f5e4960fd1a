# `make help` lists the targets. Everything made here lands in build/ and in Cargo's target folder.

PYTHON ?= python3
WHEEL_PROFILE ?= release

# uv, maturin and the rest, at the versions that tools/requirements.txt pins.
TOOLS := $(CURDIR)/build/tools/bin
WITH_TOOLS := export PATH="$(TOOLS):$$PATH";
# LocalStack and moto, which the command finds in KLAYERS_TEST_LOCALSTACK and KLAYERS_TEST_MOTO.
WITH_AWS := tools/with-localstack tools/with-moto

# The tests of klayers-py are Python: its library is linked by the interpreter that loads it.
RUST := --workspace --exclude klayers-py --all-features

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-aws setup-browser setup-deploy setup-dist build wheel dist demo test \
	test-rust test-docs test-python test-page test-deploy lint features package api \
	fmt bench survey chaos clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install the tools that building and testing need, into build/tools
	@PYTHON="$(PYTHON)" tools/setup

setup-aws: setup ## Install AWS for the tests, LocalStack and moto, into build/aws
	@PYTHON="$(PYTHON)" tools/setup-aws

setup-browser: setup ## Install what the tests of the pages need, into build/browser, and Chromium
	@PYTHON="$(PYTHON)" tools/setup-browser

setup-deploy: setup-aws setup-browser ## Install what the deployment examples need, into build/deploy
	@tools/setup-deploy

setup-dist: setup ## Install what `make dist` needs, zig for one, into build/dist-tools
	@PYTHON="$(PYTHON)" tools/setup-dist

build: ## Build the commands and the examples, for release
	cargo build --release $(RUST) --exclude bench-programs --bins --examples

wheel: setup ## Build the Python wheel, into build/wheels
	rm -rf build/wheels
	$(WITH_TOOLS) maturin build --manifest-path klayers-py/Cargo.toml \
		--profile $(WHEEL_PROFILE) --interpreter "$(TOOLS)/python" --out build/wheels

dist: setup-dist ## Build and check the wheel for manylinux and the sdist, into build/dist
	$(WITH_TOOLS) python tools/dist

# The demo publishes to a folder, so AWS's SDKs, half of what a release build compiles, are left out.
demo: setup wheel ## Build layers, publish them to this machine, look one up
	cargo build --release --no-default-features --features klayers-client/cli \
		-p klayers-build -p klayers-client -p klayers-examples \
		--bin klayers-pipeline --bin klayers --bin lookup_blocking
	$(WITH_TOOLS) tools/demo

test: test-rust test-docs test-python test-page test-deploy ## Run all tests

test-rust: setup-aws ## Run the Rust tests, with cargo-nextest where it is installed
	$(WITH_TOOLS) $(if $(shell cargo nextest --version 2>/dev/null), \
		cargo nextest run --no-run $(RUST) && \
			$(WITH_AWS) cargo nextest run --no-fail-fast $(RUST), \
		cargo build $(RUST) --bins --examples && cargo test --no-run $(RUST) --lib --bins --tests && \
			$(WITH_AWS) cargo test --no-fail-fast $(RUST) --lib --bins --tests)

# CHAOS_LOOPS=100 makes it longer; CHAOS_SEED repeats the faults and kills of a run, which prints it.
chaos: setup-aws ## Publish to LocalStack with random faults and kills, and check what became of it
	$(WITH_TOOLS) CHAOS_LOOPS="$${CHAOS_LOOPS:-10}" $(WITH_AWS) \
		cargo test -p klayers-build --all-features --test it -- --nocapture chaos::

test-docs: setup ## Run the examples in the documentation, and build it without warnings
	$(WITH_TOOLS) cargo test $(RUST) --doc
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps

# The development profile shares its dependencies with the Rust tests.
test-python test-deploy: WHEEL_PROFILE = dev
test-python: wheel ## Run the tests of the wheel in a fresh environment of each CPython there is
	$(WITH_TOOLS) python tools/test-wheel

test-page: setup-browser ## Run the tests of the pages in a browser; pictures go to build/page
	cargo build $(RUST) --bin klayers-pipeline --bin catalog_fixture
	@if [ -x build/browser/bin/pytest ]; then \
		set -x; build/browser/bin/pytest -o cache_dir="$(CURDIR)/build/pytest-page" -rs \
			klayers-build/tests/page; \
	fi

# AWS CDK is where the tests of the pages have it, and is most of what they install.
test-deploy: setup-deploy wheel ## Run the tests of klayers.cdk and of the deployment examples
	@if [ -x build/browser/bin/pytest ]; then \
		$(WITH_TOOLS) set -x; \
		uv pip install --quiet --python build/browser --reinstall --no-deps build/wheels/*.whl && \
		basedpyright --project klayers-py/tests-deploy \
			--pythonpath "$(CURDIR)/build/browser/bin/python" && \
		build/browser/bin/pytest -o cache_dir="$(CURDIR)/build/pytest-deploy" -rs \
			klayers-py/tests-deploy; \
	else \
		echo "SKIPPED the deployment examples: there is no build/browser"; \
	fi

lint: setup ## Check format, lints, types, dependencies, paths in the documentation and licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	tools/check-dependencies
	tools/check-imports
	tools/check-paths
	$(WITH_TOOLS) MYPYPATH=klayers-py/python mypy --strict --cache-dir build/mypy klayers-py/python \
		klayers-py/tests klayers-py/tests-types examples/lookup.py
	$(WITH_TOOLS) basedpyright --project klayers-py
	$(WITH_TOOLS) cargo deny check licenses bans sources

features: setup ## Check every crate with each of its features alone, and with none
	$(WITH_TOOLS) cargo hack clippy --each-feature --all-targets \
		-p klayers-core -p klayers-client -p klayers-build -- -D warnings

package: ## Package core and client as a registry takes them, and build from that
	cargo package --locked --all-features -p klayers-core -p klayers-client

api: ## Check that the public API of core and client breaks nobody, with cargo-semver-checks
	tools/check-api

fmt: ## Format the Rust code
	cargo fmt --all

bench: setup build wheel ## Measure against other tools, side by side
	cargo build --release $(RUST) --bins --examples
	$(WITH_TOOLS) python bench/bench.py

survey: setup build ## Build the 300 most downloaded packages, compare each with uv's tree, into docs/survey.md
	$(WITH_TOOLS) tools/survey $(SURVEY)

clean: ## Remove everything made here
	cargo clean
	rm -rf build
