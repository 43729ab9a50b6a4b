// A port of the rules of labengine/edit.go: what an op would make of the lab. The page draws it as pending, and refuses
// what the engine would refuse before anything is sent. MACs are left to the engine, which derives them.
import type {
	AddAddress,
	AddCable,
	AddInterface,
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
import {
	addNeighbour,
	addRoute,
	addService,
	deleteNeighbour,
	deleteRoute,
	deleteService,
	goneNode,
	setSysctl,
} from './edittables';
import { canonicalImpairment } from './impair';
import { kinds } from './kinds';
import { hasMAC, interfaceNamed, labelOf, loopbackID, nodeNamed, switchID, switchName } from './lab';
import {
	byteLength,
	canonicalAddress,
	canonicalMAC,
	checkAlias,
	checkInterfaceName,
	checkMTU,
	checkNodeName,
	cut,
	maxInterfaceName,
	parseIP,
} from './names';
import { canonicalOptions, mayHaveParent, needsParent, optionsOf, parseOptions, writeOptions } from './options';
import { dropDangling } from './patch';
import { about, Refused, refuse } from './problem';
import { dropRoutes, renameInRoutes, withRoutes } from './route';
import { canonicalSwitchPort } from './switchport';
import { isBridge } from './things';
import { bridgeOf, canonicalVLANs } from './vlans';

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
	dropRoutes(lab, after);
	return after;
}

function applyEdit(lab: Lab, e: Edit): void {
	const set = Object.values(e).filter((v) => v !== undefined).length;
	if (set !== 1) refuse('bad-request', `an edit does exactly one thing; this one does ${set}`);
	if (e.addNode) addNode(lab, e.addNode);
	if (e.addCable) addCable(lab, e.addCable);
	if (e.addInterface) addInterface(lab, e.addInterface);
	if (e.addRoute) addRoute(lab, e.addRoute);
	if (e.deleteRoute) deleteRoute(lab, e.deleteRoute);
	if (e.addNeighbour) addNeighbour(lab, e.addNeighbour);
	if (e.deleteNeighbour) deleteNeighbour(lab, e.deleteNeighbour);
	if (e.setSysctl) setSysctl(lab, e.setSysctl);
	if (e.addService) addService(lab, e.addService);
	if (e.deleteService) deleteService(lab, e.deleteService);
	// What a firewall becomes by `e.iptables` is left to the engine, which knows iptables(8).
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
	const kind = Object.hasOwn(kinds, e.kind) ? kinds[e.kind] : undefined;
	if (!kind) {
		refuse('bad-request', `there is no kind of node ${JSON.stringify(e.kind ?? '')}`, {
			on: e.id,
			field: 'kind',
			hint: 'the kinds are machine, namespace, container, lan and internet',
		});
		return;
	}
	if (kind?.inMachine) checkIsMachine(lab, e.in ?? '', e.kind);
	else if (e.in) {
		refuse('bad-request', `${e.kind} \`${e.name}\` cannot be inside another node`, { on: e.id, field: 'in' });
	}
	const order = 1 + Math.max(0, ...Object.values(lab.nodes).map((n) => n.order));
	let node: Node = { id: e.id, name: e.name, kind: e.kind, order, ...(e.in ? { in: e.in } : {}) };
	if (e.command) node = withCommand(node, e.command);
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
	if (e.kind === 'lan') {
		const id = switchID(e.id);
		lab.interfaces[id] = { id, node: e.id, name: switchName, kind: 'bridge', up: true, mtu: 1500, addresses: [] };
	}
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
		const master = end.master || (lab.nodes[end.node]?.kind === 'lan' ? switchID(end.node) : '');
		const i: Interface = {
			id: end.id,
			node: end.node,
			name: end.name,
			kind: 'veth',
			up: !end.down,
			mtu,
			addresses: [],
		};
		addChecked(lab, withMaster(i, master), end);
	}
	const order = 1 + Math.max(0, ...Object.values(lab.cables).map((c) => c.order));
	lab.cables[e.id] = { id: e.id, ends: [e.a.id, e.b.id], order };
}

