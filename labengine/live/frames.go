package live

import (
	"vethlab/labengine"
	"vethlab/labengine/capture"
	"vethlab/labengine/kernel"
)

// interfaces says which interface a link is, of those that are the end of a cable. It is replaced, never written to.
type interfaces map[kernel.LinkRef]labengine.ID

func (l *Lab) newTap() *capture.Tap {
	return capture.NewTap(capture.Config{
		Interface: func(netns uint64, ifindex int) labengine.ID {
			return (*l.where.Load())[kernel.LinkRef{Netns: netns, Index: ifindex}]
		},
		Send: func(f labengine.Frames) { l.hub.broadcast(labengine.Message{Frames: &f}) },
	})
}

// publishInterfaces tells the tap which links are ends of cables now.
func (l *Lab) publishInterfaces() {
	fresh := make(interfaces, len(l.cabled))
	for id := range l.cabled {
		if ref, ok := l.refs[id]; ok {
			fresh[ref] = id
		}
	}
	l.where.Store(&fresh)
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
