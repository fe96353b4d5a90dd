package main

import (
	"context"
	"fmt"
	"time"

	"snug/mls/interop/player"
)

// deadline is for one scenario or random session: a client that hangs ends it.
const deadline = 10 * time.Minute

// play tells every scenario and a random session in every setting of the clients at the addresses, and reports by scenario.
func play(ctx context.Context, args []string) error {
	f := flags("play")
	steps := f.Int("steps", 100, "steps of the random session in each setting; 0 leaves it out")
	seed := f.Uint64("seed", 1, "what chance in the random session begins with")
	lenient := f.Bool("lenient", false, "take empty answers for calls that a client has by name only")
	inEpoch := f.Bool("in-epoch", false, "let no message of the random session arrive after its epoch")
	if f.Parse(args) != nil || f.NArg() == 0 {
		return errUsage
	}
	var clients []*player.Client
	defer func() {
		for _, c := range clients {
			c.Close()
		}
	}()
	for _, address := range f.Args() {
		c, err := player.Connect(ctx, address)
		if err != nil {
			return err
		}
		clients = append(clients, c)
	}
	settings := player.Settings(clients...)
	for i := range settings {
		settings[i].Seed, settings[i].Lenient = *seed, *lenient
	}
	scenarios := player.Scenarios()
	if *steps > 0 {
		scenarios = append(scenarios, player.Random(player.Session{Steps: *steps, Fewest: 2, Most: 8, InEpoch: *inEpoch}))
	}
	failed := 0
	for _, scenario := range scenarios {
		failed += report(ctx, scenario, settings)
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
