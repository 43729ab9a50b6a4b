package kernel

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vethlab/labengine"
)

// TestVLANMessages holds what is sent to what bridge(8) of iproute2 6.1 sends, as strace shows it on a little-endian machine:
// struct ifinfomsg of link 3 and the attributes.
func TestVLANMessages(t *testing.T) {
	for _, c := range []struct {
		vlans, typed string
		self         bool
		sent         string
	}{
		{"10-20 untagged", "bridge vlan add dev p0 vid 10-20 untagged", false,
			"07000000 03000000 00000000 00000000  14001a00 08000200 0c000a00 08000200 14001400"},
		{"10 pvid untagged", "bridge vlan add dev br0 vid 10 pvid untagged self", true,
			"07000000 03000000 00000000 00000000  14001a00 06000000 02000000 08000200 06000a00"},
		{"10", "bridge vlan del dev p0 vid 10", false,
			"07000000 03000000 00000000 00000000  0c001a00 08000200 00000a00"},
	} {
		list, err := labengine.ParseVLANs(c.vlans)
		if err != nil {
			t.Fatal(err)
		}
		msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
		msg.Index = 3
		got := append(msg.Serialize(), vlanSpec(c.self, list).Serialize()...)
		want, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(c.sent), []byte(" "), nil)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s sends\n%x, and we\n%x", c.typed, want, got)
		}
	}
}

// TestReadVLANs reads answers as br_fill_ifvlaninfo_compressed writes them: ranges of neighbours with the same flags.
func TestReadVLANs(t *testing.T) {
	for _, text := range []string{"vid 1 pvid untagged", "vid 1 pvid untagged vid 20 vid 30-40", "vid 2-3 untagged vid 4 vid 5-4094 untagged", "vid none"} {
		list, err := labengine.ParseVLANs(text)
		if err != nil {
			t.Fatal(err)
		}
		spec := vlanSpec(false, list).Serialize()
		if got := readVLANSpec(spec[unix.SizeofRtAttr:]); !slices.Equal(got, list) {
			t.Errorf("%s is read as %v", text, got)
		}
	}
	if got := readVLANSpec([]byte{8, 0, 2, 0, 8, 0, 1, 0, 8, 0}); got != nil { // a range without an end
		t.Errorf("half a range is read as %v", got)
	}
}

func TestVLANsOfALink(t *testing.T) {
	aware := &Link{Index: 1, Kind: labengine.Bridge, pvid: 5, vlans: labengine.DefaultVLANs(5)}
	lacking := &Link{Index: 2, Kind: labengine.Bridge, pvid: -1}
	n := &Netns{Links: map[int]*Link{1: aware, 2: lacking}}
	ten := []labengine.PortVLAN{{First: 10, Last: 10}}
	for _, c := range []struct {
		link *Link
		want string
	}{
		{aware, ""}, {lacking, ""},
		{&Link{Kind: "veth", Master: 1, pvid: -1, vlans: labengine.DefaultVLANs(5)}, ""},
		{&Link{Kind: "veth", Master: 1, pvid: -1, vlans: ten}, "vid 10"},
		{&Link{Kind: "veth", Master: 1, pvid: -1}, "vid none"},
		{&Link{Kind: "veth", Master: 2, pvid: -1}, ""},
		{&Link{Kind: "veth", pvid: -1}, ""},
	} {
		if got := n.VLANsOf(c.link); got != c.want {
			t.Errorf("%+v: %q", c.link, got)
		}
	}
}
