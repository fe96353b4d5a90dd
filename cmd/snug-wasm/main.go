// Command snug-wasm is the client core of the page, bound to the message port of the worker that it runs in
// (web/src/worker). It is built by `make web` and does nothing outside of that worker.
package main