interface Given {
	mac?: string;
	addresses?: string[];
	vlans?: string;
	alias?: string;
	impair?: string;
	port?: string;
}

/** Adds an interface after a look at its name, MAC, addresses and master. */
function addChecked(lab: Lab, made: Interface, given: Given): void {
	checkIfaceName(lab, made);
	let i = made;
	if (given.mac) i = withMAC(i, given.mac);
	checkMaster(lab, i);
	i = withVLANs(lab, i, given.vlans ?? '');
	i = withAlias(i, given.alias ?? '');
	i = withPort(lab, i, given.port ?? '');
	i = withImpair(i, given.impair ?? '');
	for (const a of given.addresses ?? []) i = withAddress(lab, i, a);
	lab.interfaces[i.id] = i;
}

function withMAC(i: Interface, mac: string): Interface {
	if (!hasMAC(i)) {
		refuse('bad-request', `\`${i.name}\` carries packets without frames: it has no MAC`, {
			on: i.id,
			field: 'mac',
			hint: 'make it with mode tap',
		});
	}
	return { ...i, mac: about(i.id, () => canonicalMAC(mac)) };
}

function withMaster(i: Interface, master: string): Interface {
	const { master: _, ...rest } = i;
	return master ? { ...rest, master } : rest;
}

function withImpair(i: Interface, text: string): Interface {
	const impair = about(i.id, () => canonicalImpairment(text));
	const { impair: _, ...rest } = i;
	return impair ? { ...rest, impair } : rest;
}

function withVLANs(lab: Lab, i: Interface, text: string): Interface {
	const vlans = about(i.id, () => canonicalVLANs(text));
	if (vlans && !bridgeOf(lab, i)) {
		refuse('bad-request', `\`${i.name}\` is no port of a bridge: only those, and bridges, are in VLANs like these`, {
			on: i.id,
			field: 'vlans',
			hint: 'make it a port first, or put an interface of kind vlan on it',
		});
	}
	const { vlans: _, ...rest } = i;
	return vlans ? { ...rest, vlans } : rest;
}

function withAlias(i: Interface, alias: string): Interface {
	about(i.id, () => checkAlias(alias));
	const { alias: _, ...rest } = i;
	return alias ? { ...rest, alias } : rest;
}

/** What a port of an OVS bridge does with VLANs. What is no such port has nothing of the kind. */
function withPort(lab: Lab, i: Interface, text: string): Interface {
	const port = about(i.id, () => canonicalSwitchPort(text));
	if (port && lab.interfaces[i.master ?? '']?.kind !== 'ovs') {
		const message = `\`${i.name}\` is no port of an OVS bridge: it has no tag and no trunks`;
		refuse('bad-request', message, { on: i.id, field: 'port' });
	}
	const { port: _, ...rest } = i;
	return port ? { ...rest, port } : rest;
}

/** Refuses an OVS bridge anywhere but in a machine, whose processes are its datapath. */
function checkSwitchPlace(lab: Lab, i: Pick<Interface, 'id' | 'node' | 'kind'>): void {
	const n = lab.nodes[i.node];
	if (i.kind !== 'ovs' || !n || n.kind === 'machine') return;
	const where = labelOf(lab, n.id);
	refuse('bad-request', `${where} is a ${n.kind}; an OVS bridge is in a machine, where Open vSwitch runs`, {
		on: i.id,
		field: 'node',
		hint: `put it into the machine, and join ${n.name} to it with a cable`,
	});
}

function withOptions(i: Interface, options: string): Interface {
	const { options: _, ...rest } = i;
	return options ? { ...rest, options } : rest;
}

