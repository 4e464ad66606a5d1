# The commands of this repository. "make help" lists them.

export GOTOOLCHAIN ?= local
GO      ?= go
TOOLS   := $(CURDIR)/.tools
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.2.0-dev)
LDFLAGS := -s -w -X github.com/dcvix/dcvix.Version=$(VERSION)
PROGRAMS := dcvix-director dcvix-agent dcvix-launcher
PLATFORMS := linux-amd64 linux-arm64 windows-amd64 darwin-arm64

# Pinned, and never in go.mod: they would bring hundreds of modules.
LINT      := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
NFPM      := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
BENCHSTAT := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

TESTS   ?= ./...
SEED    ?=
FUZZTIME ?= 30s
FLEET   ?= -agents 1000 -duration 1m

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.PHONY: run
run: build-demo ## Run the whole system on this machine; Ctrl-C stops it, state stays in .run/
	@bin/demo -dir .run -bin bin

.PHONY: build
build: pam-helper launcher ## Build the three programs into bin/, and PAM's helper where that can be built
	@for p in $(filter-out dcvix-launcher,$(PROGRAMS)); do CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/$$p || exit 1; done

.PHONY: pam-helper
pam-helper: ## Build dcvix-pam-helper into bin/; it needs a C compiler and libpam0g-dev
	@GO=$(GO) LDFLAGS='$(LDFLAGS)' scripts/pam-helper

.PHONY: launcher
launcher: ## Build dcvix-launcher into bin/; its window needs a C compiler and headers ("scripts/need gcc window")
	@GO=$(GO) LDFLAGS='$(LDFLAGS)' scripts/launcher

.PHONY: build-all
build-all: ## Build the three programs for every platform into bin/PLATFORM, the launcher for the terminal alone
	@for p in $(PLATFORMS); do echo $$p; \
		CGO_ENABLED=0 GOOS=$${p%-*} GOARCH=$${p#*-} $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/$$p/ $(PROGRAMS:%=./cmd/%) || exit 1; done

.PHONY: vet-all
vet-all: ## Check that everything, tests too, compiles for Windows and macOS
	@for p in $(filter-out linux-%,$(PLATFORMS)); do CGO_ENABLED=0 GOOS=$${p%-*} GOARCH=$${p#*-} $(GO) vet -tags ci ./... || exit 1; done
	@CGO_ENABLED=0 $(GO) vet -tags ci ./cmd/dcvix-launcher

.PHONY: packages
packages: ## Build the .deb and .rpm of director and agent into bin/packages, with nfpm
	@mkdir -p $(TOOLS)
	@test -x $(TOOLS)/nfpm || GOBIN=$(TOOLS) $(GO) install $(NFPM)
	@GO=$(GO) scripts/packages

.PHONY: build-demo
build-demo: build
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./examples/fakehost ./examples/demo

.PHONY: clean
clean: ## Remove what build and run made
	rm -rf bin .run

.PHONY: test
test: need-test pages-check launcher ## Run every test with the race detector, the long ones in their short form
	@CI=true $(GO) test -race -shuffle=on -timeout 20m $(TESTS)

.PHONY: test-long
test-long: need-test launcher ## Run the long tests in their full form, and each fuzz target for FUZZTIME
	@CI=true DCVIX_LONG=1 $(GO) test -race -shuffle=on -timeout 120m $(TESTS)
	@$(MAKE) fuzz

.PHONY: fuzz
fuzz: need-pam ## Fuzz every target for FUZZTIME (30s)
	@GO=$(GO) FUZZTIME=$(FUZZTIME) scripts/fuzz

.PHONY: bench
bench: need-pam ## Run the benchmarks six times and summarise them with benchstat
	@mkdir -p $(TOOLS)
	@test -x $(TOOLS)/benchstat || GOBIN=$(TOOLS) $(GO) install $(BENCHSTAT)
	@$(GO) test -run '^$$' -bench . -count 6 -benchtime 200ms ./... | tee $(TOOLS)/bench.txt | grep -E '^(ok|FAIL|---)' || true
	@$(TOOLS)/benchstat $(TOOLS)/bench.txt

.PHONY: bench-web
bench-web: need-test need-node build-demo ## Measure the web pages in Chromium: first load, time to act, long lists
	@test -d directorapi/ui/node_modules || (cd directorapi/ui && . ../../scripts/env && npm ci --loglevel error --no-audit --no-fund)
	@scripts/bench-web

.PHONY: test-windows
test-windows: need-wine ## Run agent, launcher and the tests of their packages as Windows programs under Wine
	@GO=$(GO) scripts/test-windows

.PHONY: test-packages
test-packages: need-packages packages ## Install, upgrade and purge the Debian packages in a Debian 12 of their own, and follow the quickstart, as root
	@GO=$(GO) scripts/test-packages

.PHONY: fleet
fleet: build ## Measure a director under a fleet of agents; FLEET has the flags (-agents 1000 -duration 1m)
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./examples/fleet
	@bin/fleet -bin bin $(FLEET)

.PHONY: lint
lint: need-pam ## Check style and architecture with golangci-lint
	@mkdir -p $(TOOLS)
	@test -x $(TOOLS)/golangci-lint || GOBIN=$(TOOLS) $(GO) install $(LINT)
	@$(TOOLS)/golangci-lint run ./...

.PHONY: pages
pages: need-node ## Build the web pages into directorapi/ui/dist, to be committed
	@cd directorapi/ui && . ../../scripts/env && npm run --silent gen && npm run --silent build

.PHONY: pages-check
pages-check: need-node
	@scripts/pages-check

.PHONY: images
images: need-test need-node launcher ## Make the pictures in docs/images anew
	@test -d directorapi/ui/node_modules || (cd directorapi/ui && . ../../scripts/env && npm ci --loglevel error --no-audit --no-fund)
	@DCVIX_IMAGES=1 CI=true $(GO) test -count=1 -run "TestTheWalk|TestTheListIsPainted" ./examples/demo ./cmd/launchercmd/gui

.PHONY: need-test need-pam need-node need-wine need-packages
need-test: need-pam
	@scripts/need gcc chromium openssl strace slapd freeradius systemd promtool window screen
need-pam:
	@scripts/need gcc pam
need-node:
	@scripts/need node
need-wine:
	@scripts/need wine screen
need-packages:
	@scripts/need debootstrap rpm strace systemd pam
