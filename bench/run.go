package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// bench is one run: a directory of its own, a server in it, and devices that the server knows.
type bench struct {
	plan      plan
	binary    string
	serveArgs []string
	log       io.Writer
	// directory is removed at the end; data in it is the server's.
	directory string
	data      string
	clock     clock
	server    *process
	devices   []*device
	rooms     []*room // a sender and one follower each
	large     *room
}

// newBench makes the directory, under parent or else in the checkout's build directory: on the disk that the checkout
// is on, which is no tmpfs.
func newBench(ctx context.Context, p plan, parent string, log io.Writer) (*bench, error) {
	if parent == "" {
		checkout, err := root(ctx)
		if err != nil {
			return nil, err
		}
		parent = filepath.Join(checkout, "build")
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("making a directory for the run: %w", err)
	}
	directory, err := os.MkdirTemp(parent, "bench-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for the run: %w", err)
	}
	return &bench{plan: p, log: log, directory: directory, data: filepath.Join(directory, "data"), clock: clock{time.Now()}}, nil
}

// close ends what is still running and removes the directory.
func (b *bench) close() {
	if b.server != nil {
		b.server.kill()
	}
	os.RemoveAll(b.directory)
}

// start starts the server on a data directory, and tells the devices where it is.
func (b *bench) start(data string) error {
	args := []string{"serve", "--json", "--data", data, "--tls", "127.0.0.1:0", "--http", "off", "--registration", "open"}
	server, err := serve(b.directory, b.binary, append(args, b.serveArgs...)...)
	if err != nil {
		return err
	}
	b.server = server
	for _, d := range b.devices {
		d.address = server.address
	}
	return nil
}

func (b *bench) stop() error {
	server := b.server
	if server == nil {
		return nil
	}
	b.server = nil
	return server.stop()
}

// run measures everything. What it has when something fails is in the report all the same.
func (b *bench) run(ctx context.Context) (*Report, error) {
	r := newReport(b.plan)
	for _, step := range []struct {
		name, kind string
		do         func(context.Context, *Report) error
	}{
		{"building the server", needsServer, b.buildServer},
		{"starting servers in empty directories", "startup", b.stepStartup},
		{"measuring the disk and the echo", "bounds", b.stepBounds},
		{"registering devices", needsServer, b.stepRegister},
		{"making rooms", needsServer, b.stepRooms},
		{"sending messages", "messages", b.stepMessages},
		{"sending to many followers", "fanout", b.stepFanout},
		{"catching up", "catchup", b.stepCatchUp},
		{"starting on the data", needsServer, b.stepRestart},
		{"holding idle connections", "idle", b.stepIdle},
		{"measuring the disk and the echo again", "bounds", b.stepBounds},
	} {
		if !b.plan.wants(step.kind) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return r, err
		}
		fmt.Fprintf(b.log, "bench: %5.1f s: %s\n", time.Since(b.clock.start).Seconds(), step.name)
		if err := step.do(ctx, r); err != nil {
			return r, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	r.Seconds = time.Since(b.clock.start).Seconds()
	r.compare()
	return r, b.stop()
}

func (b *bench) buildServer(ctx context.Context, _ *Report) (err error) {
	if b.binary == "" {
		b.binary, err = build(ctx, b.directory)
	}
	return err
}

func (b *bench) stepStartup(_ context.Context, r *Report) (err error) {
	r.Startup, err = b.measureStartup()
	return err
}

func (b *bench) stepBounds(_ context.Context, r *Report) error {
	disk, err := measureDisk(b.directory, b.plan.payload, b.plan.bound)
	if err != nil {
		return err
	}
	echoes, err := b.measureEcho()
	r.Bounds = append(r.Bounds, Bounds{Disk: disk, Echo: echoes})
	return err
}

func (b *bench) stepRegister(ctx context.Context, _ *Report) error {
	if err := b.start(b.data); err != nil {
		return err
	}
	b.devices = make([]*device, b.plan.devices())
	return each(len(b.devices), registrations, func(i int) (err error) {
		b.devices[i], err = register(ctx, b.server, fmt.Sprintf("bench-%04d", i))
		return err
	})
}

func (b *bench) stepRooms(context.Context, *Report) (err error) {
	b.rooms = make([]*room, slices.Max(b.plan.senders))
	err = each(len(b.rooms), connecting, func(i int) (err error) {
		b.rooms[i], err = newRoom(b.devices[2*i], b.devices[2*i+1:2*i+2])
		return err
	})
	if err != nil {
		return err
	}
	b.large, err = newRoom(b.devices[0], b.devices[1:1+b.plan.fanoutFollowers])
	if err != nil {
		return err
	}
	return b.joinAll(append(b.rooms, b.large))
}

// joinAll takes the welcomes, so that later connections do not begin with them.
func (b *bench) joinAll(rooms []*room) error {
	return each(len(rooms), connecting, func(i int) error {
		for _, d := range rooms[i].followers {
			s, err := d.connect(readBuffer)
			if err != nil {
				return err
			}
			err = s.takeWelcome(rooms[i])
			s.close()
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) stepMessages(_ context.Context, r *Report) error {
	for _, senders := range b.plan.senders {
		for _, window := range b.plan.windows {
			m, err := b.measureMessages(b.rooms[:senders], window)
			if err != nil {
				return err
			}
			r.Messages = append(r.Messages, m)
		}
	}
	return nil
}

func (b *bench) stepFanout(_ context.Context, r *Report) error {
	for _, window := range b.plan.fanoutWindows {
		f, err := b.measureFanout(b.large, window)
		if err != nil {
			return err
		}
		r.Fanout = append(r.Fanout, f)
	}
	return nil
}

func (b *bench) stepCatchUp(_ context.Context, r *Report) error {
	fresh, err := newRoom(b.devices[0], b.devices[1:1+b.plan.catchUpDevices])
	if err != nil {
		return err
	}
	if err := b.joinAll([]*room{fresh}); err != nil {
		return err
	}
	r.CatchUp, err = b.measureCatchUp(fresh, b.plan.catchUp)
	return err
}

func (b *bench) stepRestart(_ context.Context, r *Report) error { return b.restart(&r.Startup) }

func (b *bench) stepIdle(_ context.Context, r *Report) (err error) {
	r.Idle, err = b.measureIdle(b.large, b.plan.idle)
	return err
}

// nextInterval begins after the warm-up.
func (b *bench) nextInterval() interval { return b.intervalOf(b.plan.measure) }

func (b *bench) intervalOf(length time.Duration) interval {
	from := b.clock.now() + int64(b.plan.warmUp)
	return interval{from: from, until: from + int64(length)}
}
