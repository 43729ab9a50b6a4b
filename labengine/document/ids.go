package document

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode/utf8"

	"vethlab/labengine"
)

// maxID is the length that labengine allows an ID, in bytes, less what [labengine.LoopbackID] adds.
const maxID = 110

// nodeID is "host" for a machine and "host/red" for a namespace in it.
func nodeID(machine, name string) labengine.ID {
	id := name
	if machine != "" {
		id = machine + "/" + name
	}
	// A name that ends as the IDs of loopback interfaces do could be taken for one.
	return derived(id, strings.HasSuffix(id, string(labengine.LoopbackID(""))))
}

// interfaceID is "host/red:veth-red".
func interfaceID(machine, node, name string) labengine.ID {
	if machine != "" {
		node = machine + "/" + node
	}
	return derived(node+":"+name, false)
}

// cableID is "host/red:veth-red--host/blue:veth-blue".
func cableID(a, b labengine.ID) labengine.ID {
	text := string(a) + "--" + string(b)
	if strings.Count(text, "--") > 1 { // it could be read in two ways, unlike with a space, which no name has
		return hashed(text, string(a)+" "+string(b))
	}
	return derived(text, false)
}

// derived is the text as an ID; hashed where it is too long, or could be the ID of something else.
func derived(text string, ambiguous bool) labengine.ID {
	if ambiguous || len(text) > maxID || strings.Contains(text, "~") {
		return hashed(text, text)
	}
	return labengine.ID(text)
}

// hashed is the start of the text, "~", and a hash. No other IDs have a "~".
func hashed(text, unique string) labengine.ID {
	const digits = 20
	start := text[:min(len(text), maxID-digits-1)]
	for !utf8.ValidString(start) {
		start = start[:len(start)-1]
	}
	return labengine.ID(fmt.Sprintf("%s~%.*x", start, digits/2, sha256.Sum256([]byte(unique))))
}
