package labengine

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Impairment is what happens to the frames that an interface sends: the two directions of a cable have one each, at the
// sending end. Zero values do nothing. Source: tc-netem(8), tc-tbf(8).
type Impairment struct {
	Rate      uint64        // bits per second, 1,000 to 100,000,000,000
	Delay     time.Duration // up to 100 s
	Jitter    time.Duration // up to Delay: each frame is delayed by Delay, more or less so much
	Loss      float64       // percent, 0..100, as all that follow
	Duplicate float64
	Corrupt   float64
	Reorder   float64 // of the frames that are not delayed; it needs a Delay
	Cut       bool    // nothing gets through
}

const exampleImpairment = "write it as `rate 1mbit`, `delay 100ms 10ms loss 2%` or `cut`"

// ParseImpairment reads an impairment as tc-netem(8) takes it, with `cut` besides. The problem is a "bad-value".
func ParseImpairment(text string) (Impairment, error) {
	var i Impairment
	bad := func(format string, args ...any) (Impairment, error) {
		return Impairment{}, Problemf(CodeBadValue, format, args...).About("", "impair").WithHint(exampleImpairment)
	}
	words := strings.Fields(text)
	seen := map[string]bool{}
	for at := 0; at < len(words); at++ {
		word := words[at]
		if seen[word] {
			return bad("`%s` is there twice", word)
		}
		seen[word] = true
		if word == "cut" {
			i.Cut = true
			continue
		}
		percent := map[string]*float64{"loss": &i.Loss, "duplicate": &i.Duplicate, "corrupt": &i.Corrupt, "reorder": &i.Reorder}[word]
		if percent == nil && word != "rate" && word != "delay" {
			return bad("%s is no word for what happens on a cable", shown(word))
		}
		if at++; at == len(words) {
			return bad("`%s` is followed by its value", word)
		}
		var ok bool
		switch {
		case word == "rate":
			if i.Rate, ok = parseRate(words[at]); !ok {
				return bad("`rate` is a number of bits per second, 1kbit to 100gbit; this is %s", shown(words[at]))
			}
		case word == "delay":
			if i.Delay, ok = parseDelay(words[at]); !ok {
				return bad("`delay` is a time up to 100s; this is %s", shown(words[at]))
			}
			if at+1 < len(words) && words[at+1][0] >= '0' && words[at+1][0] <= '9' {
				at++
				if i.Jitter, ok = parseDelay(words[at]); !ok || i.Jitter > i.Delay {
					return bad("the jitter behind `delay` is a time up to the delay; this is %s", shown(words[at]))
				}
			}
		default:
			value, err := strconv.ParseFloat(strings.TrimSuffix(words[at], "%"), 64)
			if err != nil || !(value >= 0 && value <= 100) {
				return bad("`%s` is a share from 0%% to 100%%; this is %s", word, shown(words[at]))
			}
			*percent = math.Round(value*1000) / 1000
		}
	}
	if i.Reorder > 0 && i.Delay == 0 {
		return bad("`reorder` lets some frames overtake others that are delayed: it needs a `delay`")
	}
	if i.Cut && i != (Impairment{Cut: true}) {
		return bad("what is cut has no other impairment")
	}
	return i, nil
}

// CanonicalImpairment checks an impairment and writes it in one way; "" is none. The problem is a "bad-value".
func CanonicalImpairment(text string) (string, error) {
	i, err := ParseImpairment(text)
	if err != nil {
		return "", err
	}
	return i.String(), nil
}

// String is the impairment as tc-netem(8) takes it.
func (i Impairment) String() string {
	var words []string
	if i.Cut {
		words = append(words, "cut")
	}
	if i.Delay > 0 {
		words = append(words, "delay", formatDelay(i.Delay))
		if i.Jitter > 0 {
			words = append(words, formatDelay(i.Jitter))
		}
	}
	for _, p := range []struct {
		word  string
		value float64
	}{{"loss", i.Loss}, {"duplicate", i.Duplicate}, {"corrupt", i.Corrupt}, {"reorder", i.Reorder}} {
		if p.value > 0 {
			words = append(words, p.word, strconv.FormatFloat(p.value, 'f', -1, 64)+"%")
		}
	}
	if i.Rate > 0 {
		words = append(words, "rate", formatRate(i.Rate))
	}
	return strings.Join(words, " ")
}

// NeedsNetem says whether more than a rate is asked for, or a cut.
func (i Impairment) NeedsNetem() bool { return !i.Cut && i != (Impairment{Rate: i.Rate}) }

// Burst is what a rate lets through at once, in bytes: 10 ms of it, and two full frames at least.
func (i Impairment) Burst() uint32 { return uint32(min(max(i.Rate/8/100, 3200), 1<<30)) }

// RateLatency is how long a frame waits at most for its turn where a rate limits a cable.
const RateLatency = 300 * time.Millisecond

var rateUnits = []struct {
	name string
	bits uint64
}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}}

func parseRate(text string) (uint64, bool) {
	for _, u := range rateUnits {
		number, ok := strings.CutSuffix(strings.ToLower(text), u.name)
		if !ok {
			continue
		}
		value, err := strconv.ParseFloat(number, 64)
		bits := math.Round(value * float64(u.bits))
		return uint64(bits) &^ 7, err == nil && bits >= 1e3 && bits <= 100e9 // the kernel counts bytes
	}
	return 0, false
}

func formatRate(bits uint64) string {
	for _, u := range rateUnits {
		if bits%u.bits == 0 {
			return fmt.Sprintf("%d%s", bits/u.bits, u.name)
		}
	}
	return ""
}

func parseDelay(text string) (time.Duration, bool) {
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"us", time.Microsecond}, {"ms", time.Millisecond}, {"s", time.Second}} {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		value, err := strconv.ParseFloat(number, 64)
		if err != nil || !(value >= 0 && value*float64(u.unit) <= 100e9) {
			return 0, false
		}
		return time.Duration(value * float64(u.unit)).Round(time.Microsecond), true
	}
	return 0, false
}

func formatDelay(d time.Duration) string {
	switch {
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	case d%time.Millisecond == 0:
		return fmt.Sprintf("%dms", d/time.Millisecond)
	}
	return fmt.Sprintf("%dus", d/time.Microsecond)
}
