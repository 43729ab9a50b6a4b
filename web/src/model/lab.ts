// Questions that one asks of a lab. Nothing here changes anything.
import type { Cable, Change, Frame, Interface, Lab, Link, Node, Place, Status } from '../wire/types.gen';
import { optionsOf } from './options';

export type { Cable, Change, Frame, Interface, Lab, Link, Node, Place, Status };
export type State = Status['state'];
export type Kind = Node['kind'];

export const emptyLab: Lab = { name: '', nodes: {}, interfaces: {}, cables: {}, places: {} };

export function loopbackID(node: string): string {
	return `${node}.lo`;
}

/** The bridge that a LAN is. */
export function switchID(lan: string): string {
	return `${lan}.switch`;
}

export const switchName = 'switch';

/** Only these kinds of interface have a word in the document; others are shown and not saved. */
export function isSaved(i: Interface): boolean {
	return i.kind === 'veth' || i.kind === 'loopback' || optionsOf(i.kind) !== undefined;
}

export function nodesInOrder(lab: Lab): Node[] {
	return Object.values(lab.nodes).sort((a, b) => a.order - b.order || compareText(a.id, b.id));
}

export function cablesInOrder(lab: Lab): Cable[] {
	return Object.values(lab.cables).sort((a, b) => a.order - b.order || compareText(a.id, b.id));
}

export function compareText(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}

/** The interfaces of a node by name, loopback first. */
export function interfacesOf(lab: Lab, node: string): Interface[] {
	return Object.values(lab.interfaces)
		.filter((i) => i.node === node)
		.sort(
			(a, b) =>
				Number(b.kind === 'loopback') - Number(a.kind === 'loopback') ||
				a.name.localeCompare(b.name, 'en', { numeric: true }),
		);
}

export function childrenOf(lab: Lab, machine: string): Node[] {
	return nodesInOrder(lab).filter((n) => n.in === machine);
}

export function cableOf(lab: Lab, end: string): Cable | undefined {
	return Object.values(lab.cables).find((c) => c.ends[0] === end || c.ends[1] === end);
}

export function otherEnd(c: Cable, end: string): string {
	return c.ends[0] === end ? c.ends[1] : c.ends[0];
}

/** The interface at the other end of this one's cable. */
export function peerOf(lab: Lab, end: string): Interface | undefined {
	const c = cableOf(lab, end);
	return c && lab.interfaces[otherEnd(c, end)];
}

export function nodeNamed(lab: Lab, within: string, name: string): Node | undefined {
	return Object.values(lab.nodes).find((n) => (n.in ?? '') === within && n.name === name);
}

export function interfaceNamed(lab: Lab, node: string, name: string): Interface | undefined {
	return Object.values(lab.interfaces).find((i) => i.node === node && i.name === name);
}

export function machineOf(lab: Lab, node: string): Node | undefined {
	const n = lab.nodes[node];
	return n?.in ? lab.nodes[n.in] : n;
}

/** How people call a node: its name, or machine/name where the name alone would be ambiguous. */
export function labelOf(lab: Lab, node: string): string {
	const n = lab.nodes[node];
	if (!n) return '(gone)';
	if (n.in && Object.values(lab.nodes).some((other) => other.name === n.name && other.id !== n.id)) {
		return `${lab.nodes[n.in]?.name ?? '?'}/${n.name}`;
	}
	return n.name;
}

/** "red → blue": a cable by the nodes that it joins. */
export function cableLabel(lab: Lab, c: Cable): string {
	const [a, b] = c.ends.map((end) => lab.interfaces[end]);
	return `${a ? labelOf(lab, a.node) : '?'} – ${b ? labelOf(lab, b.node) : '?'}`;
}

/** How the state of an interface reads, as ip-link(8) has it. */
export type LinkState = 'up' | 'down' | 'no carrier' | 'no program' | 'unknown';

export function linkState(i: Interface, link: Link | undefined | null, running: boolean): LinkState {
	if (!i.up) return 'down';
	if (!running || !link) return running ? 'unknown' : 'up';
	if (link.carrier) return 'up';
	return i.kind === 'tun' ? 'no program' : 'no carrier'; // to whom a tun sends is a program's choice
}

/** Whether it has a hardware address that can be chosen: lo has none, nor has what carries packets without frames. */
export function hasMAC(i: Interface): boolean {
	return i.kind !== 'loopback' && !(i.kind === 'tun' && !i.options?.includes('mode tap'));
}

/** An id for something new. `crypto.randomUUID` is missing on plain http, where workshops are. */
export function newID(prefix: string): string {
	const bytes = crypto.getRandomValues(new Uint8Array(12));
	return prefix + Array.from(bytes, (b) => b.toString(36).padStart(2, '0')).join('');
}

/** For unions that a switch has dealt with. */
export function assertNever(value: never): never {
	throw new Error(`not expected: ${JSON.stringify(value)}`);
}
