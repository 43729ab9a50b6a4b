package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// goneWatch tells when the links of a lab are gone. Nobody can look into a namespace that is about to end without keeping
// it; so it has veths of which one end is in namespaces all over the lab, and sees the other ends go along.
type goneWatch struct {
	cmd   *exec.Cmd
	end   io.Closer // its standard input: it ends with that
	left  int
	lines *bufio.Scanner
}

// watchGone hangs a veth into each of some namespaces of a lab of n. It is nil for an ordinary user, who may not do so.
func watchGone(b *testing.B, lab *startedLab, n int) *goneWatch {
	b.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	dirs, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", lab.process.Pid()))
	pins := ""
	for _, file := range dirs {
		children, _ := os.ReadFile(file)
		for _, pid := range strings.Fields(string(children)) {
			if dir := "/proc/" + pid + "/root/run/netns"; exists(dir + "/n0") {
				pins = dir
			}
		}
	}
	if pins == "" {
		b.Fatal("the lab's machine has no namespaces")
	}
	const most = 16
	args := []string{"--net", "sh", "-ec", `
		ip -o monitor link &
		i=0; for ns in "$@"; do ip link add name p$i type veth peer name gone$i netns "$ns"; i=$((i+1)); done
		ip link add name ready type bridge
		read -r end || kill $!`, "sh"}
	w := &goneWatch{left: min(n, most)}
	for i := range w.left {
		args = append(args, fmt.Sprintf("%s/n%d", pins, i*(n-1)/max(w.left-1, 1)))
	}
	w.cmd = exec.Command("unshare", args...)
	w.cmd.Stderr = os.Stderr
	out, err := w.cmd.StdoutPipe()
	if err == nil {
		w.end, err = w.cmd.StdinPipe()
	}
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	w.lines = bufio.NewScanner(out)
	for w.lines.Scan() {
		if strings.Contains(w.lines.Text(), ": ready") {
			return w
		}
	}
	b.Fatal("cannot hang a veth into the lab's namespaces")
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// since is how long after a moment the last of the links went, in ms.
func (w *goneWatch) since(b *testing.B, begun time.Time) float64 {
	b.Helper()
	for w.left > 0 && w.lines.Scan() {
		if line := w.lines.Text(); strings.HasPrefix(line, "Deleted ") && strings.Contains(line, ": p") {
			w.left--
		}
	}
	took := ms(begun)
	if w.left > 0 {
		b.Fatal("ip monitor ended")
	}
	w.end.Close()
	if err := w.cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	return took
}
