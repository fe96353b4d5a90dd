package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"snug/mls/interop/player"
)

// deadline is for one scenario or random session: a client that hangs ends it.
const deadline = 10 * time.Minute

// An order is what to play.
type order struct {
	session   player.Session
	seed      uint64
	lenient   bool
	only      string
	addresses []string
}

func parsePlay(args []string) (order, error) {
	o := order{session: player.Session{Fewest: 2, Most: 8}}
	f := flags("play")
	f.IntVar(&o.session.Steps, "steps", 100, "steps of the random session in each setting; 0 leaves it out")
	f.BoolVar(&o.session.InEpoch, "in-epoch", false, "no message of it arrives after its epoch")
	f.BoolVar(&o.session.SameExtensions, "same-extensions", false, "nobody in it changes the group's extensions")
	f.BoolVar(&o.session.KeepFirst, "keep-first", false, "nobody in it removes the first member")
	f.BoolVar(&o.session.NoOutsiders, "no-outsiders", false, "nobody in it joins by an external commit")
	f.Uint64Var(&o.seed, "seed", 1, "what chance in it begins with")
	f.BoolVar(&o.lenient, "lenient", false, "take empty answers for calls that a client has by name only")
	f.StringVar(&o.only, "only", "", "play what has this in its name")
	if err := parse(f, args); err != nil {
		return o, err
	}
	o.addresses = f.Args()
	if len(o.addresses) == 0 {
		return o, errUsage
	}
	return o, nil
}

// play tells every scenario and a random session in every setting of the clients at the addresses, and reports by scenario.
func play(ctx context.Context, args []string) error {
	o, err := parsePlay(args)
	if err != nil {
		return err
	}
	var clients []*player.Client
	defer func() {
		for _, c := range clients {
			c.Close()
		}
	}()
	for _, address := range o.addresses {
		c, err := player.Connect(ctx, address)
		if err != nil {
			return err
		}
		clients = append(clients, c)
	}
	settings := player.Settings(clients...)
	for i := range settings {
		settings[i].Seed, settings[i].Lenient = o.seed, o.lenient
	}
	scenarios := player.Scenarios()
	if o.session.Steps > 0 {
		scenarios = append(scenarios, player.Random(o.session))
	}
	failed := 0
	for _, scenario := range scenarios {
		if strings.Contains(scenario.Name, o.only) {
			failed += report(ctx, scenario, settings)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d plays failed", failed)
	}
	return nil
}

// report plays one scenario in all settings, prints the first error and a line about it, and returns how many failed.
func report(ctx context.Context, scenario player.Scenario, settings []player.Setting) (failed int) {
	var passed, missing int
	for _, setting := range settings {
		err := playWithin(ctx, scenario, setting)
		switch {
		case err == nil:
			passed++
			continue
		case player.Unimplemented(err):
			missing++
		default:
			failed++
		}
		if failed+missing == 1 {
			fmt.Println("  ", err)
		}
	}
	fmt.Printf("%-45s %d passed, %d failed, %d not implemented\n", scenario.Name, passed, failed, missing)
	return failed
}

func playWithin(ctx context.Context, scenario player.Scenario, setting player.Setting) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	return player.Play(ctx, scenario, setting)
}
