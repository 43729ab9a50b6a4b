// What the lab was at an earlier revision, from the changes that the page holds, and what restoring that would do.
import type { Change, Interface, Lab, Node } from '../wire/types.gen';
import { isSaved, labelOf } from './lab';
import { applyPatch, dropDangling } from './patch';
import { isBox, type Shape, shapes, thingOf } from './things';

/** The lab right after the change numbered `seq`; undefined where the changes do not reach back so far. */
export function labAt(now: Lab, changes: readonly Change[], seq: number): Lab | undefined {
	const newest = changes.at(-1)?.seq ?? 0;
	const oldest = changes[0]?.seq ?? newest + 1;
	if (seq > newest || seq < oldest - 1) return undefined;
	let lab = now;
	for (const c of changes.toReversed()) if (c.seq > seq) lab = applyPatch(lab, c.before);
	return asFarAsPossible(now, lab);
}

/** Without what cannot be made, and with what cannot be taken away, from now: what only a process keeps, or has no word. */
function asFarAsPossible(now: Lab, then: Lab): Lab {
	const lab: Lab = {
		...then,
		nodes: { ...then.nodes },
		interfaces: { ...then.interfaces },
		cables: { ...then.cables },
		places: { ...then.places },
	};
	for (const [id, n] of Object.entries(lab.nodes)) if (n.held && !now.nodes[id]) delete lab.nodes[id];
	for (const [id, n] of Object.entries(now.nodes)) if (n.held) lab.nodes[id] ??= n;
	for (const [id, i] of Object.entries(lab.interfaces))
		if (!isSaved(i) && !now.interfaces[id]) delete lab.interfaces[id];
	for (const [id, i] of Object.entries(now.interfaces)) if (!isSaved(i)) lab.interfaces[id] ??= i;
	dropDangling(lab);
	return lab;
}

export interface Difference {
	does: 'add' | 'remove' | 'change';
	what: string;
	/** The node, interface or cable. */
	on?: string;
}

/** What making `now` into `then` would do, in words. */
export function differences(now: Lab, then: Lab): Difference[] {
	const found: Difference[] = [];
	const both = <V>(
		part: (lab: Lab) => Record<string, V>,
		tell: (was: V | undefined, is: V | undefined, on: string) => void,
	) => {
		for (const id of new Set([...Object.keys(part(now)), ...Object.keys(part(then))])) {
			const [was, is] = [part(now)[id], part(then)[id]];
			if (was !== is) tell(was, is, id);
		}
	};
	const say = (does: Difference['does'], what: string, on?: string) => found.push({ does, what, ...(on && { on }) });
	both(
		(lab) => lab.nodes,
		(was, is, on) => {
			if (!was && is) say('add', called(is.kind, is.name), on);
			else if (was && !is) say('remove', called(was.kind, was.name), on);
			else if (was && is) for (const what of nodeChanges(now, then, was, is)) say('change', what, on);
		},
	);
	both(
		(lab) => lab.cables,
		(was, is, on) => {
			if (!was && is) say('add', `cable ${ends(then, is.ends)}`, on);
			else if (was && !is) say('remove', `cable ${ends(now, was.ends)}`, on);
		},
	);
	both(
		(lab) => lab.interfaces,
		(was, is, on) => {
			const i = is ?? was;
			const lab = is ? then : now;
			const alone = i && i.kind !== 'veth' && i.kind !== 'loopback' && lab.nodes[i.node]?.kind !== 'lan';
			if (!was && is && alone) say('add', `${called(is.kind, is.name)} in ${labelOf(then, is.node)}`, on);
			else if (was && !is && alone) say('remove', `${called(was.kind, was.name)} in ${labelOf(now, was.node)}`, on);
			else if (was && is) for (const what of interfaceChanges(now, then, was, is)) say('change', what, on);
		},
	);
	if (now.name !== then.name) say('change', `the lab’s name to ${then.name}`);
	if (found.length === 0 && placed(now, then) > 0) say('change', 'where things are drawn');
	const order = ['add', 'remove', 'change'];
	return found.sort((a, b) => order.indexOf(a.does) - order.indexOf(b.does));
}

