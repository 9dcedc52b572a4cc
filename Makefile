# Targets are listed by `make help`, from the comments behind their names.

GO ?= go
# More flags for go test, for example TESTFLAGS='-run TestHouse'.
TESTFLAGS ?=
# SETUP=no skips scripts/setup, where its packages cannot be had.
SETUP ?= yes
# Flags for the demo, for example DEMOFLAGS='--for 20s'.
DEMOFLAGS ?=
# Runs of the placement simulation, and of the one with leases, clocks and splits.
SIMRUNS ?= 70000
WORLDRUNS ?= 30000
# Where make tables keeps what it has measured, and what it leaves out; it goes on where an earlier run was broken off.
TABLES ?= $(CURDIR)/bin/tables.jsonl
TABLESFLAGS ?=
# Flags for make bench, for example BENCHFLAGS='-tables remote -rounds 3 -cases tell16,ask1'.
BENCHFLAGS ?=
# How long each fuzz target runs: of make fuzz, and of make test-all.
FUZZTIME ?= 2m
TESTFUZZTIME ?= 20s
# How many actors make soak spawns, by which seed; it takes about a minute.
SOAKACTORS ?= 8000000
SOAKSEED ?= 1
# For make release: the version, for example v0.1.0, and DRYRUN=yes to look at what would come of it.
VERSION ?=
DRYRUN ?= no

# Runs of make chaos: the seed (drawn without one), what the cluster stands on, how long faults happen, and how many new
# grains each client calls in a second, once each.
SEED ?=
ON ?= etcd
FOR ?= 10m
COLD ?= 0
# Where make chaos-table keeps what came of its runs; it goes on where an earlier one was broken off. CHAOSTIME=30m ends it in time.
CHAOSTABLE ?= $(CURDIR)/bin/chaos.jsonl
CHAOSTIME ?= 0
CHAOSFLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-all test test-all demo first-hour lint generate check-generate bench benchmarks sim sim-mutations sim-exhaustive fuzz soak chaos chaos-table chaos-planted chaos-recovery tables api check-api release vuln

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-16s %s\n' "$$name" "$$text"; done

setup: ## install the Debian packages that the tests and scripts need
	@[ "$(SETUP)" = no ] || ./scripts/setup

setup-all: ## the same, and those that only test-all needs
	@[ "$(SETUP)" = no ] || ./scripts/setup all

# The modules of which most tests want a server that is compiled, or which take minutes to compile themselves.
LATER = ./cluster/k8s ./cluster/consul ./cluster/mongo ./test/providers ./test/chaos ./test/browser ./examples ./examples/member ./bench ./bench/peer/granary ./bench/peer/grpc

# -p=3: packages that wait for leases leave a core to others, so three are tested at a time on two.
test: setup ## the tests of all modules but those of LATER, with the race detector; closes with a line of counts
	@$(GO) run ./tools/testcount -later="$(LATER)" -- -timeout=10m -p=3 $(TESTFLAGS)

test-all: setup-all ## the tests of all modules, also in a browser, and against servers that are compiled, once, in up to half an hour: newest etcd, Consul, Kubernetes, FerretDB; and each fuzz target for TESTFUZZTIME
	@servers=$$($(GO) run ./tools/servers) && eval "$$servers" && ./scripts/fuzz $(TESTFUZZTIME) && $(GO) run ./tools/testcount -- -timeout=10m -p=3 $(TESTFLAGS)

demo: ## a cluster of processes on this machine that loses a member while it is called
	@$(GO) run ./cmd/granary demo $(DEMOFLAGS)

first-hour: ## how long it takes to the demo, to the README's first grain, and to green tests; FIRSTTESTS=no leaves these out
	@./scripts/first-hour

lint: ## formatting, vet, golangci-lint, the exported names in api/ and the rules of the house
	@./scripts/lint

generate: ## write the Go code of all .proto files
	@$(GO) run ./tools/generate -root .

check-generate: ## fail where the Go code of a .proto file is stale
	@$(GO) run ./tools/generate -root . -check

api: ## write what every public package exports into api/
	@$(GO) run ./tools/api -root .

check-api: ## fail where api/ is stale, and name what was added and removed
	@$(GO) run ./tools/api -root . -check

