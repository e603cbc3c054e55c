# `make demo` and `make test` are all that a fresh machine needs: each installs what is missing, and builds.

# The project that `make demo` indexes, searches and mends instead of the one in examples/shop.
PROJECT ?=

# Where rustup puts cargo, for shells that have not read its profile yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

# The BEAM wants to know that file names and terminals are UTF-8.
ifeq (,$(findstring UTF-8,$(LC_ALL)$(LC_CTYPE)$(LANG)))
export LC_ALL := C.UTF-8
endif

# Ctrl-C ends a program at once, without asking.
export ELIXIR_ERL_OPTIONS ?= +Bd

.DEFAULT_GOAL := help
.PHONY: help demo test models setup clean

help: ## show this list
	@grep -E '^[a-z]+: .*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

demo: models ## mend five bugs and answer questions about a project; PROJECT=path to take yours
	@mix run scripts/demo.exs "$(PROJECT)"

test: models ## run all tests, of Rust and of Elixir
	cargo test --release --workspace
	mix test

models: setup ## fetch the models that are missing
	@python3 scripts/models.py

setup: ## install what is missing on this system
	@scripts/setup

clean: ## remove what was built; models stay
	cargo clean
	rm -rf _build
