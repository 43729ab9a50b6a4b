// A port of the rules of labengine/edit.go: what an op would make of the lab. The page draws it as pending, and refuses
// what the engine would refuse before anything is sent. MACs are left to the engine, which derives them.
import type {
	AddAddress,
	AddCable,
	AddNode,
	DeleteAddress,
	Edit,
	Interface,
	Lab,
	Node,
	PlaceNode,
	UpdateInterface,
	UpdateLab,
	UpdateNode,
} from '../wire/types.gen';
import { interfaceNamed, labelOf, loopbackID, nodeNamed } from './lab';
import {
	byteLength,
	canonicalAddress,
	canonicalMAC,
	checkInterfaceName,
	checkMTU,
	checkNodeName,
	cut,
	maxInterfaceName,
} from './names';
import { dropDangling } from './patch';
import { Refused, refuse } from './problem';

/** The lab after all the edits, or a refusal that says which of them is not possible; `lab` stays as it is. */
export function applyEdits(lab: Lab, edits: readonly Edit[]): Lab {
	if (edits.length === 0) refuse('bad-request', 'the op has no edits');
	const after: Lab = {
		...lab,
		nodes: { ...lab.nodes },
		interfaces: { ...lab.interfaces },
		cables: { ...lab.cables },
		places: { ...lab.places },
	};
	for (const e of edits) applyEdit(after, e);
	return after;
}

function applyEdit(lab: Lab, e: Edit): void {
	const set = Object.values(e).filter((v) => v !== undefined).length;
	if (set !== 1) refuse('bad-request', `an edit does exactly one thing; this one does ${set}`);
	if (e.addNode) addNode(lab, e.addNode);
	if (e.addCable) addCable(lab, e.addCable);
	if (e.updateNode) updateNode(lab, e.updateNode);
	if (e.updateInterface) updateInterface(lab, e.updateInterface);
	if (e.addAddress) addAddress(lab, e.addAddress);
	if (e.deleteAddress) deleteAddress(lab, e.deleteAddress);
	if (e.delete) remove(lab, e.delete.id);
	if (e.place) place(lab, e.place);
	if (e.updateLab) updateLab(lab, e.updateLab);
}

function addNode(lab: Lab, e: AddNode): void {
	checkNewID(lab, e.id);
	switch (e.kind) {
		case 'machine':
			if (!e.in) break;
			refuse('bad-request', `machine \`${e.name}\` cannot be inside another node`, { on: e.id, field: 'in' });
			break;
		case 'namespace':
			checkIsMachine(lab, e.in ?? '');
			break;
		default:
			refuse('bad-request', `there is no kind of node ${JSON.stringify(e.kind ?? '')}`, {
				on: e.id,
				field: 'kind',
				hint: 'the kinds are machine and namespace',
			});
	}
	const order = 1 + Math.max(0, ...Object.values(lab.nodes).map((n) => n.order));
	const node: Node = { id: e.id, name: e.name, kind: e.kind, order, ...(e.in ? { in: e.in } : {}) };
	checkName(lab, node);
	lab.nodes[e.id] = node;
	const lo = loopbackID(e.id);
	lab.interfaces[lo] = {
		id: lo,
		node: e.id,
		name: 'lo',
		kind: 'loopback',
		up: e.kind === 'machine',
		mtu: 65536,
		addresses: [],
	};
	if (e.place) lab.places[e.id] = e.place;
}

function addCable(lab: Lab, e: AddCable): void {
	checkNewID(lab, e.id);
	const mtu = e.mtu || 1500;
	about(e.id, () => checkMTU(mtu));
	for (const end of [e.a, e.b]) {
		checkNewID(lab, end.id);
		if (!lab.nodes[end.node]) {
			refuse('no-such-node', "the node that this cable's end is for is gone", { on: end.node, field: 'node' });
		}
		let i: Interface = { id: end.id, node: end.node, name: end.name, kind: 'veth', up: !end.down, mtu, addresses: [] };
		checkIfaceName(lab, i);
		if (end.mac) i = { ...i, mac: about(end.id, () => canonicalMAC(end.mac ?? '')) };
		for (const a of end.addresses ?? []) i = withAddress(i, a);
		lab.interfaces[end.id] = i;
	}
	const order = 1 + Math.max(0, ...Object.values(lab.cables).map((c) => c.order));
	lab.cables[e.id] = { id: e.id, ends: [e.a.id, e.b.id], order };
}

function updateNode(lab: Lab, e: UpdateNode): void {
	const n = lab.nodes[e.id] ?? goneNode(e.id);
	const next: Node = { ...n, name: e.name ?? n.name };
	if (e.in !== undefined) {
		if (n.kind !== 'namespace') {
			refuse('bad-request', `\`${n.name}\` is a machine; only namespaces are in one`, { on: n.id, field: 'in' });
		}
		checkIsMachine(lab, e.in);
		next.in = e.in;
	}
	checkName(lab, next);
	lab.nodes[e.id] = next;
}

function updateInterface(lab: Lab, e: UpdateInterface): void {
	const i = interfaceToEdit(lab, e.id);
	const renamed = e.name !== undefined && e.name !== i.name;
	const moved = e.node !== undefined && e.node !== i.node;
	if (i.kind === 'loopback' && (renamed || moved || e.mac !== undefined)) {
		refuse('bad-request', "the kernel keeps lo's name, place and address", { on: i.id, field: 'name' });
	}
	if (e.node !== undefined && !lab.nodes[e.node]) goneNode(e.node);
	const next: Interface = { ...i, node: e.node ?? i.node, name: e.name ?? i.name, up: e.up ?? i.up };
	if (e.name !== undefined || e.node !== undefined) checkIfaceName(lab, next);
	if (e.mtu !== undefined) {
		if (!(i.kind === 'loopback' && e.mtu === 65536)) about(e.id, () => checkMTU(e.mtu ?? 0));
		next.mtu = e.mtu;
	}
	if (e.mac !== undefined) next.mac = about(e.id, () => canonicalMAC(e.mac ?? ''));
	lab.interfaces[e.id] = next;
}

