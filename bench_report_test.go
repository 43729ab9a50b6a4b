package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// The tables that benchmarks leave for the end: go test prints a line for each, with the figures in the order of their
// names.
var (
	starts   = report[startRounds]{title: "Start and stop, ms", head: "namespaces\tfloor\tvethlab\tx floor\tempty lab\tip -batch\tx floor\tstop\tgone\tip -batch\tKB each: floor\tvethlab\tip -batch\treached: floor\tvethlab"}
	latency  = report[rounds]{title: "From the kernel to the websocket, ms", head: "\tp50\tp99\tmax\tevents"}
	memories = report[rounds]{title: "Memory of the lab of red and blue, MB (PSS)", head: "\tall\tlab process\tinit\tothers"}
)

// report is a table: a row for each benchmark, in the order in which they were run first.
type report[V any] struct {
	title, head string
	names       []string
	rows        map[string]V
}

// record sets a row. A benchmark runs once before it is measured.
func (t *report[V]) record(name string, row V) {
	if t.rows == nil {
		t.rows = map[string]V{}
	}
	if _, again := t.rows[name]; !again {
		t.names = append(t.names, name)
	}
	t.rows[name] = row
}

func (t *report[V]) print(out io.Writer, cells func(V) string) {
	if len(t.names) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", t.title)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, t.head)
	for _, name := range t.names {
		fmt.Fprintln(table, name+"\t"+cells(t.rows[name]))
	}
	table.Flush()
}

// printReports prints what the benchmarks that were run have found: the median of the rounds, [least..most].
func printReports(out io.Writer) {
	starts.print(out, func(r startRounds) string {
		return fmt.Sprint(r.floor, "\t", r.start, "\t", r.ratio, "\t", r.empty, "\t", r.batch, "\t", r.batchRatio, "\t", r.stop, "\t", r.gone, "\t",
			r.batchStop, "\t", r.floorKB, "\t", r.labKB, "\t", r.batchKB, "\t", r.floorReached, "\t", r.reached)
	})
	latency.print(out, func(r rounds) string {
		return fmt.Sprintf("%.2f\t%.2f\t%.2f\t%d", r.percentile(50), r.percentile(99), r.percentile(100), len(r))
	})
	memories.print(out, func(r rounds) string {
		return fmt.Sprintf("%.1f\t%.1f\t%.1f\t%.1f", r[0]+r[1]+r[2], r[0], r[1], r[2])
	})
}
