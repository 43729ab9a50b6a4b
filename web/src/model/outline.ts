// The lab as a tree: machines, what is in them, their interfaces. The outline shows it and the canvas speaks it.
import type { Lab, Link } from '../wire/types.gen';
import { childrenOf, interfacesOf, labelOf, linkState, nodesInOrder, peerOf } from './lab';

export interface TreeItem {
	id: string;
	kind: 'machine' | 'namespace' | 'interface';
	name: string;
	detail: string;
	level: number;
	position: number;
	size: number;
	parent?: string;
}

export function outline(lab: Lab): TreeItem[] {
	const items: TreeItem[] = [];
	const addInterfaces = (node: string, level: number, before: number, size: number) => {
		for (const [at, i] of realInterfaces(lab, node).entries()) {
			const peer = peerOf(lab, i.id);
			const to = peer ? ` to ${labelOf(lab, peer.node)}:${peer.name}` : ` ${i.kind}`;
			items.push({
				id: i.id,
				kind: 'interface',
				name: i.name,
				detail: `${i.addresses.join(' ')}${to}${i.up ? '' : ', down'}`.trim(),
				level,
				position: before + at + 1,
				size,
				parent: node,
			});
		}
	};
	const machines = nodesInOrder(lab).filter((n) => !n.in);
	for (const [at, m] of machines.entries()) {
		items.push({
			id: m.id,
			kind: 'machine',
			name: m.name,
			detail: 'machine',
			level: 1,
			position: at + 1,
			size: machines.length,
		});
		const children = childrenOf(lab, m.id);
		const size = children.length + realInterfaces(lab, m.id).length;
		addInterfaces(m.id, 2, 0, size);
		const before = size - children.length;
		for (const [childAt, n] of children.entries()) {
			items.push({
				id: n.id,
				kind: 'namespace',
				name: n.name,
				detail: n.held ? `namespace held by ${n.held}` : 'namespace',
				level: 2,
				position: before + childAt + 1,
				size,
				parent: m.id,
			});
			addInterfaces(n.id, 3, 0, realInterfaces(lab, n.id).length);
		}
	}
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

export function realInterfaces(lab: Lab, node: string) {
	return interfacesOf(lab, node).filter((i) => i.kind !== 'loopback');
}

/** "red, namespace in host, 2 of 4, 1 interface up, 192.168.15.1/24" */
export function spoken(lab: Lab, id: string, links: Record<string, Link>, running: boolean): string {
	const n = lab.nodes[id];
	if (n) {
		const siblings = n.in ? childrenOf(lab, n.in) : nodesInOrder(lab).filter((o) => !o.in);
		const position = siblings.findIndex((s) => s.id === id) + 1;
		const own = realInterfaces(lab, id);
		const up = own.filter((i) => linkState(i, links[i.id], running) === 'up').length;
		const parts = [
			n.name,
			n.in ? `namespace in ${lab.nodes[n.in]?.name ?? '?'}` : 'machine',
			`${position} of ${siblings.length}`,
			own.length === 0 ? 'no cable' : `${up} of ${own.length} ${own.length === 1 ? 'interface' : 'interfaces'} up`,
			...own.flatMap((i) => i.addresses),
		];
		return parts.join(', ');
	}
	const i = lab.interfaces[id];
	if (i) {
		const peer = peerOf(lab, id);
		return [
			`${i.name} of ${labelOf(lab, i.node)}`,
			linkState(i, links[id], running),
			...i.addresses,
			...(peer ? [`to ${peer.name} of ${labelOf(lab, peer.node)}`] : [i.kind]),
		].join(', ');
	}
	const c = lab.cables[id];
	if (c) {
		const [a, b] = c.ends.map((end) => lab.interfaces[end]);
		return `cable ${a ? `${labelOf(lab, a.node)}:${a.name}` : '?'} to ${b ? `${labelOf(lab, b.node)}:${b.name}` : '?'}`;
	}
	return '';
}
