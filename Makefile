# tare: `make help` lists what there is. Needs GNU make, bash and, for the first
# build, what tests/deps.sh installs on Debian.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

VERSION := 0.1.0-dev
# The commit, with -dirty for changed files; empty outside a git checkout.
COMMIT := $(shell git -c 'safe.directory=$(CURDIR)' describe --always --abbrev=40 --dirty --exclude='*' 2>/dev/null)

PREFIX ?= /usr/local
DESTDIR ?=
GO ?= go

# A Go older than go.mod asks for fetches the right one by itself.
GOTOOLCHAIN ?= auto
export GOTOOLCHAIN
# One set of flags everywhere, so that one set of C objects is cached.
export CGO_ENABLED = 1
export CGO_CFLAGS = -Os

# The C library of the binary: musl, or whatever gcc links (LIBC=gnu). glibc's start-up looks the
# processor over, which in a virtual machine takes longer than all of musl's, twice in each start of a
# container. The kernel's and libseccomp's headers are the system's, which come after musl's own; from
# the system's libraries comes libseccomp alone.
LIBC ?= musl
export LIBC
ifeq ($(LIBC),musl)
# (Asked when it is needed: the first make installs gcc.)
MULTIARCH = $(shell gcc -print-multiarch 2>/dev/null)
bin/tare bin/tare-cover: export CC = musl-gcc
bin/tare bin/tare-cover: CGO_CFLAGS += -idirafter /usr/include $(if $(MULTIARCH),-idirafter /usr/include/$(MULTIARCH))
bin/tare bin/tare-cover: LIBDIR = -L$(CURDIR)/out/musl
bin/tare bin/tare-cover: | out/musl/libseccomp.a
endif

# netgo, osusergo: no libc resolver, nothing in a static binary that wants
# shared libraries after all.
TAGS := netgo,osusergo,urfave_cli_no_template
STRIP = -s -w
LDFLAGS = $(STRIP) -buildid= -linkmode external -extldflags "-static $(LIBDIR) -Wl,--build-id=none" \
	-X main.version=$(VERSION) -X main.commit=$(COMMIT)
BUILDFLAGS = -trimpath -buildvcs=false -tags $(TAGS)

# For the scripts under tests/. (With sudo, this checkout is another user's to git.)
export GO TAGS VERSION COMMIT
export GIT_CONFIG_COUNT := 1
export GIT_CONFIG_KEY_0 := safe.directory
export GIT_CONFIG_VALUE_0 := $(CURDIR)

##@ Build

.PHONY: build
build: bin/tare ## bin/tare, one static file (the default); LIBC=gnu: not with musl but with gcc's libc

# Always asked of go, which knows better than make what has changed.
.PHONY: bin/tare bin/tare-cover
bin/tare: | deps
	$(GO) build $(BUILDFLAGS) -ldflags '$(LDFLAGS)' -o $@ .

out/musl/libseccomp.a: | deps
	@mkdir -p $(@D)
	ln -sfn "$$(gcc -print-file-name=libseccomp.a)" $@

.PHONY: arm64
arm64: | deps ## bin/tare-arm64, cross-compiled
	@tests/deps.sh arm64
	tests/arm64.sh $(GO) build $(BUILDFLAGS) -ldflags '$(LDFLAGS)' -o bin/tare-arm64 .

# With coverage counters; the tag makes the init stage save its own before execve.
bin/tare-cover: | deps
	$(GO) build $(BUILDFLAGS),tarecover -cover -covermode=atomic -coverpkg=./... -ldflags '$(LDFLAGS)' -o $@ .

.PHONY: deps
deps: ## what a build needs, installed if this is Debian and you are root
	@tests/deps.sh build

# The day of the commit, so that a commit's pages are the same wherever they are made.
MANDATE = $(shell git -c 'safe.directory=$(CURDIR)' log -1 --format=%cs 2>/dev/null || date -u -r CHANGELOG.md +%F)

.PHONY: man
man: | deps ## manual pages and shell completions, from the commands' definitions, into out/share
	$(GO) run $(BUILDFLAGS) ./internal/cli/manual -out out/share -date '$(MANDATE)' -version '$(VERSION)'

.PHONY: install
install: build man ## binary, manual pages and completions into DESTDIR and PREFIX (/usr/local)
	install -D -m 0755 bin/tare '$(DESTDIR)$(PREFIX)/sbin/tare'
	find out/share -type f -printf '%P\n' | while IFS= read -r f; do \
		install -D -m 0644 "out/share/$$f" '$(DESTDIR)$(PREFIX)/share/'"$$f"; done

.PHONY: repro
repro: build ## build again in another directory, without a cache: the same bytes?
	@tests/repro.sh bin/tare

.PHONY: demo
demo: build ## a container's life, command by command
	@tests/deps.sh demo
	@tests/demo/demo.sh bin/tare

##@ Test

.PHONY: test
test: bin/tare ## unit tests, integration tests, coverage of the integration tests
	@tests/deps.sh test
	@tests/test.sh unit integration cover

.PHONY: test-unit
test-unit: | deps ## unit tests alone, with the race detector
	@tests/deps.sh test
	@tests/test.sh unit

.PHONY: test-integration
test-integration: bin/tare ## bin/tare driven on this machine (as root, for most of it)
	@tests/deps.sh test
	@tests/test.sh integration

.PHONY: test-arm64
test-arm64: | deps ## unit tests of the pure packages, compiled for arm64 and emulated
	@tests/deps.sh arm64
	@tests/test.sh arm64

.PHONY: cover
cover: bin/tare bin/tare-cover ## the integration tests again, with coverage by package
	@tests/deps.sh test
	@tests/test.sh cover

.PHONY: test-guest
test-guest: bin/tare ## everything again in QEMU: cgroup v2, hybrid, v1; three kernels
	@tests/guest/run-tests.sh all

.PHONY: test-guest-core
test-guest-core: bin/tare ## a short run in one cgroup v2 guest
	@tests/guest/run-tests.sh core

.PHONY: test-guest-arm64
test-guest-arm64: arm64 ## everything on cgroup v2 of an arm64 machine that QEMU emulates
	@tests/guest/run-tests.sh arm64

.PHONY: test-engines
test-engines: bin/tare ## Docker, containerd, CRI and Podman over bin/tare (core cases)
	@tests/engines/run-core.sh

.PHONY: test-contention
test-contention: bin/tare ## 200 containers put through their life by 8 workers (in a guest: tests/contention.sh --guest)
	@tests/contention.sh

.PHONY: fuzz
fuzz: | deps ## every fuzz target for FUZZTIME (10s) each
	@tests/fuzz.sh

.PHONY: bench
bench: bin/tare ## times and memory, against the other runtimes that are installed
	@tests/bench/run.sh --tare bin/tare $(BENCHFLAGS)

.PHONY: lint
lint: | deps ## gofmt, go vet (amd64 and arm64), staticcheck, shellcheck, C warnings
	@tests/deps.sh lint
	@tests/lint.sh

##@ Other

.PHONY: clean
clean: ## remove what was built
	rm -rf bin out

.PHONY: help
help:
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+(\/[a-z-]+)?:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
