package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"snug/mtls"
)

// A verb is one thing that the binary does.
type verb struct {
	name string
	// args is what follows the name in the usage, flags left out.
	args string
	does string
	// example is a command line that works.
	example string
	// least and most bound the number of arguments; most < 0 means any number.
	least, most int
	// flags adds the verb's own flags and returns what it does with them.
	flags func(*flag.FlagSet) action
	// events says that with --json each line on stderr is a JSON object too, the error in the end included: stdout belongs
	// to the peer.
	events bool
}

// An action carries a verb out, after its flags have been read.
type action func(ctx context.Context, c *call) error

// A call is one run of a verb.
type call struct {
	streams
	args []string
	// json asks for one JSON object per line on out, and nothing else there.
	json    bool
	home    string
	timeout time.Duration
	verb    *verb

	// Of sockets whose peers are contacts from rooms: this home's device, and whose device a key is.
	device   *mtls.Identity
	contacts map[mtls.Fingerprint]string
}

// defaultTimeout is how long a verb waits for the server, in all: long enough for a server to restart, short enough for a
// person to wait.
const defaultTimeout = 20 * time.Second

// verbs are all verbs, in the order in which help lists them.
func verbs() []*verb {
	return slices.Concat(serverVerbs(), accountVerbs(), deviceVerbs(), verifyVerbs(), roomVerbs(), roomInviteVerbs(), blockVerbs(), messageVerbs(), socketVerbs(),
		tunnelVerbs(), pkiVerbs(), aboutVerbs())
}

// call reads the command line and carries the verb out.
func (v *verb) call(ctx context.Context, args []string, s streams) error {
	c := &call{streams: s, verb: v}
	set := flag.NewFlagSet(v.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.BoolVar(&c.json, "json", false, "print one JSON object per line")
	act := v.flags(set)
	var err error
	if c.args, err = parseInterspersed(set, args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			v.usage(s.out)
			return errHelpShown
		}
		return usageErrorf("snug "+v.example, "%s: %s", v.name, v.problem(err))
	}
	if len(c.args) < v.least {
		return usageErrorf("snug "+v.example, "%s: too few arguments: snug %s %s", v.name, v.name, v.args)
	}
	if v.most >= 0 && len(c.args) > v.most {
		return usageErrorf("snug "+v.example, "%s: %q is one argument too many", v.name, c.args[v.most])
	}
	if home := set.Lookup("home"); home != nil {
		c.home = home.Value.String()
	}
	if timeout := set.Lookup("timeout"); timeout != nil {
		if c.timeout = timeout.Value.(flag.Getter).Get().(time.Duration); c.timeout <= 0 {
			return usageErrorf("snug "+v.example+" --timeout 2m", "%s: nothing is done in %v", v.name, c.timeout)
		}
	}
	return act(ctx, c)
}

// problem is what is wrong with the verb's flags.
func (v *verb) problem(err error) string {
	flag, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: ")
	switch {
	case !unknown:
		return err.Error()
	case v.most < 0:
		return "there is no flag " + flag + "; what begins with a dash and is none comes after --"
	}
	return "there is no flag " + flag
}

// parseInterspersed reads flags before, between and after arguments; after "--" there are no more flags.
func parseInterspersed(set *flag.FlagSet, args []string) ([]string, error) {
	var after, rest []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, after = args[:i], args[i+1:]
	}
	for {
		if err := set.Parse(args); err != nil {
			return nil, err
		}
		if args = set.Args(); len(args) == 0 {
			return append(rest, after...), nil
		}
		rest, args = append(rest, args[0]), args[1:]
	}
}

// wantsJSON reports whether --json was given, also where the flags in front of it cannot be read.
func wantsJSON(args []string) bool {
	for _, arg := range args {
		if arg == "--" {
			return false
		}
		name, value, given := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		if on, err := strconv.ParseBool(value); name == "json" && name != arg && (!given || on || err != nil) {
			return true
		}
	}
	return false
}

// usage prints how the verb is called.
func (v *verb) usage(w io.Writer) {
	fmt.Fprintf(w, "Usage: snug %s\n\n%s.\n", strings.TrimSpace(v.name+" [flags] "+v.args), v.does)
	set := flag.NewFlagSet(v.name, flag.ContinueOnError)
	set.Bool("json", false, "print one JSON object per line")
	v.flags(set)
	fmt.Fprint(w, "\nFlags:\n")
	set.VisitAll(func(f *flag.Flag) {
		kind, text := flag.UnquoteUsage(f)
		if !slices.Contains([]string{"", "false", "0", "0s"}, f.DefValue) {
			text += " (default " + strings.Replace(strings.Replace(f.DefValue, "m0s", "m", 1), "h0m", "h", 1) + ")"
		}
		fmt.Fprintf(w, "  %-26s %s\n", strings.TrimSpace("--"+f.Name+" "+kind), text)
	})
	fmt.Fprintf(w, "\nExample: snug %s\n", v.example)
}

// print writes one object for scripts, or the line for people.
func (c *call) print(object any, format string, args ...any) error {
	if !c.json {
		_, err := fmt.Fprintf(c.out, format+"\n", args...)
		return err
	}
	line, err := json.Marshal(object)
	if err != nil {
		return err
	}
	_, err = c.out.Write(append(line, '\n'))
	return err
}

// say tells a person something on the side. What others have said in it cannot touch the terminal.
func (c *call) say(format string, args ...any) {
	fmt.Fprintf(c.err, "snug: %s\n", safe(fmt.Sprintf(format, args...)))
}
