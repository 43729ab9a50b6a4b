package advise_test

import "testing"

func TestSubnetAddress(t *testing.T) {
	check(t, []spoken{
		{"the subnet's own", `
			red, blue: machine
			red:e 192.168.15.0/24 -- blue:e 192.168.15.1/24`, `
			subnet-address red:e: e of red has 192.168.15.0/24, which names the subnet itself: it is no host's [Make it 192.168.15.2/24]`},
		{"its broadcast address", `
			red, blue: machine
			red:e 192.168.15.127/25 -- blue:e 192.168.15.1/25`, `
			subnet-address red:e: e of red has 192.168.15.127/25, the subnet's broadcast address: what is sent to it is for everybody, and nobody's to answer [Make it 192.168.15.2/25]`},
		{"no other is free", `
			red, blue, green: machine
			host: machine
			host:br bridge
			red:e 10.0.0.3/30 -- host:p1 on br
			blue:e 10.0.0.1/30 -- host:p2 on br
			green:e 10.0.0.2/30 -- host:p3 on br`, `
			subnet-address red:e: e of red has 10.0.0.3/30, the subnet's broadcast address: what is sent to it is for everybody, and nobody's to answer`},
		{"ends in 0 or 255 within a larger subnet", `
			red, blue: machine
			red:e 10.0.0.255/16 -- blue:e 10.0.1.0/16`, ""},
		{"both of a /31", `
			red, blue: machine
			red:e 10.0.0.0/31 -- blue:e 10.0.0.1/31`, ""},
		{"IPv6 has no broadcast", `
			red, blue: machine
			red:e 2001:db8::/64 -- blue:e 2001:db8::1/64`, ""},
	})
}
