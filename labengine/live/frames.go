package live

import (
	"sync"

	"vethlab/labengine"
	"vethlab/labengine/capture"
	"vethlab/labengine/kernel"
)

// ends says which interface a link is, of those that are the end of a cable.
type ends struct {
	refs map[labengine.ID]kernel.LinkRef // the lab's goroutine's alone

	mu  sync.RWMutex // guards what follows; the tap asks for each frame
	ids map[kernel.LinkRef]labengine.ID
}

func (e *ends) of(ref kernel.LinkRef) labengine.ID {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.ids[ref]
}

// set says which link an interface is; is says whether it is one.
func (e *ends) set(id labengine.ID, ref kernel.LinkRef, is bool) {
	was, had := e.refs[id]
	if had == is && (!is || was == ref) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if had && e.ids[was] == id { // and not another one's by now
		delete(e.ids, was)
	}
	delete(e.refs, id)
	if is {
		e.refs[id], e.ids[ref] = ref, id
	}
}

// showEnd tells the tap which link an interface is now, if it is the end of a cable.
func (l *Lab) showEnd(id labengine.ID) {
	ref, bound := l.refs[id]
	_, cabled := l.cabled[id]
	l.ends.set(id, ref, bound && cabled)
}

func (l *Lab) newTap() *capture.Tap {
	return capture.NewTap(capture.Config{
		Interface: func(netns uint64, ifindex int) labengine.ID {
			return l.ends.of(kernel.LinkRef{Netns: netns, Index: ifindex})
		},
		Send: func(f labengine.Frames) { l.hub.broadcast(labengine.Message{Frames: &f}) },
	})
}

// addToTap has a namespace captured while somebody watches.
func (l *Lab) addToTap(n *kernel.Netns) {
	file, err := copyFile(n.File)
	if err == nil {
		err = l.tap.Add(n.Key, file)
	}
	if err != nil {
		l.Log.Error("capture", "node", n.Node, "error", err)
	}
}

// watch captures frames and looks at counters, or no longer does: nobody looks.
func (l *Lab) watch(frames bool) {
	switch {
	case frames && !l.watching:
		if err := l.tap.Start(); err != nil {
			l.Log.Error("capture", "error", err)
		}
	case !frames && l.watching:
		l.tap.Stop()
	}
	l.watching = frames
	l.inspector.watching.Store(frames)
	l.inspector.soon()
}
