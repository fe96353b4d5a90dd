# Snug. `make run` starts a server from a fresh checkout, `make test` proves it.
.PHONY: test

test:
	go vet ./...
	go test ./...
	cd proto/gen && go vet ./... && go test ./...

.PHONY: generate
generate:
	cd proto/gen && go run .
