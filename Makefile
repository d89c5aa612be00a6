# The two commands of the README are `make run` and `make test`.

.PHONY: run test bench setup schemas

run: ## Start everything on this machine
	cargo run --release -- up

test: ## Everything that has to hold; installs what it needs on a Debian machine
	.ci/suite

setup: ## Only install what the tests need
	.ci/setup

schemas: ## Write docs/schemas anew after a kind changed
	cargo run -- schema --write docs/schemas

bench: ## Figures of docs/performance.md, with peers measured in the same run
	cargo bench --bench speed --bench daemon
