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

func isTime(word string) bool {
	number := strings.TrimRight(word, "mus")
	return number != word && strings.Trim(number, "0123456789.") == ""
}

// impair has the words at the end say what happens to what it sends.
func (t *endText) impair(text string) {
	for i := 0; i < len(t.words); {
		if length := impairLength(t.words[i:]); length > 0 && i > 0 {
			t.remove(i, length)
			continue
		}
		i++
	}
	if text != "" {
		t.insert(len(t.words), strings.Fields(text)...)
	}
}
