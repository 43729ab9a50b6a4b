// The lab as a tree: machines and LANs, what is in them, their interfaces. The outline shows it and the canvas speaks it.
import type { Interface, Lab, Link } from '../wire/types.gen';
import { interfacesOf, labelOf, linkState, peerOf, switchID } from './lab';
import { holderOf, jacksOn, positionOf, type Shape, shapes, type Thing, thingOf, thingsIn, thingsOf } from './things';

export interface TreeItem {
	id: string;
	kind: Shape | 'interface';
	name: string;
	detail: string;
	level: number;
	position: number;
	size: number;
	parent?: string;
}

export function outline(lab: Lab): TreeItem[] {
	const items: TreeItem[] = [];
	const add = (t: Thing, level: number, position: number, size: number) => {
		const parent = t.within ? { parent: t.within } : {};
		items.push({ id: t.id, kind: t.shape, name: t.name, detail: detailOf(lab, t), level, position, size, ...parent });
		const jacks = jacksOn(lab, t.id);
		const inner = thingsIn(lab, t.id);
		const count = jacks.length + inner.length;
		for (const [at, i] of jacks.entries()) {
			items.push({
				id: i.id,
				kind: 'interface',
				name: i.name,
				detail: jackDetail(lab, i),
				level: level + 1,
				position: at + 1,
				size: count,
				parent: t.id,
			});
		}
		for (const [at, c] of inner.entries()) add(c, level + 1, jacks.length + at + 1, count);
	};
	const outer = thingsOf(lab).filter((t) => !t.within);
	for (const [at, t] of outer.entries()) add(t, 1, at + 1, outer.length);
	return items;
}

/** Where the focus goes when a thing is deleted: its next sibling, else the one before, else its parent. */
export function afterDelete(before: Lab, after: Lab, id: string): string | undefined {
	const items = outline(before);
	const item = items.find((i) => i.id === id);
	if (!item) return before.interfaces[before.cables[id]?.ends[0] ?? '']?.node;
	const left = items.filter((i) => i.parent === item.parent && (after.nodes[i.id] || after.interfaces[i.id]));
	return (left.find((i) => i.position > item.position) ?? left.at(-1))?.id ?? item.parent;
}

function detailOf(lab: Lab, t: Thing): string {
	const n = lab.nodes[t.id];
	const bridge = lab.interfaces[t.id];
	if (bridge) return [...bridge.addresses, shapes[t.shape].title, ...(bridge.up ? [] : ['down'])].join(' ');
	return n?.held ? `${shapes[t.shape].title} held by ${n.held}` : shapes[t.shape].title;
}

function jackDetail(lab: Lab, i: Interface): string {
	const peer = peerOf(lab, i.id);
	const to = peer ? ` to ${endLabel(lab, peer)}` : ` ${i.kind}`;
	const parent = lab.interfaces[i.parent ?? ''];
	return `${i.addresses.join(' ')}${to}${parent ? ` on ${parent.name}` : ''}${i.up ? '' : ', down'}`.trim();
}

/** "blue:veth-blue"; of a port "v-net-0:veth-blue-br". */
function endLabel(lab: Lab, i: Interface): string {
	return `${boxLabel(lab, i)}:${i.name}`;
}

function boxLabel(lab: Lab, i: Interface): string {
	const box = thingOf(lab, holderOf(lab, i));
	return box?.shape === 'bridge' ? box.name : labelOf(lab, i.node);
}

export function realInterfaces(lab: Lab, node: string) {
	return interfacesOf(lab, node).filter((i) => i.kind !== 'loopback');
}

/** "red, namespace in host, 2 of 4, 1 interface up, 192.168.15.1/24" */
export function spoken(lab: Lab, id: string, links: Record<string, Link>, running: boolean): string {
	const t = thingOf(lab, id);
	if (t) return spokenThing(lab, t, links, running);
	const i = lab.interfaces[id];
	if (i) {
		const peer = peerOf(lab, id);
		const parent = lab.interfaces[i.parent ?? ''];
		return [
			`${i.name} of ${boxLabel(lab, i)}`,
			linkState(i, links[id], running),
			...i.addresses,
			...(peer ? [`to ${peer.name} of ${boxLabel(lab, peer)}`] : [parent ? `${i.kind} on ${parent.name}` : i.kind]),
			...(i.impair ? [`sends with ${i.impair}`] : []),
		].join(', ');
	}
	const c = lab.cables[id];
	if (c) {
		const [a, b] = c.ends.map((end) => lab.interfaces[end]);
		const impaired = [a, b].flatMap((end) => (end?.impair ? [`${end.impair} from ${boxLabel(lab, end)}`] : []));
		return [`cable ${a ? endLabel(lab, a) : '?'} to ${b ? endLabel(lab, b) : '?'}`, ...impaired].join(', ');
	}
	return '';
}

function spokenThing(lab: Lab, t: Thing, links: Record<string, Link>, running: boolean): string {
	const [position, siblings] = positionOf(lab, t);
	const bridge = lab.interfaces[t.shape === 'lan' ? switchID(t.id) : t.id];
	const own = bridge ? jacksOn(lab, t.id) : realInterfaces(lab, t.node);
	const up = own.filter((i) => linkState(i, links[i.id], running) === 'up').length;
	const [one, many] = bridge ? ['port', 'ports'] : ['interface', 'interfaces'];
	const where = t.within ? ` in ${lab.nodes[t.within]?.name ?? '?'}` : '';
	return [
		t.name,
		`${shapes[t.shape].title}${where}`,
		`${position} of ${siblings}`,
		own.length === 0 ? 'no cable' : `${up} of ${own.length} ${own.length === 1 ? one : many} up`,
		...(bridge ? [...(bridge.up ? [] : ['down']), ...bridge.addresses] : own.flatMap((i) => i.addresses)),
	].join(', ');
}
