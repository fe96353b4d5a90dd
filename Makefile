# Snug. `make run` starts a server from a fresh checkout, `make test` proves it.
.PHONY: build run test generate web

GO_FILES  := $(shell git ls-files --cached --others --exclude-standard -- '*.go' go.mod go.sum '*.txt')
PAGE      := web/dist/index.html
PAGE_FILES := $(shell git ls-files --cached --others --exclude-standard -- web/src web/public web/index.html 'web/*.ts' 'web/*.js' web/compress.mjs web/package.json)
CORE_FILES := $(filter-out %_test.go mls/interop/%,$(filter cmd/snug-wasm/% client/% mls/% internal/% go.%,$(GO_FILES)))

build: build/snug

build/snug: $(PAGE) $(GO_FILES)
	go build -trimpath -ldflags='-s -w' -o $@ ./cmd/snug

run: build/snug
	build/snug serve

# The page: the core as WebAssembly, the client around it, and both compressed. Only what has changed is built again.
web: $(PAGE)

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	touch $@

# What the core leaves out and does not inline, and what that saves: docs/decisions/0052-size-of-the-core.md.
build/snug.wasm: $(CORE_FILES)
	GOOS=js GOARCH=wasm go build -trimpath -tags=mls_ed25519 -gcflags='snug/...=-l' -ldflags='-s -w' -o $@ ./cmd/snug-wasm
	touch $@

$(PAGE): web/node_modules/.package-lock.json build/snug.wasm $(PAGE_FILES)
	rm -rf web/dist/*
	cd web && npx vite build --logLevel warn && node compress.mjs

mls/interop/ts/node_modules/.package-lock.json: mls/interop/ts/package.json mls/interop/ts/package-lock.json
	cd mls/interop/ts && npm ci --no-audit --no-fund
	touch $@

test: build/snug mls/interop/ts/node_modules/.package-lock.json
	go vet ./...
	GOOS=js GOARCH=wasm go vet ./cmd/snug-wasm ./internal/idb ./internal/transport ./internal/bridge
	go test ./...
	cd proto/gen && go vet ./... && go test ./...
	cd mls/interop && go vet ./... && go test ./...
	cd web && npx svelte-check --tsconfig ./tsconfig.json --fail-on-warnings && npx vitest run && npx vitest run --config test/vitest.config.ts
	@$(MAKE) --no-print-directory untested

# What go test skips and does not say, because it shows nothing of a package that passes. The last words of `make test`.
.PHONY: untested
untested:
	@ls "$${SNUG_MLS_VECTORS:-../shared/mls-vectors}"/*.json >/dev/null 2>&1 || { \
		echo 'NOT TESTED: mls against the test vectors of its working group, which are not here. To get them:'; \
		echo '  git clone --depth 1 https://github.com/mlswg/mls-implementations'; \
		echo '  SNUG_MLS_VECTORS=$$PWD/mls-implementations/test-vectors make test'; }

# The README's pictures, of this build; they need Chromium and tmux.
.PHONY: pictures
pictures: build/snug
	cd web && SNUG_PICTURES=$(CURDIR)/docs/images npx vitest run --config test/vitest.config.ts first

# The race detector over what has goroutines; it needs a C compiler.
.PHONY: race
race:
	go test -race -short ./client/... ./internal/server/... ./internal/transport ./internal/bridge ./internal/tunnel ./mtls
	go test -race -run "ClonesApart|TestLife" ./mls

generate:
	cd proto/gen && go run .

# mls with itself and with ts-mls, in every setting; and with the working group's runner, where SNUG_MLS_RUNNER and
# SNUG_MLS_CONFIGS name it (docs/mls-interop.md): about five minutes.
.PHONY: interop
interop: mls/interop/ts/node_modules/.package-lock.json
	cd mls/interop && SNUG_INTEROP=all SNUG_REQUIRE=all go test -count=1 -timeout 30m -v ./player

# What the server reaches on this machine, beside what disk and TLS allow (docs/performance.md): two minutes.
.PHONY: bench
bench:
	go run ./bench

# Does the load generator work: seconds; its figures say nothing.
.PHONY: bench-quick
bench-quick:
	go run ./bench --quick

# Each fuzz target of mls for so long. What is found stays in mls/testdata/fuzz, and is a test from then on.
FUZZTIME ?= 1m
.PHONY: fuzz-mls
fuzz-mls:
	for target in $$(go test ./mls -list '^Fuzz' | grep '^Fuzz'); do \
		go test ./mls -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) || exit 1; \
	done

# What MLS costs beside its primitives, natively and in node (docs/performance.md): long; `go run ./bench/mls --quick` takes minutes.
.PHONY: bench-mls
bench-mls:
	go run ./bench/mls

# `snug tunnel` beside others that wrap services in TLS (docs/performance.md): some minutes. Debian has stunnel4, spiped,
# socat, haproxy, nginx and libnginx-mod-stream; what is not there is not measured.
.PHONY: bench-sockets
bench-sockets:
	go run ./bench/sockets