/** Refuses a master that cannot be one. */
function checkMaster(lab: Lab, i: Interface): void {
	if (!i.master) return;
	const on = { on: i.id, field: 'master' };
	const bridge =
		lab.interfaces[i.master] ??
		refuse('no-such-interface', `the bridge that \`${i.name}\` is to be a port of is gone`, on);
	if (!isBridge(bridge.kind)) {
		refuse('bad-request', `\`${bridge.name}\` is a ${bridge.kind}; only a bridge has ports`, on);
	}
	if (isBridge(i.kind)) {
		refuse('bad-request', `\`${i.name}\` is a bridge; the kernel has no bridge in a bridge (ELOOP)`, {
			...on,
			hint: 'join the two with a cable',
		});
	}
	if (i.kind === 'loopback') refuse('bad-request', 'lo cannot be a port of a bridge', on);
	if (!hasMAC(i)) {
		refuse('bad-request', `\`${i.name}\` carries packets without frames: the kernel makes it no port (EINVAL)`, {
			...on,
			hint: 'make it with mode tap',
		});
	}
	if (bridge.node === i.node) return;
	const [here, there] = [labelOf(lab, i.node), labelOf(lab, bridge.node)];
	const where = `\`${i.name}\` is in ${here}, and \`${bridge.name}\` in ${there}`;
	refuse('bad-request', `${where}; a port is where its bridge is`, on);
}

/** Refuses to put an interface into an internet that is no cable's. */
function onlyCables(internet: Node, on: string): never {
	const why = 'there is no shell in it to make anything else';
	return refuse('bad-request', `only cables are plugged into ${internet.name}: ${why}`, { on, field: 'node' });
}

function addInterface(lab: Lab, e: AddInterface): void {
	checkNewID(lab, e.id);
	const n = lab.nodes[e.node] ?? goneNode(e.node);
	if (n.kind === 'internet') onlyCables(n, e.id);
	if (!optionsOf(e.kind)) {
		refuse('bad-request', `interfaces of kind ${JSON.stringify(e.kind)} are not made here`, {
			on: e.id,
			field: 'kind',
			hint: 'the kinds are bridge, ovs, dummy, tun, vlan, vxlan and macvlan',
		});
	}
	const options = about(e.id, () => canonicalOptions(e.kind, e.options ?? ''));
	checkSwitchPlace(lab, e);
	const parent = e.parent ? lab.interfaces[e.parent] : undefined;
	const on = { on: e.id, field: 'parent' };
	const group = e.kind === 'vxlan' ? parseOptions(e.kind, options).remote : undefined;
	if (group && !e.parent && isGroup(group)) {
		refuse('bad-request', `\`${e.name}\` sends to a group, ${group}, and says not out of which interface`, {
			...on,
			hint: 'say the interface below it, or the address of one machine',
		});
	}
	if (!e.parent && needsParent(e.kind)) {
		refuse('bad-request', `a ${e.kind} is made on top of an interface; \`${e.name}\` names none`, on);
	}
	if (e.parent && !mayHaveParent(e.kind)) refuse('bad-request', `a ${e.kind} is on top of no other interface`, on);
	if (e.parent === e.id) refuse('bad-request', `\`${e.name}\` cannot be on top of itself`, on);
	if (e.parent && !parent) refuse('no-such-interface', `the interface below \`${e.name}\` is gone`, { on: e.parent });
	if (parent?.kind === 'loopback') refuse('bad-request', `the kernel makes no ${e.kind} on lo`, on);
	let mtu = e.mtu ?? 0;
	if (mtu === 0) mtu = parent ? parent.mtu - (e.kind === 'vxlan' ? vxlanHeadroom : 0) : 1500;
	else about(e.id, () => checkMTU(mtu));
	const i: Interface = { id: e.id, node: e.node, name: e.name, kind: e.kind, up: !e.down, mtu, addresses: [] };
	if (e.parent) i.parent = e.parent;
	addChecked(lab, withMaster(withOptions(i, options), e.master ?? ''), e);
	if (e.place) lab.places[e.id] = e.place;
}

/** A multicast address: 224.0.0.0/4 or ff00::/8. */
function isGroup(address: string): boolean {
	const [first = 0, ...rest] = parseIP(address) ?? [];
	return rest.length > 3 ? first === 0xff : first >> 4 === 0xe;
}

