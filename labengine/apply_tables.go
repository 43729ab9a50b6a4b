package labengine

import "slices"

func (e *AddRoute) apply(l *draft) error {
	n, ok := l.Nodes[e.Node]
	if !ok {
		return goneNode(e.Node)
	}
	route, err := ParseRoute(e.Route)
	if err != nil {
		return about(err, e.Node)
	}
	for _, text := range n.Routes {
		if other, err := ParseRoute(text); err == nil && (route.Covers(other) || other.Covers(route)) {
			return Problemf(CodeExists, "%s has the route `%s` already", l.Label(n.ID), text).About(n.ID, "route")
		}
	}
	n.Routes = append(slices.Clone(n.Routes), route.Text)
	l.setNode(n)
	return nil
}

func (e *DeleteRoute) apply(l *draft) error {
	n, ok := l.Nodes[e.Node]
	if !ok {
		return goneNode(e.Node)
	}
	if !slices.Contains(n.Routes, e.Route) {
		return Problemf(CodeGone, "%s has no route `%s`", l.Label(n.ID), e.Route).About(n.ID, "route")
	}
	n.Routes = without(n.Routes, e.Route)
	l.setNode(n)
	return nil
}

// dropped is a list without the entries that are gone; nil where nothing is left.
func dropped(list []string, gone func(string) bool) []string {
	var left []string
	for _, entry := range list {
		if !gone(entry) {
			left = append(left, entry)
		}
	}
	return left
}

// without is a list without one entry; nil where nothing is left.
func without(list []string, entry string) []string {
	at := slices.Index(list, entry)
	if at < 0 || len(list) == 1 {
		return nil
	}
	return slices.Delete(slices.Clone(list), at, at+1)
}

func (e *AddIPRule) apply(l *draft) error {
	n, ok := l.Nodes[e.Node]
	if !ok {
		return goneNode(e.Node)
	}
	rule, err := ParseIPRule(e.Rule)
	if err != nil {
		return about(err, e.Node)
	}
	for _, text := range n.IPRules {
		if other, err := ParseIPRule(text); err == nil && (rule.Covers(other) || other.Covers(rule)) {
			return Problemf(CodeExists, "%s has the rule `%s` already", l.Label(n.ID), text).About(n.ID, "rule")
		}
	}
	n.IPRules = append(slices.Clone(n.IPRules), rule.Text)
	l.setNode(n)
	return nil
}

func (e *DeleteIPRule) apply(l *draft) error {
	n, ok := l.Nodes[e.Node]
	if !ok {
		return goneNode(e.Node)
	}
	if !slices.Contains(n.IPRules, e.Rule) {
		return Problemf(CodeGone, "%s has no rule `%s`", l.Label(n.ID), e.Rule).About(n.ID, "rule")
	}
	n.IPRules = without(n.IPRules, e.Rule)
	l.setNode(n)
	return nil
}

func (e *SetSysctl) apply(l *draft) error {
	n, ok := l.Nodes[e.Node]
	if !ok {
		return goneNode(e.Node)
	}
	if n.Kind == Internet {
		return Problemf(CodeBadRequest, "the routers of %s are set up as they have to be", n.Name).About(n.ID, "sysctl")
	}
	value := e.Value
	if value == "" {
		fresh, known := FreshSysctl(e.Name)
		if !known {
			return Problemf(CodeBadValue, "what a fresh namespace has for %s is not known here", shown(e.Name)).About(n.ID, "sysctl").
				WithHint("set it to a value")
		}
		value = fresh
	}
	name, value, err := ParseSysctl(e.Name + "=" + value)
	if err != nil {
		return about(err, n.ID)
	}
	n.Sysctls = setSysctl(n.Sysctls, name, value)
	l.setNode(n)
	return nil
}

// renameInTables has a node's routes and neighbours follow an interface's new name, as they do in the kernel.
func (l *draft) renameInTables(node ID, from, to string) {
	n := l.Nodes[node]
	n.Routes, n.Neighbours = RenameInRoutes(n.Routes, from, to), RenameInNeighbours(n.Neighbours, from, to)
	l.setNode(n)
}
