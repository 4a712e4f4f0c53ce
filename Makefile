# Thin by intent: each rule calls one script or meson. `make help` lists the rules.
#
#   BUILD=debug|release|...   see tools/build --help (default: release)
#   J=4                       how many things run at once (default: the processors)
#   DESTDIR=, PREFIX=         for `make install`

J ?= $(shell nproc 2>/dev/null || echo 2)
BUILD ?= release
PREFIX ?= /usr/local
MINUTES ?= 5
FILTER ?=
ARGS ?=

filter = $(if $(FILTER),--filter '$(FILTER)')

.DEFAULT_GOAL := build

## build      install what is missing and build (this is the default); the results are in build/bin
build: deps
	tools/build --jobs $(J) $(BUILD)

## deps       only install what the build needs (Debian packages; needs root or sudo)
# The group has what the unit tests need, too: meson looks for it once, when the build folder is made.
deps:
	tools/install-deps build

## demo       one host and two member clusters of real Kubernetes with a federated example in them
demo: build
	tools/install-deps lab
	demo/demo up

## demo-down  stop exactly what `make demo` started
demo-down:
	@demo/demo down

## test       unit tests, end-to-end tests on real clusters and a short soak test (FILTER=regex picks some)
test: build
	tools/install-deps lab
	tools/test --jobs $(J) $(filter) $(ARGS)

## unit       only the unit tests
unit: build
	tools/test --unit --jobs $(J) $(filter) $(ARGS)

## e2e        only the end-to-end tests
e2e: build
	tools/install-deps lab
	tools/test --e2e --jobs $(J) $(filter) $(ARGS)

## bench      speed, memory and cost, measured beside their ceilings
bench: build
	tools/install-deps lab bench
	tests/bench/bench $(ARGS)

## docs       record the tour of README.md from the real programs on real clusters (ARGS=--check: only compare)
docs: build
	tools/install-deps lab
	tools/docs $(ARGS)

## manifests  what the Helm chart takes from elsewhere, and deploy/manifests from the chart
manifests:
	tools/chart

## lint       format, clang-tidy, cppcheck, banned functions, layers, scripts
lint: build
	tools/install-deps lint monitoring
	tools/lint --jobs $(J) $(ARGS)

## format     rewrite the C files in the project's format
format:
	tools/install-deps lint
	tools/format

## asan       build with address and undefined-behaviour sanitizers; unit tests and a part of the end-to-end tests
asan: deps
	tools/install-deps lab
	tools/build --jobs $(J) asan
	tools/test --build asan --smoke --jobs $(J) $(filter) $(ARGS)

## tsan       the same with the thread sanitizer
tsan: deps
	tools/install-deps lab
	tools/build --jobs $(J) tsan
	tools/test --build tsan --smoke --jobs $(J) $(filter) $(ARGS)

## soak       random work, drift and faults under the address sanitizer, held against an oracle (MINUTES=5; ARGS=--seed=N)
soak: deps
	tools/install-deps lab
	tools/build --jobs $(J) asan
	tools/test --build asan --soak $(MINUTES) $(ARGS)

## fuzz       run every fuzz target, MINUTES=5 each by default
fuzz: deps
	tools/install-deps fuzz
	tools/build --jobs $(J) fuzz
	tools/fuzz --minutes $(MINUTES) --jobs $(J) $(filter) $(ARGS)

## install    build and install below PREFIX (default /usr/local), staged in DESTDIR if set
install:
	tools/build --jobs $(J) --prefix '$(PREFIX)' $(BUILD)
	DESTDIR='$(DESTDIR)' meson install -C build/$(BUILD) --no-rebuild

## image      the container image, without Docker: build/image (docs/packaging.md)
image: deps
	deploy/image/build --jobs $(J) $(ARGS)

## deb        Debian packages: build/deb
deb: deps
	tools/install-deps package
	deploy/debian/build --jobs $(J) $(ARGS)

## dist       the source archive, a bill of materials and checksums: build/dist
dist: deps
	tools/dist --jobs $(J) $(ARGS)

## packages   image, deb and dist, and the tests of what they made
packages: deps
	tools/install-deps package
	deploy/image/build --jobs $(J)
	tools/dist --jobs $(J)
	deploy/debian/build --jobs $(J)
	tests/dist/check
	tests/deb/check
	tests/image/check --jobs $(J)

## clean      remove the build folder (the demo is stopped first)
clean:
	@if [ -e build/demo ]; then demo/demo down; fi
	rm -rf build

## help       this list
help:
	@echo 'make [RULE] [VARIABLE=VALUE]...'
	@echo
	@sed -n 's/^## /  /p' Makefile
	@echo
	@sed -n 's/^#   /  /p' Makefile

.PHONY: build deps demo demo-down test unit e2e soak bench docs manifests lint format asan tsan fuzz install image deb dist packages clean help
