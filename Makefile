# Snug. `make run` starts a server from a fresh checkout, `make test` proves it.
.PHONY: test

test:
	go vet ./...
	go test ./...
	cd proto/gen && go vet ./... && go test ./...

.PHONY: generate
generate:
	cd proto/gen && go run .

# What the server reaches on this machine, beside what disk and TLS allow (docs/performance.md): two minutes.
.PHONY: bench
bench:
	go run ./bench

# Does the load generator work: seconds; its figures say nothing.
.PHONY: bench-quick
bench-quick:
	go run ./bench --quick
