package main

import (
	"errors"
	"sync"
)

// crew runs goroutines and waits for them. It keeps the first few errors: a broken server makes one for every
// connection. The zero crew is ready.
type crew struct {
	wait sync.WaitGroup
	kept struct {
		sync.Mutex
		errors []error
	}
}

// maxErrors is how many errors a crew keeps: enough to see a pattern.
const maxErrors = 3

// run starts f in a goroutine.
func (c *crew) run(f func() error) {
	c.wait.Go(func() {
		if err := f(); err != nil {
			c.kept.Lock()
			defer c.kept.Unlock()
			if len(c.kept.errors) < maxErrors {
				c.kept.errors = append(c.kept.errors, err)
			}
		}
	})
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
	var c crew
	next := make(chan int)
	failed := make(chan struct{})
	var once sync.Once
	for range min(n, atOnce) {
		c.run(func() error {
			for i := range next {
				if err := f(i); err != nil {
					once.Do(func() { close(failed) })
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
