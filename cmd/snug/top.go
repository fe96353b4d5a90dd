package main

import (
	"context"
	"flag"
)

func topFlags(set *flag.FlagSet) action    { return func(context.Context, *call) error { return nil } }
func doctorFlags(set *flag.FlagSet) action { return func(context.Context, *call) error { return nil } }
