package document

import "sort"

// aligned is a step from one list to another: an item that stays or is another now, where both indices are there; one that
// goes, where to is -1; or one that comes, where from is.
type aligned struct{ from, to int }

// maxAlign bounds the product of two lists' lengths up to which the longest common part is looked for.
const maxAlign = 1_000_000

// align finds the steps from one list to another, in order, with as many items as can be that stay as they are.
func align(was, is []string) []aligned {
	start := 0
	for start < len(was) && start < len(is) && was[start] == is[start] {
		start++
	}
	end := 0
	for end < len(was)-start && end < len(is)-start && was[len(was)-1-end] == is[len(is)-1-end] {
		end++
	}
	var steps []aligned
	for i := range start {
		steps = append(steps, aligned{i, i})
	}
	steps = append(steps, alignMiddle(was[start:len(was)-end], is[start:len(is)-end], start)...)
	for i := range end {
		steps = append(steps, aligned{len(was) - end + i, len(is) - end + i})
	}
	return steps
}

func alignMiddle(was, is []string, offset int) []aligned {
	var steps []aligned
	from, to := 0, 0
	replace := func(untilFrom, untilTo int) { // items in the place of others, and then what is left of either
		for from < untilFrom || to < untilTo {
			step := aligned{-1, -1}
			if from < untilFrom {
				step.from = offset + from
				from++
			}
			if to < untilTo {
				step.to = offset + to
				to++
			}
			steps = append(steps, step)
		}
	}
	if len(was)*len(is) <= maxAlign {
		common := make([][]int, len(was)+1) // the longest common part of what is left
		for i := range common {
			common[i] = make([]int, len(is)+1)
		}
		for i := len(was) - 1; i >= 0; i-- {
			for j := len(is) - 1; j >= 0; j-- {
				if common[i][j] = max(common[i+1][j], common[i][j+1]); was[i] == is[j] {
					common[i][j] = common[i+1][j+1] + 1
				}
			}
		}
		for i, j := 0, 0; i < len(was) && j < len(is); {
			switch {
			case was[i] == is[j]:
				replace(i, j)
				replace(i+1, j+1)
				i, j = i+1, j+1
			case common[i+1][j] >= common[i][j+1]:
				i++
			default:
				j++
			}
		}
	}
	replace(len(was), len(is))
	return steps
}

// ascending says of each of some places whether it is in the longest row of them that ascends.
func ascending(places []int) []bool {
	var ends, before []int // of rows by their length: the last index; of each index: the one before it in its row
	for i, place := range places {
		length := sort.Search(len(ends), func(l int) bool { return places[ends[l]] >= place })
		previous := -1
		if length > 0 {
			previous = ends[length-1]
		}
		if before = append(before, previous); length == len(ends) {
			ends = append(ends, i)
		} else {
			ends[length] = i
		}
	}
	in := make([]bool, len(places))
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = before[i] {
			in[i] = true
		}
	}
	return in
}
