package tunnel

import "os"

// A watch tells when files have changed: nobody has to send a signal then. A change is believed when the files look the
// same twice in a row, so that one which is being written is not read in the middle. What looks the same is the same: a
// second change would have to come within the same tick of the file system's clock, and the first one was looked at a
// sweep later at the least.
type watch struct {
	read, last sights
}

// sights are what is to be seen of files without reading them; nil is one that is not there.
type sights map[string]os.FileInfo

func look(paths []string) sights {
	seen := make(sights, len(paths))
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			info = nil
		}
		seen[path] = info
	}
	return seen
}

// equal reports whether nothing has changed.
func (s sights) equal(other sights) bool {
	if len(s) != len(other) {
		return false
	}
	for path, info := range s {
		before, known := other[path]
		if !known || (info == nil) != (before == nil) {
			return false
		}
		if info != nil && !(os.SameFile(info, before) && info.Size() == before.Size() && info.ModTime().Equal(before.ModTime())) {
			return false
		}
	}
	return true
}

// start begins with the files as they are. It is called before they are read.
func (w *watch) start(paths []string) {
	w.read = look(paths)
	w.last = w.read
}

// changed reports whether they are to be read again.
func (w *watch) changed(paths []string) bool {
	now := look(paths)
	settled := now.equal(w.last)
	w.last = now
	if !settled || now.equal(w.read) {
		return false
	}
	w.read = now
	return true
}

// settled reports whether the files looked at the last look as they did when they were read.
func (w *watch) settled() bool { return w.last.equal(w.read) }
