package labengine

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RouteMetric is what a route says about how packets are sent along it, as ip-route(8) has it.
type RouteMetric struct {
	Number uint16 // RTAX_* in uapi/linux/rtnetlink.h
	Value  uint32 // as the kernel keeps it
	Text   string // of congctl, the algorithm's name
	Lock   bool   // the kernel does not change it by what it learns
}

// metricWord is a metric's word. The kernel keeps times in parts of a millisecond.
type metricWord struct {
	number   uint16
	name     string
	max      uint32 // 0 is taken as well, and says nothing
	perMilli uint32 // 0 where it is no time
	lock     bool   // takes the word lock
}

const (
	metricFeatures = 12
	metricRTOMin   = 13
	metricCongctl  = 16
	featureECN     = 1 // RTAX_FEATURE_ECN
)

// metricWords are all of them, in the kernel's order, in which ip-route(8) prints them. Sources: iproute2's ip/iproute.c,
// ip_metrics_convert in net/ipv4/metrics.c.
var metricWords = []metricWord{
	{number: 2, name: "mtu", max: 65520, lock: true},
	{number: 3, name: "window", max: 1<<32 - 1, lock: true},
	{number: 4, name: "rtt", max: 100_000, perMilli: 8, lock: true},
	{number: 5, name: "rttvar", max: 100_000, perMilli: 4, lock: true},
	{number: 6, name: "ssthresh", max: 1<<32 - 1, lock: true},
	{number: 7, name: "cwnd", max: 1<<32 - 1, lock: true},
	{number: 8, name: "advmss", max: 65495, lock: true},
	{number: 9, name: "reordering", max: 1<<32 - 1, lock: true},
	{number: 10, name: "hoplimit", max: 255, lock: true},
	{number: 11, name: "initcwnd", max: 1<<32 - 1, lock: true},
	{number: metricFeatures, name: "features"},
	{number: metricRTOMin, name: "rto_min", max: 100_000, perMilli: 1}, // locked always
	{number: 14, name: "initrwnd", max: 1<<32 - 1, lock: true},
	{number: 15, name: "quickack", max: 1},
	{number: metricCongctl, name: "congctl", lock: true},
	{number: 17, name: "fastopen_no_cookie", max: 1},
}

func metricNamed(name string) (metricWord, bool) {
	at := slices.IndexFunc(metricWords, func(w metricWord) bool { return w.name == name })
	if at < 0 {
		return metricWord{}, false
	}
	return metricWords[at], true
}

func metricNames() []string {
	var names []string
	for _, w := range metricWords {
		names = append(names, w.name)
	}
	return names
}

// parse reads what follows the word, and says how many words that was. What is 0 is not said.
func (w metricWord) parse(words []string) (m RouteMetric, used int, err error) {
	bad := func(format string, args ...any) (RouteMetric, int, error) {
		return m, 0, Problemf(CodeBadValue, format, args...).About("", "route")
	}
	m = RouteMetric{Number: w.number, Lock: w.number == metricRTOMin}
	if len(words) > 0 && words[0] == "lock" && (w.lock || m.Lock) {
		m.Lock, words, used = true, words[1:], 1
	}
	if len(words) == 0 {
		return bad("`%s` is followed by its value", w.name)
	}
	text := words[0]
	switch {
	case w.number == metricFeatures:
		if text != "ecn" {
			return bad("the feature that a route has is ecn; this is %s", shown(text))
		}
		m.Value = featureECN
	case w.number == metricCongctl:
		if len(text) > 15 || strings.ContainsFunc(text, func(r rune) bool { return !isHostname(r) }) {
			return bad("`congctl` is the name of a congestion control, such as cubic; this is %s", shown(text))
		}
		m.Text = text
	case w.perMilli > 0:
		d, ok := parseDelay(text)
		if ok = ok && d >= time.Millisecond && d%time.Millisecond == 0; !ok {
			return bad("`%s` is a time from 1ms to 100s; this is %s", w.name, shown(text))
		}
		m.Value = uint32(d/time.Millisecond) * w.perMilli
	default:
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil || n > uint64(w.max) || n == 0 && m.Lock {
			return bad("`%s` is a number from 1 to %d; this is %s", w.name, w.max, shown(text))
		}
		m.Value = uint32(n)
	}
	return m, used + 1, nil
}

func (m RouteMetric) said() bool { return m.Value != 0 || m.Text != "" }

// ParseRouteMetrics reads a route's metrics, "mtu lock 1400 advmss 1360".
func ParseRouteMetrics(text string) ([]RouteMetric, error) {
	var list []RouteMetric
	for words := strings.Fields(text); len(words) > 0; {
		w, ok := metricNamed(words[0])
		if !ok {
			return nil, Problemf(CodeBadValue, "a route has no metric %s", shown(words[0])).About("", "route")
		}
		m, used, err := w.parse(words[1:])
		if err != nil {
			return nil, err
		}
		list, words = append(list, m), words[1+used:]
	}
	return list, nil
}

// WriteRouteMetrics is metrics as ip-route(8) takes them. Those without a word there are left out.
func WriteRouteMetrics(list []RouteMetric) string {
	list = slices.SortedFunc(slices.Values(list), func(a, b RouteMetric) int { return cmp.Compare(a.Number, b.Number) })
	var words []string
	for _, m := range list {
		at := slices.IndexFunc(metricWords, func(w metricWord) bool { return w.number == m.Number })
		if at < 0 || !m.said() {
			continue
		}
		w := metricWords[at]
		words = append(words, w.name)
		if m.Lock && w.lock {
			words = append(words, "lock")
		}
		switch {
		case m.Number == metricFeatures:
			words = append(words, "ecn")
		case m.Number == metricCongctl:
			words = append(words, m.Text)
		case w.perMilli > 0:
			words = append(words, formatDelay(time.Duration(m.Value/w.perMilli)*time.Millisecond))
		default:
			words = append(words, strconv.FormatUint(uint64(m.Value), 10))
		}
	}
	return strings.Join(words, " ")
}
