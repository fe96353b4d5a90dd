package main

import (
	"errors"
	"sync"
)

// crew runs goroutines and waits for them. The zero crew is ready.
type crew struct {
	// abort, where set, is called at the first error, to end what waits for more. The errors after it are its doing.
	abort func()

	wait sync.WaitGroup
	kept struct {
		sync.Mutex
		errors []error
	}
}

// maxErrors is how many errors a crew without abort keeps: enough to see a pattern, where a broken server makes one
// for every connection.
const maxErrors = 3

// run starts f in a goroutine.
func (c *crew) run(f func() error) {
	c.wait.Go(func() {
		if err := f(); err != nil && c.keep(err) && c.abort != nil {
			c.abort()
		}
	})
}

func (c *crew) keep(err error) bool {
	c.kept.Lock()
	defer c.kept.Unlock()
	if n := len(c.kept.errors); n == maxErrors || n > 0 && c.abort != nil {
		return false
	}
	c.kept.errors = append(c.kept.errors, err)
	return true
}

// done waits for all that run started, and gives the errors kept.
func (c *crew) done() error {
	c.wait.Wait()
	c.kept.Lock()
	defer c.kept.Unlock()
	return errors.Join(c.kept.errors...)
}

// each calls f for 0 to n-1, with some of them at once.
func each(n, atOnce int, f func(i int) error) error {
	failed := make(chan struct{})
	c := crew{abort: func() { close(failed) }}
	next := make(chan int)
	for range min(n, atOnce) {
		c.run(func() error {
			for i := range next {
				if err := f(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i := range n {
		select {
		case next <- i:
			continue
		case <-failed:
		}
		break
	}
	close(next)
	return c.done()
}
