//go:build js && wasm

package idb

import (
	"context"
	"errors"
	"fmt"
	"syscall/js"
)

// finish waits until an event of a request or transaction says how it went: the first name is success, the others are
// failures. Where ctx ends first its error is returned, and the callbacks stay until the event comes.
func finish(ctx context.Context, target js.Value, success string, failures ...string) error {
	ended := make(chan error, 1)
	var callbacks []js.Func
	on := func(event string, outcome func() error) {
		callback := js.FuncOf(func(js.Value, []js.Value) any {
			select {
			case ended <- outcome():
			default: // "blocked" may be followed by "success"
			}
			return nil
		})
		callbacks = append(callbacks, callback)
		target.Set("on"+event, callback)
	}
	on(success, func() error { return nil })
	for _, failure := range failures {
		on(failure, func() error { return errorOf(target) })
	}
	release := func() {
		for _, event := range append([]string{success}, failures...) {
			target.Set("on"+event, js.Null())
		}
		for _, callback := range callbacks {
			callback.Release()
		}
	}
	select {
	case err := <-ended:
		release()
		return err
	case <-ctx.Done():
		go func() {
			<-ended
			release()
		}()
		return ctx.Err()
	}
}

// errFull is what a person can do something about.
var errFull = errors.New("the browser has no space left for this page: free some and reload")

// errDenied is what a person hears where the browser does not let the page keep anything.
var errDenied = errors.New("this browser keeps no data for the page: allow site data, or leave private mode, and reload")

// errorOf is the DOMException of a request or transaction. It names no keys or values.
func errorOf(target js.Value) error {
	cause := target.Get("error")
	if !cause.Truthy() {
		return errors.New("the browser ended it without a cause")
	}
	if cause.Get("name").String() == "QuotaExceededError" {
		return errFull
	}
	return fmt.Errorf("%s: %s", cause.Get("name").String(), cause.Get("message").String())
}

// catch turns what a JavaScript call threw into an error.
func catch(err *error) {
	switch thrown := recover().(type) {
	case nil:
	case js.Error:
		*err = fmt.Errorf("idb: %v", thrown)
	default:
		panic(thrown)
	}
}

func toJS(b []byte) js.Value {
	array := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(array, b)
	return array
}

// toGo copies a Uint8Array, or an ArrayBuffer, which is what binary keys come back as. It is never nil.
func toGo(v js.Value) []byte {
	if v.InstanceOf(js.Global().Get("ArrayBuffer")) {
		v = js.Global().Get("Uint8Array").New(v)
	}
	b := make([]byte, v.Length())
	js.CopyBytesToGo(b, v)
	return b
}
