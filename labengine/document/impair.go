package document

import "strings"

// impairWords are the words of an end that say what happens to what it sends, with how many values follow each.
var impairWords = map[string]int{"rate": 1, "delay": 1, "loss": 1, "duplicate": 1, "corrupt": 1, "reorder": 1, "cut": 0}

// impairLength is how many words from the first on say one thing about what an end sends; 0 where the first is none of those.
func impairLength(words []string) int {
	values, ok := impairWords[words[0]]
	if !ok {
		return 0
	}
	length := 1 + values
	if words[0] == "delay" && len(words) > length && isTime(words[length]) { // the jitter
		length++
	}
	return min(length, len(words))
}

// vlanLength is how many words from the first on say one VLAN of an end; 0 where the first says none.
func vlanLength(words []string) int {
	if words[0] != "vid" {
		return 0
	}
	length := 2
	for length < len(words) && (words[length] == "pvid" || words[length] == "untagged") {
		length++
	}
	return min(length, len(words))
}

func isTime(word string) bool {
	number := strings.TrimRight(word, "mus")
	return number != word && strings.Trim(number, "0123456789.") == ""
}

// impair has the words at the end say what happens to what it sends.
func (t *endText) impair(text string) { t.replace(impairLength, text) }

// replace has other words stand for those that a function finds.
func (t *endText) replace(lengthOf func(words []string) int, text string) {
	for i := 0; i < len(t.words); {
		if length := lengthOf(t.words[i:]); length > 0 && i > 0 {
			t.remove(i, length)
			continue
		}
		i++
	}
	if text != "" {
		t.insert(len(t.words), strings.Fields(text)...)
	}
}
