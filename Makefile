# What people type. `make` alone prints this list.

GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
PAGE    := web/dist/index.html
# What the page is built from; its tests are not.
PAGE_SOURCES := $(shell find web/src web/public web/index.html web/package.json web/tsconfig.json web/vite.config.ts \
	-type f ! -name '*.test.*' 2>/dev/null)

# The server and its labs need no cgo; the race detector does.
export CGO_ENABLED = 0
export GOFLAGS ?= -buildvcs=false

.PHONY: help
help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: run
run: deps build ## install what is missing, build, and serve: prints the URL to open (SERVE="--listen …" adds options)
	./vethlab serve $(SERVE)

.PHONY: build
build: $(PAGE) ## build the page and ./vethlab, one static binary
	$(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o vethlab .

$(PAGE): web/node_modules/.package-lock.json $(PAGE_SOURCES)
	cd web && npm run build --silent
	@touch web/dist/.keep $@

# npm writes this file last, so that it is newer than the list only where the install is of that list. Not `npm ci`: it
# wants builds for every other platform in the list, which a registry that serves only this one does not have.
%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: deps
deps: ## install what labs need, or say what to install
	@scripts/deps run

.PHONY: deps-test
deps-test:
	@scripts/deps test

.PHONY: test
test: deps-test build ## install what the tests need and run all of them, the browser ones included
	@scripts/test

.PHONY: bench
bench: deps ## measure, and print each figure beside what the kernel itself costs
	@scripts/bench

.PHONY: lint
lint: web/node_modules/.package-lock.json e2e/node_modules/.package-lock.json ## check formatting, types and what linters know
	@scripts/lint

.PHONY: dev
dev: web/node_modules/.package-lock.json ## the page with hot reload, against a server that `make run` started
	@curl -fsS -o /dev/null http://127.0.0.1:8080/healthz || { echo 'No server answers on 127.0.0.1:8080: type `make run` in another terminal first.' >&2; exit 1; }
	cd web && npm run dev

.PHONY: gen
gen: web/node_modules/.package-lock.json ## write anew what is made of the Go code: the TypeScript types, and the file's schema
	$(GO) run ./labengine/wiregen
	cd web && npm run gen --silent