const vxlanHeadroom = 50; // bytes; VXLAN_HEADROOM in include/net/vxlan.h

function updateNode(lab: Lab, e: UpdateNode): void {
	const n = lab.nodes[e.id] ?? goneNode(e.id);
	let next: Node = { ...n, name: e.name ?? n.name };
	if (e.in !== undefined) {
		if (!kinds[n.kind].inMachine) {
			refuse('bad-request', `\`${n.name}\` is a ${n.kind}; only namespaces and containers are in a machine`, {
				on: n.id,
				field: 'in',
			});
		}
		checkIsMachine(lab, e.in, n.kind);
		next.in = e.in;
	}
	if (e.command !== undefined) next = withCommand(next, e.command);
	checkName(lab, next);
	lab.nodes[e.id] = next;
}

const maxCommand = 2000; // bytes

/** Gives a container what its init starts. */
function withCommand(n: Node, text: string): Node {
	const line = text.trim();
	const on = { on: n.id, field: 'command' };
	if (line !== '' && n.kind !== 'container') {
		refuse('bad-request', `\`${n.name}\` is a ${n.kind}; only a container has a command`, on);
	}
	if (byteLength(line) > maxCommand) {
		refuse('bad-value', `the command has ${byteLength(line)} bytes; up to ${maxCommand} are taken`, {
			...on,
			hint: 'put it into a script',
		});
	}
	if ([...line].some((c) => (c < ' ' && c !== '\t') || c === '\u007f' || c === '\ufffd')) {
		refuse('bad-value', 'a command is one line', { ...on, hint: 'separate commands by a semicolon' });
	}
	const { command: _, ...rest } = n;
	return line ? { ...rest, command: line } : rest;
}

function updateInterface(lab: Lab, e: UpdateInterface): void {
	const i = interfaceToEdit(lab, e.id);
	const named = e.name !== undefined || e.node !== undefined;
	if (e.id === switchID(i.node) && named) {
		refuse('bad-request', 'this bridge is the LAN itself: it keeps its name and place', { on: i.id, field: 'name' });
	}
	const renamed = e.name !== undefined && e.name !== i.name;
	const moved = e.node !== undefined && e.node !== i.node;
	if (i.kind === 'loopback' && (renamed || moved || e.mac !== undefined)) {
		refuse('bad-request', "the kernel keeps lo's name, place and address", { on: i.id, field: 'name' });
	}
	const to = e.node === undefined ? undefined : (lab.nodes[e.node] ?? goneNode(e.node));
	if (to?.kind === 'internet' && i.kind !== 'veth') onlyCables(to, i.id);
	let next: Interface = { ...i, node: e.node ?? i.node, name: e.name ?? i.name, up: e.up ?? i.up };
	if (moved) {
		// The kernel takes a port out of its bridge when it moves, and what delays it away.
		checkSwitchPlace(lab, next);
		if (next.kind !== 'bridge') next = withVLANs(lab, next, '');
		const toSwitch = lab.nodes[next.node]?.kind === 'lan' && hasMAC(next) && !isBridge(next.kind);
		next = withMaster(withImpair(next, ''), toSwitch ? switchID(next.node) : '');
		if (toSwitch) next = { ...next, addresses: next.addresses.filter((a) => !isIPv6(a)) };
	}
	if (e.master !== undefined) {
		if ((next.master ?? '') !== e.master) next = withVLANs(lab, next, ''); // another bridge knows nothing of them
		next = withMaster(next, e.master);
		checkMaster(lab, { ...next, name: i.name });
	}
	if (e.vlans !== undefined) next = withVLANs(lab, next, e.vlans);
	if (e.alias !== undefined) next = withAlias(next, e.alias);
	const isPort = lab.interfaces[next.master ?? '']?.kind === 'ovs';
	next = withPort(lab, next, e.port ?? (isPort ? (i.port ?? '') : ''));
	if (e.impair !== undefined) next = withImpair(next, e.impair);
	if (e.options !== undefined) next = withOptions(next, changedOptions(i, e.options));
	if (e.name !== undefined && !moved) {
		const n = lab.nodes[i.node];
		if (n?.routes) lab.nodes[n.id] = withRoutes(n, renameInRoutes(n.routes, i.name, e.name));
	}
	if (named) checkIfaceName(lab, next);
	if (e.mtu !== undefined) {
		if (!(i.kind === 'loopback' && e.mtu === 65536)) about(e.id, () => checkMTU(e.mtu ?? 0));
		next.mtu = e.mtu;
	}
	if (e.mac !== undefined) next = withMAC(next, e.mac);
	lab.interfaces[e.id] = next;
	if (named) dropDangling(lab); // a bridge that moves leaves its ports behind
}

