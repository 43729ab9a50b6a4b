// A port of labengine/patch.go: what of a change the page applies. Untouched things stay the same objects, so that
// whatever shows them need not look again.
import type { Lab, Patch } from '../wire/types.gen';

export function applyPatch(lab: Lab, p: Patch): Lab {
	return {
		...lab,
		name: p.name ?? lab.name,
		quiet: p.quiet ?? lab.quiet,
		nodes: merge(lab.nodes, p.nodes),
		interfaces: merge(lab.interfaces, p.interfaces),
		cables: merge(lab.cables, p.cables),
		places: merge(lab.places, p.places),
	};
}

/** Whole values by id; null for what has gone. */
export function merge<V>(now: Record<string, V>, changed: Record<string, V | null> | undefined): Record<string, V> {
	if (!changed || Object.keys(changed).length === 0) return now;
	const next = { ...now };
	for (const [id, v] of Object.entries(changed)) {
		if (v === null) delete next[id];
		else next[id] = v;
	}
	return next;
}

/** Removes what hangs on things that are not there, in place: the maps are the caller's own. */
export function dropDangling(lab: Lab): void {
	for (const [id, n] of Object.entries(lab.nodes)) if (n.in && !lab.nodes[n.in]) delete lab.nodes[id];
	for (const [id, i] of Object.entries(lab.interfaces)) if (!lab.nodes[i.node]) delete lab.interfaces[id];
	dropOrphans(lab);
	for (const [id, c] of Object.entries(lab.cables)) {
		if (lab.interfaces[c.ends[0]] && lab.interfaces[c.ends[1]]) continue;
		delete lab.interfaces[c.ends[0]];
		delete lab.interfaces[c.ends[1]];
		delete lab.cables[id];
	}
	dropOrphans(lab);
	for (const [id, i] of Object.entries(lab.interfaces)) {
		if (!i.master || lab.interfaces[i.master]?.node === i.node) continue;
		const { master: _, vlans: __, port: ___, ...port } = i; // ports outlive a bridge
		lab.interfaces[id] = port;
	}
	for (const id of Object.keys(lab.places)) if (!lab.nodes[id] && !lab.interfaces[id]) delete lab.places[id];
}

/** An interface goes with the one below it, and that may be one on top of another. */
function dropOrphans(lab: Lab): void {
	for (let some = true; some; ) {
		some = false;
		for (const [id, i] of Object.entries(lab.interfaces)) {
			if (!i.parent || lab.interfaces[i.parent]) continue;
			delete lab.interfaces[id];
			some = true;
		}
	}
}