function addAddress(lab: Lab, e: AddAddress): void {
	const i = interfaceToEdit(lab, e.interface);
	lab.interfaces[i.id] = withAddress(i, e.address);
}

function deleteAddress(lab: Lab, e: DeleteAddress): void {
	const i = interfaceToEdit(lab, e.interface);
	const address = about(i.id, () => canonicalAddress(e.address));
	if (!i.addresses.includes(address)) {
		refuse('gone', `${i.name} does not have ${address}`, { on: i.id, field: 'address' });
	}
	lab.interfaces[i.id] = { ...i, addresses: i.addresses.filter((a) => a !== address) };
}

function place(lab: Lab, e: PlaceNode): void {
	if (!lab.nodes[e.id]) goneNode(e.id);
	lab.places[e.id] = { x: e.x, y: e.y };
}

function updateLab(lab: Lab, e: UpdateLab): void {
	const name = e.name?.trim();
	if (name !== undefined && (name === '' || byteLength(name) > 200 || /[\n\r\0]/.test(name))) {
		refuse('bad-name', "a lab's name is one line of 1 to 200 bytes", { field: 'name' });
	}
	lab.name = name ?? lab.name;
	if (e.quiet !== undefined) lab.quiet = e.quiet;
}

function remove(lab: Lab, id: string): void {
	const cable = lab.cables[id];
	if (lab.nodes[id]) delete lab.nodes[id];
	else if (cable) delete lab.interfaces[cable.ends[0]];
	else {
		const i = lab.interfaces[id] ?? refuse('gone', 'what this would delete is gone already', { on: id });
		if (i.kind === 'loopback') refuse('bad-request', 'the kernel does not let go of lo', { on: id });
		delete lab.interfaces[id];
	}
	dropDangling(lab);
}

function withAddress(i: Interface, text: string): Interface {
	const address = about(i.id, () => canonicalAddress(text));
	if (i.addresses.includes(address)) {
		refuse('exists', `${i.name} has ${address} already`, { on: i.id, field: 'address' });
	}
	return { ...i, addresses: [...i.addresses, address] };
}

function interfaceToEdit(lab: Lab, id: string): Interface {
	return lab.interfaces[id] ?? refuse('no-such-interface', 'this interface is gone', { on: id });
}

function checkNewID(lab: Lab, id: string): void {
	if (id === '' || byteLength(id) > 120 || [...id].some((c) => c <= ' ' || c === '\u007f')) {
		refuse('bad-request', `${JSON.stringify(id)} cannot be an id: 1 to 120 characters without spaces`);
	}
	if (lab.nodes[id] || lab.interfaces[id] || lab.cables[id]) {
		refuse('exists', `the lab has something with id ${id} already`, { on: id, field: 'id' });
	}
}

function checkIsMachine(lab: Lab, id: string): void {
	if (id === '') {
		refuse('bad-request', 'a namespace is in a machine; this one names none', { hint: "drop it into a machine's box" });
	}
	const n = lab.nodes[id] ?? goneNode(id);
	if (n.kind !== 'machine') {
		refuse('bad-request', `\`${n.name}\` is a ${n.kind}; a namespace is in a machine`, { on: id, field: 'in' });
	}
}

function checkName(lab: Lab, n: Node): void {
	about(n.id, () => checkNodeName(n.kind, n.name));
	const other = Object.values(lab.nodes).find(
		(o) => (o.in ?? '') === (n.in ?? '') && o.name === n.name && o.id !== n.id,
	);
	if (!other) return;
	const where = n.in ? (lab.nodes[n.in]?.name ?? 'it') : 'the lab';
	refuse('exists', `${where} already has a ${other.kind} \`${n.name}\``, {
		on: n.id,
		field: 'name',
		hint: `\`${freeNodeName(lab, n.in ?? '', n.name)}\` is free`,
	});
}

/** red, or red-2, red-3 … where that is taken. */
export function freeNodeName(lab: Lab, within: string, name: string): string {
	if (!nodeNamed(lab, within, name)) return name;
	for (let count = 2; ; count++) {
		const next = `${name}-${count}`;
		if (!nodeNamed(lab, within, next)) return next;
	}
}

function checkIfaceName(lab: Lab, i: Interface): void {
	about(i.id, () => checkInterfaceName(i.name));
	const other = interfaceNamed(lab, i.node, i.name);
	if (!other || other.id === i.id) return;
	refuse('exists', `${labelOf(lab, i.node)} already has an interface \`${i.name}\``, {
		on: i.id,
		field: 'name',
		hint: `\`${freeInterfaceName(lab, i.node, i.name)}\` is free`,
	});
}

/** veth-red2, veth-red3 …, cut to what the kernel allows. */
function freeInterfaceName(lab: Lab, node: string, name: string): string {
	for (let count = 2; ; count++) {
		const next = cut(name, maxInterfaceName - String(count).length) + count;
		if (!interfaceNamed(lab, node, next)) return next;
	}
}

function goneNode(id: string): never {
	refuse('no-such-node', 'this node is gone', { on: id });
}

/** Says which object a refusal of a value is about. */
function about<T>(on: string, check: () => T): T {
	try {
		return check();
	} catch (err) {
		if (err instanceof Refused && !err.problem.on) throw new Refused({ ...err.problem, on });
		throw err;
	}
}