/** Checks options for an interface that is there. */
function changedOptions(i: Interface, text: string): string {
	const options = about(i.id, () => parseOptions(i.kind, text));
	let have: Record<string, string> = {};
	try {
		have = parseOptions(i.kind, i.options ?? '');
	} catch (err) {
		if (!(err instanceof Refused)) throw err;
	}
	const fixed = (optionsOf(i.kind) ?? []).find((o) => o.fixed && options[o.name] !== have[o.name]);
	if (fixed) {
		refuse('bad-value', `the kernel does not change \`${fixed.name}\` of a ${i.kind} that is there`, {
			on: i.id,
			field: 'options',
			hint: 'delete it and make it anew',
		});
	}
	return writeOptions(i.kind, options);
}

function addAddress(lab: Lab, e: AddAddress): void {
	const i = interfaceToEdit(lab, e.interface);
	lab.interfaces[i.id] = withAddress(lab, i, e.address);
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
	if (!lab.nodes[e.id] && !isBridge(lab.interfaces[e.id]?.kind ?? '')) goneNode(e.id);
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
		if (id === switchID(i.node)) {
			refuse('bad-request', 'this bridge is the LAN itself', { on: id, hint: 'delete the LAN' });
		}
		delete lab.interfaces[id];
	}
	dropDangling(lab);
}

const isIPv6 = (address: string) => address.includes(':');

function withAddress(lab: Lab, i: Interface, text: string): Interface {
	const address = about(i.id, () => canonicalAddress(text));
	const lan = lab.nodes[i.node];
	if (lan?.kind === 'lan' && isIPv6(address)) {
		refuse('bad-request', `${lan.name} is a switch: its ports have no address of IPv6`, {
			on: i.id,
			field: 'address',
			hint: 'give it to the other end of the cable',
		});
	}
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

/** Refuses a place for a node of the kind that is no machine. */
function checkIsMachine(lab: Lab, id: string, kind: string): void {
	if (id === '') {
		refuse('bad-request', `a ${kind} is in a machine; this one names none`, { hint: "drop it into a machine's box" });
	}
	const n = lab.nodes[id] ?? goneNode(id);
	if (n.kind !== 'machine') {
		refuse('bad-request', `\`${n.name}\` is a ${n.kind}; a ${kind} is in a machine`, { on: id, field: 'in' });
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
	if (lab.nodes[i.node]?.kind === 'internet' && i.name === uplinkName) {
		const why = 'is what leads from here into the world; nothing else is called so';
		refuse('bad-name', `\`${i.name}\` ${why}`, { on: i.id, field: 'name' });
	}
	const other = interfaceNamed(lab, i.node, i.name);
	if (!other || other.id === i.id) return;
	refuse('exists', `${labelOf(lab, i.node)} already has an interface \`${i.name}\``, {
		on: i.id,
		field: 'name',
		hint: `\`${freeInterfaceName(lab, i.node, i.name)}\` is free`,
	});
}

const uplinkName = 'uplink';

/** veth-red2, veth-red3 …, cut to what the kernel allows. */
function freeInterfaceName(lab: Lab, node: string, name: string): string {
	for (let count = 2; ; count++) {
		const next = cut(name, maxInterfaceName - String(count).length) + count;
		if (!interfaceNamed(lab, node, next)) return next;
	}
}