bench: ## Granary's actors, remoting and grains beside other libraries and hand-written ones, as ratios, in half an hour; BENCHFLAGS='-write ../docs/performance.md' keeps the table
	@cd bench && GOWORK=off $(GO) run . $(BENCHFLAGS)

benchmarks: ## benchmarks of the hot paths, beside the code; those that take minutes are named in docs/design/handover.md
	@$(GO) test -short -run='^$$' -bench=. -benchmem $(TESTFLAGS) ./actor/... ./internal/... ./remote/... ./cluster/...

sim: ## SIMRUNS and WORLDRUNS seeded runs of the placement protocol's simulations
	@$(GO) test ./internal/placement -run='^(TestSimulation|TestWorld)$$' -v -timeout=30m -args -sim.runs=$(SIMRUNS) -world.runs=$(WORLDRUNS)

sim-mutations: ## each rule of the placement protocol switched off, and noticed
	@$(GO) test ./internal/placement -run='Mutations|Rule' -v -timeout=30m

sim-exhaustive: ## every state of small scopes of the placement protocol; minutes
	@$(GO) test ./internal/placement -run='^TestExhaustiveSearch$$' -v -timeout=30m -args -explore.full

soak: ## SOAKACTORS actors spawned, fed, crashed, restarted and stopped at random by SOAKSEED; no message may be lost, nothing left behind
	@$(GO) test ./actor -run='^TestSoak$$' -v -timeout=20m -args -soak.actors=$(SOAKACTORS) -soak.seed=$(SOAKSEED)

fuzz: ## each fuzz target for FUZZTIME
	@./scripts/fuzz $(FUZZTIME)

vuln: ## govulncheck over every module; GOVULNDB names a copy of the database where vuln.go.dev cannot be reached
	@./scripts/vuln

tables: setup ## every membership provider measured with real members and servers, half an hour; writes the table in docs/providers.md
	@mkdir -p "$$(dirname "$(TABLES)")"
	@servers=$$($(GO) run ./tools/servers) && eval "$$servers" && cd test/providers && $(GO) test -run='^TestTables$$' -v -timeout=3h . \
		-args -tables.file=$(TABLES) -tables.docs=$(CURDIR)/docs/providers.md $(TABLESFLAGS)

# Builds the servers and runs a test of test/chaos; what runs that fail have recorded is kept in bin/chaos.
CHAOS = mkdir -p bin/chaos && servers=$$($(GO) run ./tools/servers) && eval "$$servers" && cd test/chaos && $(GO) test -v -count=1 -timeout=12h

chaos: setup-all ## faults by SEED, for FOR, done to real processes in a network that breaks; a checker judges what all have recorded. ON names what the cluster stands on
	@seed="$(SEED)"; $(CHAOS) -run='^TestChaos$$' . -args -chaos.keep=$(CURDIR)/bin/chaos -chaos.on="$(ON)" -chaos.for=$(FOR) -chaos.cold=$(COLD) $${seed:+-chaos.seed=$$seed} $(CHAOSFLAGS)

chaos-table: setup-all ## 25 runs of 30 s on each provider and lookup, two hours; writes the table in docs/reliability.md. CHAOSTIME=30m does a portion
	@$(CHAOS) -run='^TestTable$$' . -args -chaos.keep=$(CURDIR)/bin/chaos -chaos.table=$(CHAOSTABLE) -chaos.time=$(CHAOSTIME) -chaos.docs=$(CURDIR)/docs/reliability.md $(CHAOSFLAGS)

chaos-planted: setup-all ## faults planted in the product, and found by runs
	@$(CHAOS) -run='^TestPlanted$$' . -args -chaos.keep=$(CURDIR)/bin/chaos -chaos.planted $(CHAOSFLAGS)

chaos-recovery: setup-all ## how long it takes until all grains answer again after each fault; writes the table in docs/reliability.md
	@$(CHAOS) -run='^TestRecovery$$' . -args -chaos.recovery=$(CURDIR)/bin/recovery.json -chaos.docs=$(CURDIR)/docs/reliability.md $(CHAOSFLAGS)

release: ## a release of all modules, VERSION=v0.1.0, tried, committed and tagged, not pushed; DRYRUN=yes does it all in a clone
	@set --; [ "$(DRYRUN)" != yes ] || set -- -dry-run; $(GO) run ./tools/release -version="$(VERSION)" "$$@"
