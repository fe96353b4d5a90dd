package client

import (
	"snug/internal/ident"
	"snug/internal/wire"
)

// What is wrong with an archive, and what helps: a person says that it is to begin anew. Nothing else makes a device go on
// with a head that it has reason to doubt.
const (
	oldArchive     = "the server shows an old state of the archive"
	foreignArchive = "the archive that the server shows does not open with this account's key"
	anewArchive    = "the server may be false, or was brought back from an old copy; turn the archive off and on again: what this account's devices have is archived anew"
)

// followArchive asks for the head at the beginning of a connection, or when it is said to be another one.
func (c *Core) followArchive() { c.askArchive(0, nil) }

// archiveChanged is told that there is another head.
func (c *Core) archiveChanged(revision uint64) {
	if revision > c.archiveHead().revision {
		c.vol.archive.told = revision
		c.followArchive()
	}
}

// askArchive asks for the newest head, and goes on with then, which may be nil.
func (c *Core) askArchive(call uint64, then func(*Core)) {
	name := ""
	if then == nil {
		name = "archive head"
	}
	known := c.archiveHead().revision
	c.ask(request{name: name, call: call, needs: ready, sticky: then != nil,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_GetArchive{GetArchive: &wire.GetArchive{Known: known}}},
		then: func(c *Core, reply *wire.ServerFrame) {
			c.judgeHead(reply.GetArchive())
			if then != nil {
				then(c)
			} else if a := c.vol.archive; a.problem == "" && a.told > a.served && a.served > known {
				c.followArchive() // it has changed meanwhile
			}
		},
		refused: func(c *Core, e *wire.Error) {
			a := &c.vol.archive
			a.known, a.problem, a.remedy = true, "the server does not show the archive: "+e.Message, ""
			if call != 0 {
				c.reply(call, nil, serverError(e))
			}
		}})
}

// judgeHead takes the head that the server shows: one that is newer than the newest that this device has seen, or that one.
func (c *Core) judgeHead(shown *wire.Archive) {
	a := &c.vol.archive
	problem := a.problem
	a.known, a.problem, a.remedy = true, "", ""
	a.served = shown.GetRevision()
	key, err := c.vaultKey()
	switch head := c.archiveHead(); {
	case err != nil:
		a.problem, a.remedy = err.(*Error).Message, err.(*Error).Hint
	case a.served < head.revision:
		a.problem, a.remedy = oldArchive, anewArchive
	case a.served > head.revision:
		if next, err := c.openHead(key, a.served, shown.Head); err == nil {
			c.keepArchiveHead(next)
		} else {
			a.problem, a.remedy = foreignArchive, anewArchive
		}
	}
	if a.problem != problem {
		c.emit(ArchiveChanged{})
		if a.problem != "" {
			c.cfg.log.Warn("the archive is not used", "problem", a.problem)
		}
	}
}

func (c *Core) openHead(key ident.VaultKey, revision uint64, sealed []byte) (*archiveHead, error) {
	b, err := ident.OpenArchiveHead(key, c.mem.account.me.Account, revision, sealed)
	if err != nil {
		return nil, err
	}
	return decodeArchiveHead(revision, b)
}

// changeArchiveName names the one change of the archive that is under way.
const changeArchiveName = "archive change"

// changeArchive has the server store another head, with what else the change holds. done is told when it has. again, where
// not nil, begins anew after another device was quicker, and reports whether it does.
func (c *Core) changeArchive(call uint64, key ident.VaultKey, next *archiveHead, change *wire.ChangeArchive, done func(*Core), again func(*Core) bool) {
	sealed, err := ident.SealArchiveHead(c.cfg.rand, key, c.mem.account.me.Account, next.revision, next.encode())
	if err != nil {
		c.reply(call, nil, refuse(Failed, "leave rooms that are not needed any more", "too many rooms are archived"))
		c.vol.archive.at[recoveryRest] = c.now.Add(archiveRest)
		return
	}
	change.Before, change.Revision, change.Head = c.vol.archive.served, next.revision, sealed
	name := ""
	if call == 0 {
		name = changeArchiveName
	}
	c.ask(request{name: name, call: call, needs: ready, sticky: call != 0,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_ChangeArchive{ChangeArchive: change}},
		then: func(c *Core, _ *wire.ServerFrame) {
			if a := &c.vol.archive; next.revision > c.archiveHead().revision {
				a.served, a.problem, a.remedy = next.revision, "", ""
				c.keepArchiveHead(next)
				done(c)
			}
			c.reply(call, struct{}{}, nil)
		},
		refused: func(c *Core, e *wire.Error) {
			if e.Code == wire.ErrorCode_ERROR_CODE_CONFLICT && again != nil && again(c) {
				return
			}
			c.archiveRefused(change, e)
			c.reply(call, nil, serverError(e))
		}})
}