function placed(now: Lab, then: Lab): number {
	const at = (lab: Lab, id: string) => `${lab.places[id]?.x} ${lab.places[id]?.y}`;
	return Object.keys({ ...now.places, ...then.places }).filter((id) => at(now, id) !== at(then, id)).length;
}

/** "OVS bridge br0", "vlan eth0.10"; "the internet", which is called what it is. */
function called(kind: Node['kind'] | Interface['kind'], name: string): string {
	const title = kind in shapes ? shapes[kind as Shape].title : kind;
	return title === name ? `the ${name}` : `${title} ${name}`;
}

function ends(lab: Lab, [a, b]: readonly [string, string]): string {
	const label = (end: string) => {
		const i = lab.interfaces[end];
		return i ? `${labelOf(lab, i.node)}:${i.name}` : '?';
	};
	return `${label(a)} – ${label(b)}`;
}

function nodeChanges(now: Lab, then: Lab, was: Node, is: Node): string[] {
	const said: string[] = [];
	if (was.name !== is.name) said.push(`${was.name} to the name ${is.name}`);
	if (was.in !== is.in) said.push(`${is.name}: into ${then.nodes[is.in ?? '']?.name ?? now.nodes[is.in ?? '']?.name}`);
	if ((was.command ?? '') !== (is.command ?? '')) said.push(`${is.name}: command ${is.command ?? 'none'}`);
	const lists = ['routes', 'sysctls', 'iptables', 'ip6tables', 'services'] as const;
	const words = {
		routes: 'route',
		sysctls: 'setting',
		iptables: 'iptables',
		ip6tables: 'ip6tables',
		services: 'service',
	};
	for (const list of lists) {
		const [before, after] = [was[list] ?? [], is[list] ?? []];
		for (const text of after) if (!before.includes(text)) said.push(`${is.name}: + ${words[list]} ${text}`);
		for (const text of before) if (!after.includes(text)) said.push(`${is.name}: − ${words[list]} ${text}`);
	}
	return said;
}

function interfaceChanges(now: Lab, then: Lab, was: Interface, is: Interface): string[] {
	const said: string[] = [];
	const name = isBox(then, is) ? is.name : `${labelOf(then, is.node)}:${is.name}`;
	const say = (what: string) => said.push(`${name}: ${what}`);
	if (was.name !== is.name) say(`name instead of ${was.name}`);
	if (was.node !== is.node) say(`plugged into ${labelOf(then, is.node)}`);
	for (const a of is.addresses) if (!was.addresses.includes(a)) say(`+ ${a}`);
	for (const a of was.addresses) if (!is.addresses.includes(a)) say(`− ${a}`);
	if (was.up !== is.up) say(is.up ? 'up' : 'down');
	if (was.mtu !== is.mtu) say(`MTU ${is.mtu}`);
	if (was.mac !== is.mac) say(`MAC ${is.mac}`);
	if ((was.vlans ?? '') !== (is.vlans ?? '')) say(is.vlans || 'the bridge’s own VLAN');
	if ((was.alias ?? '') !== (is.alias ?? '')) say(is.alias ? `alias “${is.alias}”` : 'no alias');
	if ((was.impair ?? '') !== (is.impair ?? '')) say(is.impair ? `sends with ${is.impair}` : 'sends as it can');
	if ((was.port ?? '') !== (is.port ?? '') && is.master) say(is.port || 'all VLANs');
	if ((was.options ?? '') !== (is.options ?? '')) say(is.options || 'default options');
	const bridge = (lab: Lab, i: Interface) => thingOf(lab, i.master ?? '')?.name;
	if (was.node === is.node && (was.master ?? '') !== (is.master ?? '')) {
		const into = bridge(then, is);
		say(into ? `a port of ${into}` : `no port of ${bridge(now, was) ?? 'a bridge'}`);
	}
	return said;
}
