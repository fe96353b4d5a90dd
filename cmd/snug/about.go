package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
)

// version is what this binary calls itself. It is raised by the commit that makes a release.
const version = "0.1.0-dev"

func aboutVerbs() []*verb {
	return []*verb{
		{
			name: "version", does: "Say which version this is", example: "version",
			flags: func(*flag.FlagSet) action { return printVersion },
		},
		{
			name: "help", args: "[VERB]", most: 2, does: "List the verbs, or explain one", example: "help send",
			flags: func(*flag.FlagSet) action { return help },
		},
	}
}

func printVersion(ctx context.Context, c *call) error {
	object := struct {
		Version string `json:"version"`
		Go      string `json:"go"`
	}{Version: version}
	if build, ok := debug.ReadBuildInfo(); ok {
		object.Go = build.GoVersion
	}
	return c.print(object, "snug %s (%s)", object.Version, object.Go)
}

func help(ctx context.Context, c *call) error {
	if len(c.args) > 0 {
		name := strings.Join(c.args, " ")
		for _, v := range verbs() {
			if v.name == name {
				v.usage(c.out)
				return nil
			}
		}
		if family := verbsOf(name); len(family) > 0 {
			list(c.out, family)
			return nil
		}
		return usageErrorf(didYouMean(name), "there is no verb %q", name)
	}
	fmt.Fprint(c.out, "Snug: a private room for talking.\n\nUsage: snug VERB [flags] [arguments]\n\n")
	list(c.out, verbs())
	fmt.Fprint(c.out, `
Every verb takes --json: one object per line on standard output, everything else on standard error. Verbs that act for
you take --home DIR (or SNUG_HOME): one person's device, so that several can live on one machine.

Exit status: 0 done, 1 failed, 2 usage, 3 refused by policy or trust, 4 not found, 5 unreachable or timed out,
6 a socket was cut or interrupted.

Begin with: snug serve
`)
	return nil
}

// list prints a line for each verb.
func list(w io.Writer, some []*verb) {
	for _, v := range some {
		fmt.Fprintf(w, "  %-34s %s\n", strings.TrimSpace(v.name+" "+v.args), v.does)
	}
}
