package labengine

import (
	"cmp"
	"slices"
)

// maxAlign bounds the table that alignments are worked out with, in cells of two bytes.
const maxAlign = 4 << 20

// Align pairs the entries that two lists have in common, in an order that both have: as many as can be, as long as the
// parts that differ are not too large. Each pair is an index into a and one into b, both ascending.
func Align(a, b []string) [][2]int {
	var pairs [][2]int
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		pairs = append(pairs, [2]int{head, head})
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	midA, midB := a[head:len(a)-tail], b[head:len(b)-tail]
	between := alignAll
	if len(midA)*len(midB) > maxAlign {
		between = alignUnique
	}
	for _, p := range between(midA, midB) {
		pairs = append(pairs, [2]int{p[0] + head, p[1] + head})
	}
	for i := tail; i > 0; i-- {
		pairs = append(pairs, [2]int{len(a) - i, len(b) - i})
	}
	return pairs
}

// alignAll is the longest common subsequence.
func alignAll(a, b []string) (pairs [][2]int) {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	width := len(b) + 1
	longest := make([]uint16, (len(a)+1)*width) // of what follows i and j
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				longest[i*width+j] = longest[(i+1)*width+j+1] + 1
			} else {
				longest[i*width+j] = max(longest[(i+1)*width+j], longest[i*width+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case longest[(i+1)*width+j] >= longest[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// alignUnique aligns those entries alone that each list has once: the longest ascending run of them.
func alignUnique(a, b []string) [][2]int {
	counts, at := map[string][2]int{}, map[string]int{}
	for _, text := range a {
		c := counts[text]
		c[0]++
		counts[text] = c
	}
	for j, text := range b {
		c := counts[text]
		c[1]++
		counts[text], at[text] = c, j
	}
	type link struct {
		pair   [2]int
		before int // index into links, or -1
	}
	var links []link
	var ends []int // of runs by length: the link that ends soonest in b
	for i, text := range a {
		if counts[text] != [2]int{1, 1} {
			continue
		}
		j := at[text]
		length, _ := slices.BinarySearchFunc(ends, j, func(l, j int) int { return cmp.Compare(links[l].pair[1], j) })
		one := link{[2]int{i, j}, -1}
		if length > 0 {
			one.before = ends[length-1]
		}
		links = append(links, one)
		if length == len(ends) {
			ends = append(ends, len(links)-1)
		} else {
			ends[length] = len(links) - 1
		}
	}
	var pairs [][2]int
	if len(ends) > 0 {
		for l := ends[len(ends)-1]; l >= 0; l = links[l].before {
			pairs = append(pairs, links[l].pair)
		}
	}
	slices.Reverse(pairs)
	return pairs
}
