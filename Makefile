# Sayso. `make` lists what there is.

CARGO ?= cargo
.DEFAULT_GOAL := help
# The pages in the browser: built anew when a source is newer than what was built.
WEB_SOURCES := $(shell find web/src -type f -not -name '*.test.ts') web/index.html web/package.json web/tsconfig.json web/vite.config.js web/licences.js web/swagger.js $(wildcard web/swagger/*)
NPM_QUIET := --no-audit --no-fund --no-update-notifier --loglevel=error

.PHONY: help build web web-check demo test pictures fuzz bench bench-cores bench-scale baseline instructions soak fmt tools build-tools deny

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: build-tools web ## The server with its pages, target/release/sayso
	$(CARGO) build --release

web: web/dist/index.html ## The pages alone, web/dist

web/dist/index.html: $(WEB_SOURCES) web/node_modules/.package-lock.json
	@echo "web: building the pages"
	@cd web && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json web/package.json | build-tools
	@echo "web: npm ci"
	@cd web && npm ci $(NPM_QUIET) >/dev/null && touch node_modules/.package-lock.json

web-check: web/node_modules/.package-lock.json ## Types and unit tests of the pages
	@cd web && npm run --silent check

demo: build ## Two calls, one that agrees and one that refuses, then a server to call
	target/release/sayso demo

test: tools web ## Format, lints, documentation, unit tests, end-to-end tests; ends with the sum
	@deploy/test.sh

pictures: ## Copy the pictures that the tests took of the pages to web/pictures
	@mkdir -p web/pictures && cp target/pictures/*.png web/pictures/

fuzz: build-tools ## Fuzz every target for a minute (SECONDS=60)
	sip-tests/fuzz/run.sh $(or $(SECONDS),60)

bench: build-tools bench-cores ## What each core costs beside the last figures; loads on servers beside the bars (ONLY=floor,recorded)
	target/release/sayso-load bench --sayso target/release/sayso $(if $(ONLY),--only $(ONLY))

bench-cores: build-tools ## Criterion's benches alone, beside benches/BASELINE.md (CORES=opus: those of that name)
	$(CARGO) build --release --bins --benches
	$(CARGO) bench --quiet --bench cores -- --noplot $(CORES)
	target/release/sayso-load compare

baseline: bench-cores ## Write Criterion's figures to benches/BASELINE.md
	target/release/sayso-load compare --write

# Built as `make test` builds it: with the tests' packages, libraries have other features, and other counts.
instructions: tools ## Count the hot paths' instructions and write them to benches/instructions.toml
	$(CARGO) build --release --bins --tests
	target/release/sayso-load count --write

bench-scale: build-tools ## What is asked of ten million calls, beside the bars (DATABASE=postgres://…, CALLS=10000000; 14 GB)
	$(CARGO) build --release --bins
	target/release/sayso-load scale --calls $(or $(CALLS),10000000) --database $(or $(DATABASE),sqlite:target/scale.db)

soak: build-tools ## Half an hour of mixed calls, transfers, holds and faults: does anything grow? (MINUTES=30)
	$(CARGO) build --release --bins
	target/release/sayso-load soak --sayso target/release/sayso --minutes $(or $(MINUTES),30)

fmt: ## Format the code
	$(CARGO) fmt

tools: ## Install what build and tests need (apt; nothing when it is there)
	@deploy/install-tools.sh test

build-tools:
	@deploy/install-tools.sh build

deny: ## Check licences, sources and advisories of the dependencies (cargo-deny)
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check
