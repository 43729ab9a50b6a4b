// Questions that one asks of a lab. Nothing here changes anything.
import type { Cable, Change, Frame, Interface, Lab, Link, Node, Place, Status } from '../wire/types.gen';
import { optionsOf } from './options';
import { ofLab, ofThing } from './settled';

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

export function nodesInOrder(lab: Lab): readonly Node[] {
	return ofLab(lab, sortedNodes);
}

export function cablesInOrder(lab: Lab): readonly Cable[] {
	return ofLab(lab, sortedCables);
}

const sortedNodes = (lab: Lab) => Object.values(lab.nodes).sort(inOrder);
const sortedCables = (lab: Lab) => Object.values(lab.cables).sort(inOrder);

function inOrder(a: { order: number; id: string }, b: { order: number; id: string }): number {
	return a.order - b.order || compareText(a.id, b.id);
}

function grouped<V>(all: readonly V[], by: (v: V) => string): Map<string, V[]> {
	const groups = new Map<string, V[]>();
	for (const v of all) {
		const group = groups.get(by(v));
		if (group) group.push(v);
		else groups.set(by(v), [v]);
	}
	return groups;
}

export function compareText(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}

/** The interfaces of a node by name, loopback first. */
export function interfacesOf(lab: Lab, node: string): readonly Interface[] {
	return ofThing(lab, node, sortedInterfaces);
}

const byName = new Intl.Collator('en', { numeric: true }).compare;
const byNode = (lab: Lab) => grouped(Object.values(lab.interfaces), (i) => i.node);

function sortedInterfaces(lab: Lab, node: string): Interface[] {
	return (ofLab(lab, byNode).get(node) ?? []).toSorted(
		(a, b) => Number(b.kind === 'loopback') - Number(a.kind === 'loopback') || byName(a.name, b.name),
	);
}

export function childrenOf(lab: Lab, machine: string): readonly Node[] {
	return ofThing(lab, machine, sortedChildren);
}

const byMachine = (lab: Lab) => grouped(nodesInOrder(lab), (n) => n.in ?? '');
const sortedChildren = (lab: Lab, machine: string) => ofLab(lab, byMachine).get(machine) ?? [];

export function cableOf(lab: Lab, end: string): Cable | undefined {
	return ofLab(lab, byEnd).get(end);
}

const byEnd = (lab: Lab) => new Map(Object.values(lab.cables).flatMap((c) => c.ends.map((end) => [end, c] as const)));

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
	return (ofLab(lab, byNode).get(node) ?? []).find((i) => i.name === name);
}

export function machineOf(lab: Lab, node: string): Node | undefined {
	const n = lab.nodes[node];
	return n?.in ? lab.nodes[n.in] : n;
}

/** How people call a node: its name, or machine/name where the name alone would be ambiguous. */
export function labelOf(lab: Lab, node: string): string {
	const n = lab.nodes[node];
	if (!n) return '(gone)';
	if (n.in && (ofLab(lab, namesakes).get(n.name) ?? 0) > 1) {
		return `${lab.nodes[n.in]?.name ?? '?'}/${n.name}`;
	}
	return n.name;
}

function namesakes(lab: Lab): Map<string, number> {
	const count = new Map<string, number>();
	for (const n of Object.values(lab.nodes)) count.set(n.name, (count.get(n.name) ?? 0) + 1);
	return count;
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
