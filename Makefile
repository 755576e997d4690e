# Everything a person or the CI does with this repository. `make help` lists it.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run demo test check check-format check-proto check-generated check-imports fix generate man bench fuzz sim \
	sim-planted clean

swift_sources := Package.swift Sources Clients Benchmarks Tests
buf := .tools/venv/bin/buf

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## A demo calendar on 127.0.0.1:8433 with one conflict waiting, and commands to try; Ctrl-C ends it
	@scripts/setup run
	@scripts/run

demo: ## The guided tour, without a question asked
	@scripts/setup run
	@scripts/demo

test: ## All tests
	@scripts/setup test
	swift build --build-tests $(declared_imports)
	@scripts/test

check: check-format check-proto check-generated check-imports test ## Everything a change must pass; cheap checks first

check-format: ## The format of Swift code
	swift format lint --strict --parallel --recursive $(swift_sources)

check-proto: ## The rules of proto files
	@scripts/setup test
	$(buf) lint Proto

check-generated: ## Generated code is what scripts/generate makes of Proto
	@scripts/setup test
	scripts/check-generated

# Judged by the exit status. The flag changes nothing in what is compiled, so `make test` builds nothing twice.
declared_imports := --explicit-target-dependency-import-check error
check-imports: ## Every import is declared in Package.swift; warnings in our targets are errors
	@scripts/setup test
	swift build --build-tests $(declared_imports)

fix: ## Formats what check-format finds, and generates anew
	swift format --in-place --parallel --recursive $(swift_sources)
	@scripts/setup test
	scripts/generate

generate: ## C code and descriptors from Proto
	@scripts/setup test
	scripts/generate

man: ## The manual pages in docs/man, from what the programs say of themselves
	@scripts/setup run
	swift build --product tidemark
	swift build --product tidemarkd
	@mkdir -p docs/man
	scripts/manual .build/debug/tidemark 1 >docs/man/tidemark.1
	scripts/manual .build/debug/tidemarkd 8 >docs/man/tidemarkd.8

bench: ## Measures against the raw limits of this machine
	@scripts/setup test
	@scripts/bench

fuzz: ## Fuzzes the decoders
	@scripts/setup run
	@scripts/fuzz

sim: ## 1,000 random seeds against the real store on a disk that fails; SEED=n runs one; ENGINE=memory|postgres, SEEDS=n
	@scripts/setup run
	swift build -c release --product tidemark-sim
	.build/release/tidemark-sim $(if $(ENGINE),--engine $(ENGINE)) $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS))

sim-planted: ## Shows after how many seeds the simulator catches each of its planted bugs
	@scripts/setup run
	swift build -c release --product tidemark-sim
	.build/release/tidemark-sim --planted $(if $(ENGINE),--engine $(ENGINE))

clean: ## Removes what was built, the Python environment and the demo's data
	rm -rf .build .tools demo-data
