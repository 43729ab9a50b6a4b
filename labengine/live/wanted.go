package live

import "vethlab/labengine"

// wanted is what somebody wants: a document with a patch on it. In a large lab looking at the two costs far less than the lab
// that they make.
type wanted struct {
	doc   labengine.Lab
	patch labengine.Patch
}

func (w wanted) quiet() bool {
	if w.patch.Quiet != nil {
		return *w.patch.Quiet
	}
	return w.doc.Quiet
}

func (w wanted) node(id labengine.ID) (labengine.Node, bool) {
	return wantedOf(w.doc.Nodes, w.patch.Nodes, id)
}

func (w wanted) iface(id labengine.ID) (labengine.Interface, bool) {
	return wantedOf(w.doc.Interfaces, w.patch.Interfaces, id)
}

func wantedOf[V any](doc map[labengine.ID]V, patch map[labengine.ID]*V, id labengine.ID) (v V, ok bool) {
	if p, touched := patch[id]; touched {
		if p == nil {
			return v, false
		}
		return *p, true
	}
	v, ok = doc[id]
	return v, ok
}

// nodeNamed is the node that is to have a name in a machine.
func (w wanted) nodeNamed(in labengine.ID, name string) (labengine.Node, bool) {
	for _, n := range w.patch.Nodes {
		if n != nil && n.In == in && n.Name == name {
			return *n, true
		}
	}
	n, ok := w.doc.NodeNamed(in, name)
	if _, touched := w.patch.Nodes[n.ID]; touched {
		return labengine.Node{}, false
	}
	return n, ok
}
