package document

import "vethlab/labengine"

// match finds what the things of one lab are in another: by name, where that is what they are called in a file, or else by
// ID, which things keep when they get another name. byID says that IDs come first.
func match(was, want *saved, byID bool) map[labengine.ID]labengine.ID {
	m := matcher{was: was, want: want, same: map[labengine.ID]labengine.ID{}, taken: map[labengine.ID]bool{}}
	passes := []bool{byID, !byID}
	for _, inMachine := range []bool{false, true} {
		for _, byID := range passes {
			for _, n := range was.nodes {
				if (n.In != "") == inMachine {
					m.node(n, byID)
				}
			}
		}
	}
	m.names = map[interfaceName]labengine.ID{}
	for id, i := range want.Interfaces {
		m.names[interfaceName{i.Node, i.Name}] = id
	}
	for _, byID := range passes {
		for _, i := range was.Interfaces {
			m.link(i, byID)
		}
	}
	cables := map[[2]labengine.ID]labengine.ID{}
	for _, c := range want.cables {
		cables[c.Ends] = c.ID
	}
	for _, c := range was.cables {
		if id, ok := cables[[2]labengine.ID{m.same[c.Ends[0]], m.same[c.Ends[1]]}]; ok {
			m.same[c.ID] = id
		}
	}
	return m.same
}

type matcher struct {
	was, want *saved
	same      map[labengine.ID]labengine.ID
	taken     map[labengine.ID]bool
	names     map[interfaceName]labengine.ID // of the wanted lab
}

type interfaceName struct {
	node labengine.ID
	name string
}

func (m *matcher) node(n labengine.Node, byID bool) {
	id := n.ID
	if !byID {
		path := n.Name
		if n.In != "" {
			path = m.want.labels.byID[m.same[n.In]].path + "/" + n.Name
		}
		id = m.want.labels.byPath[path]
	}
	if found, ok := m.want.Nodes[id]; ok && found.Kind == n.Kind {
		m.pair(n.ID, id)
	}
}

func (m *matcher) link(i labengine.Interface, byID bool) {
	id := i.ID
	if !byID {
		id = m.names[interfaceName{m.same[i.Node], i.Name}]
	}
	if found, ok := m.want.Interfaces[id]; ok && found.Kind == i.Kind {
		m.pair(i.ID, id)
	}
}

func (m *matcher) pair(was, is labengine.ID) {
	if _, matched := m.same[was]; !matched && !m.taken[is] {
		m.same[was], m.taken[is] = is, true
	}
}
