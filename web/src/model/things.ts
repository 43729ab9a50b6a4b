// What is drawn as a box: nodes, and bridges, which are interfaces but look like a thing of their own. A jack is on the box
// that its interface is plugged into: a bridge's port on the bridge, all others on their node.
import type { Interface, Lab } from '../wire/types.gen';
import type { KindInfo } from './kinds';
import { kinds } from './kinds';
import { childrenOf, compareText, interfacesOf, type Kind, labelOf, nodesInOrder } from './lab';
import { ofLab, ofThing } from './settled';

/** Switches that are interfaces of a node: a Linux bridge, and one of Open vSwitch. */
export type BridgeShape = 'bridge' | 'ovs';

export type Shape = Kind | BridgeShape;

export interface Thing {
	id: string;
	name: string;
	shape: Shape;
	/** The box that it is in. */
	within: string | undefined;
	/** The node whose interfaces have their jacks on it, or that a bridge is in. */
	node: string;
}

/** What there is to know of each shape, for tools and words. */
export const shapes: Readonly<Record<Shape, KindInfo>> = {
	...kinds,
	bridge: {
		inMachine: true,
		holds: false,
		runs: false,
		title: 'bridge',
		many: 'bridges',
		words: ['br', 'bridge'],
		names: ['v-net-0', 'v-net-1', 'v-net-2', 'v-net-3'],
	},
	ovs: {
		inMachine: true,
		holds: false,
		runs: false,
		title: 'OVS bridge',
		many: 'OVS bridges',
		words: ['ovs'],
		names: ['br0', 'br1', 'br2', 'br3'],
	},
};

const withArticle: Partial<Record<Shape, string>> = { internet: 'the internet', ovs: 'an OVS bridge' };

/** "Add a namespace", "Add an OVS bridge": what a tool and a command are called. */
export function addWords(shape: Shape): string {
	return `Add ${withArticle[shape] ?? `a ${shapes[shape].title}`}`;
}

export function isBridge(shape: string): shape is BridgeShape {
	return shape === 'bridge' || shape === 'ovs';
}

/** Drawn as a bar with jacks along both long sides; plugging into it makes a port. */
export function isBar(shape: Shape): boolean {
	return isBridge(shape) || shape === 'lan';
}

/** Whether an interface is drawn as a box. A LAN's bridge is the LAN's own box. */
export function isBox(lab: Lab, i: Interface): boolean {
	return isBridge(i.kind) && lab.nodes[i.node]?.kind !== 'lan';
}

export function thingOf(lab: Lab, id: string): Thing | undefined {
	const n = lab.nodes[id];
	if (n) return { id, name: n.name, shape: n.kind, within: n.in, node: id };
	const i = lab.interfaces[id];
	return i && isBox(lab, i) ? bridgeThing(i) : undefined;
}

function bridgeThing(i: Interface): Thing {
	return { id: i.id, name: i.name, shape: i.kind === 'ovs' ? 'ovs' : 'bridge', within: i.node, node: i.node };
}

/** Nodes as the file has them, then bridges by name. */
export function thingsOf(lab: Lab): readonly Thing[] {
	return ofLab(lab, allThings);
}

function allThings(lab: Lab): Thing[] {
	const nodes = nodesInOrder(lab).map(
		(n): Thing => ({ id: n.id, name: n.name, shape: n.kind, within: n.in, node: n.id }),
	);
	const bridges = Object.values(lab.interfaces)
		.filter((i) => isBox(lab, i))
		.map(bridgeThing)
		.sort((a, b) => compareText(a.name, b.name) || compareText(a.id, b.id));
	return [...nodes, ...bridges];
}

/** What is in a box: nodes, then bridges. */
export function thingsIn(lab: Lab, box: string): readonly Thing[] {
	return ofThing(lab, box, innerThings);
}

function innerThings(lab: Lab, box: string): Thing[] {
	const bridges = interfacesOf(lab, box).filter((i) => isBox(lab, i));
	return [...childrenOf(lab, box), ...bridges].flatMap((x) => thingOf(lab, x.id) ?? []);
}

/** "2 of 4": where a thing is among those that are in the same box, and how many they are. */
export function positionOf(lab: Lab, t: Thing): [position: number, of: number] {
	const places = ofThing(lab, t.within ?? '', positions);
	return [places.get(t.id) ?? 0, places.size];
}

function positions(lab: Lab, box: string): Map<string, number> {
	const inner = box ? thingsIn(lab, box) : thingsOf(lab).filter((t) => !t.within);
	return new Map(inner.map((t, at) => [t.id, at + 1]));
}

/** How deep in boxes: 0 is on the canvas itself. */
export function depthOf(lab: Lab, id: string): number {
	let depth = 0;
	for (let t = thingOf(lab, id); t?.within && depth < 4; t = thingOf(lab, t.within)) depth++;
	return depth;
}

/** The box that an interface's jack is on. */
export function holderOf(lab: Lab, i: Interface): string {
	const master = i.master ? lab.interfaces[i.master] : undefined;
	if (master && isBox(lab, master)) return master.id;
	const parent = i.parent ? lab.interfaces[i.parent] : undefined;
	if (!parent || parent.node !== i.node) return i.node;
	return isBox(lab, parent) ? parent.id : holderOf(lab, parent);
}

/** Interfaces that have a jack: all but loopbacks, and the bridges that are boxes. */
export function hasJack(lab: Lab, i: Interface): boolean {
	return i.kind !== 'loopback' && !isBridge(i.kind) && lab.nodes[i.node] !== undefined;
}

/** The interfaces whose jacks are on a box, by name. */
export function jacksOn(lab: Lab, box: string): readonly Interface[] {
	return ofThing(lab, box, jacksByName);
}

function jacksByName(lab: Lab, box: string): Interface[] {
	const t = thingOf(lab, box);
	return t ? interfacesOf(lab, t.node).filter((i) => hasJack(lab, i) && holderOf(lab, i) === box) : [];
}

/** The machine that a box is, or is in; a LAN is in none. */
export function machineAround(lab: Lab, id: string): string | undefined {
	for (let t = thingOf(lab, id); t; t = t.within ? thingOf(lab, t.within) : undefined) {
		if (t.shape === 'machine') return t.id;
	}
	return undefined;
}

/** What a cable's end is plugged into, as people see it: a bridge rather than the namespace that it is in. */
export function pluggedInto(lab: Lab, i: Interface): string {
	const box = lab.interfaces[holderOf(lab, i)];
	return box ? box.name : labelOf(lab, i.node);
}
