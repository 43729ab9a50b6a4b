// What the page proposes so that a gesture is enough: names and addresses for a new cable, and what new things are called.
import type { AddCable, End, Interface, Lab, UpdateInterface } from '../wire/types.gen';
import { freeNodeName } from './edit';
import { interfaceNamed, interfacesOf, labelOf, newID, nodeNamed, nodesInOrder, peerOf, switchID } from './lab';
import { canonicalAddress, cut, formatIP, hostOf, isInNetworkOf, maxInterfaceName, parseIP } from './names';
import { hopLink, readRoute, waysOf } from './route';
import { holderOf, isBar, isBridge, machineAround, shapes, type Thing, thingOf } from './things';

/** Whether a cable can join two boxes; the reason, in words for the pointer, if not. */
export function canConnect(lab: Lab, from: string, to: string): { ok: true } | { ok: false; reason: string } {
	const [a, b] = [thingOf(lab, from), thingOf(lab, to)];
	if (!a || !b) return { ok: false, reason: 'it is gone' };
	if (from === to) return { ok: false, reason: `both ends would be in ${a.name}` };
	return { ok: true };
}

/** A name for the end of a cable at one box, whose other end is at another. */
export function suggestName(lab: Lab, at: string, peer: string): string {
	const [own, other] = [thingOf(lab, at), thingOf(lab, peer)];
	if (!own || !other) return 'eth0';
	const free = (name: string) => !interfaceNamed(lab, own.node, name);
	const counted = countedName(lab, own, other);
	if (counted) for (let n = counted.from; ; n++) if (free(`${counted.stem}${n}`)) return `${counted.stem}${n}`;
	const end = isBridge(own.shape) ? '-br' : own.shape === 'machine' ? '-h' : '';
	const stem = clean(end ? other.name : own.name);
	for (let count = 1; ; count++) {
		const tail = (count > 1 ? String(count) : '') + end;
		const name = `veth-${cut(stem, maxInterfaceName - 5 - tail.length)}${tail}`;
		if (free(name)) return name;
	}
}

/** Ends that are called like a port or a network card, and counted: where machines meet, and in containers. */
function countedName(lab: Lab, own: Thing, other: Thing): { stem: string; from: number } | undefined {
	if (own.shape === 'lan') return { stem: 'port', from: 1 };
	const [here, there] = [machineAround(lab, own.id), machineAround(lab, other.id)];
	const meets = here !== there && !runsIn(own) && !runsIn(other);
	return meets || own.shape === 'container' || own.shape === 'internet' ? { stem: 'eth', from: 0 } : undefined;
}

const runsIn = (t: Thing) => t.shape === 'namespace' || t.shape === 'container';

/** Without what the kernel refuses in the name of an interface but allows in that of a namespace. */
function clean(name: string): string {
	return name.replace(/[^A-Za-z0-9._-]/g, '') || 'ns';
}

interface IPv4 {
	host: number;
	length: number;
}

/** Every IPv4 address of the lab as a number, with its prefix length. */
function addressesInUse(lab: Lab): IPv4[] {
	return Object.values(lab.interfaces).flatMap((i) => i.addresses.map(toNumber).filter((a) => a !== undefined));
}

export function toNumber(cidr: string): IPv4 | undefined {
	const [host = '', length = '32'] = cidr.split('/');
	const bytes = parseIP(host);
	if (bytes?.length !== 4) return undefined;
	return { host: bytes.reduce((n, b) => n * 256 + b, 0), length: Number(length) };
}

function toText(host: number, length: number): string {
	return `${formatIP([host >>> 24, (host >>> 16) & 255, (host >>> 8) & 255, host & 255])}/${length}`;
}

function networkOf(host: number, length: number): number {
	const size = 2 ** (32 - length);
	return Math.floor(host / size) * size;
}

function overlaps(a: IPv4, b: IPv4): boolean {
	const length = Math.min(a.length, b.length);
	return networkOf(a.host, length) === networkOf(b.host, length);
}

/** The first of 192.168.15.0/24, 192.168.16.0/24, … that nothing in the lab is in; offices begin at 192.168.1.0/24. */
function freeSubnet(lab: Lab, first: number): IPv4 | undefined {
	const used = addressesInUse(lab);
	for (let third = first; third < 256; third++) {
		const subnet = { host: ((192 * 256 + 168) * 256 + third) * 256, length: 24 };
		if (!used.some((u) => overlaps(u, subnet))) return subnet;
	}
	return undefined;
}

/** Addresses for the two ends of a new cable that is a segment of its own. */
export function suggestAddresses(lab: Lab): [string, string] | undefined {
	const subnet = freeSubnet(lab, 15);
	return subnet && [toText(subnet.host + 1, 24), toText(subnet.host + 2, 24)];
}

/**
 * What a frame reaches that an interface sends, itself aside: the other end of its cable, and through a bridge or LAN
 * everything that is plugged into it.
 */
export function segmentOf(lab: Lab, iface: string): Interface[] {
	const found = new Map<string, Interface>();
	const queue = [iface];
	const go = (i: Interface | undefined) => {
		if (!i || i.id === iface || found.has(i.id)) return;
		found.set(i.id, i);
		queue.push(i.id);
	};
	for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
		const i = lab.interfaces[id];
		if (!i) continue;
		go(peerOf(lab, id));
		if (i.master) go(lab.interfaces[i.master]);
		if (isBridge(i.kind)) for (const port of interfacesOf(lab, i.node)) if (port.master === id) go(port);
	}
	return [...found.values()];
}

/** The subnet that a segment is in, as some address of it. */
function subnetOf(members: readonly Interface[]): IPv4 | undefined {
	return members.flatMap((i) => i.addresses.map(toNumber)).find((a) => a !== undefined && a.length <= 30);
}

function nextFree(lab: Lab, near: IPv4): string | undefined {
	const used = new Set(addressesInUse(lab).map((a) => a.host));
	const network = networkOf(near.host, near.length);
	for (let host = network + 1; host < network + 2 ** (32 - near.length) - 1; host++) {
		if (!used.has(host)) return toText(host, near.length);
	}
	return undefined;
}

/** The next free host address in the subnet of what an interface reaches; else one of a subnet of its own. */
export function suggestAddressFor(lab: Lab, iface: string): string | undefined {
	const near = subnetOf(segmentOf(lab, iface));
	return near ? nextFree(lab, near) : suggestAddresses(lab)?.[0];
}

/** The next free host address for what is plugged into a bridge or LAN. */
function addressOnBar(lab: Lab, bar: Thing): string | undefined {
	const bridge = bar.shape === 'lan' ? switchID(bar.id) : bar.id;
	const own = lab.interfaces[bridge];
	const near = subnetOf([...(own ? [own] : []), ...segmentOf(lab, bridge)]);
	const subnet = near ?? freeSubnet(lab, bar.shape === 'lan' ? 1 : 15);
	return subnet && nextFree(lab, subnet);
}

/** What is odd about an address, as a note: never a reason to refuse it. */
export function addressNote(lab: Lab, iface: string, text: string): string | undefined {
	let address: IPv4 | undefined;
	try {
		address = toNumber(canonicalAddress(text));
	} catch {
		return undefined;
	}
	if (!address) return undefined;
	for (const i of Object.values(lab.interfaces)) {
		if (i.id === iface || i.kind === 'loopback') continue;
		const same = i.addresses.map(toNumber).some((a) => a?.host === address.host);
		if (same) return `${lab.nodes[i.node]?.name ?? '?'}:${i.name} has this address too`;
	}
	const size = 2 ** (32 - address.length);
	const within = address.host - networkOf(address.host, address.length);
	if (address.length < 31 && within === 0) return 'this is the address of the network itself';
	if (address.length < 31 && within === size - 1) return "this is the network's broadcast address";
	const master = lab.interfaces[lab.interfaces[iface]?.master ?? ''];
	if (master) return `this is a port of ${master.name}: what it receives goes to the bridge, which has the address`;
	const others = segmentOf(lab, iface).flatMap((i) => i.addresses.map(toNumber).filter((a) => a !== undefined));
	if (others.length === 0 || others.some((a) => overlaps(a, address))) return undefined;
	return peerOf(lab, iface)?.master || isBridge(lab.interfaces[iface]?.kind ?? '')
		? 'what it reaches is in another subnet'
		: 'the other end is in another subnet';
}

/** A new cable between two boxes, with names and, unless `addresses` is off, addresses. */
export function suggestCable(lab: Lab, from: string, to: string, options: { addresses: boolean }): AddCable {
	const [a, b] = [thingOf(lab, from), thingOf(lab, to)];
	const [atA, atB] = options.addresses && a && b ? addressesFor(lab, a, b) : [];
	return { id: newID('c'), a: endAt(lab, from, to, atA), b: endAt(lab, to, from, atB) };
}

function endAt(lab: Lab, at: string, peer: string, address: string | undefined): End {
	const box = thingOf(lab, at);
	return {
		id: newID('i'),
		node: box?.node ?? at,
		name: suggestName(lab, at, peer),
		...(box && isBridge(box.shape) ? { master: box.id } : {}),
		...(address ? { addresses: [address] } : {}),
	};
}

/** A port has no address of its own: its bridge has. */
function addressesFor(lab: Lab, a: Thing, b: Thing): [string?, string?] {
	if (isBar(a.shape) && isBar(b.shape)) return [];
	if (isBar(b.shape)) return [addressOnBar(lab, b)];
	if (isBar(a.shape)) return [undefined, addressOnBar(lab, a)];
	return suggestAddresses(lab) ?? [];
}

/** host, neighbour, then machine-2 …; red, blue, … of namespaces; office, … of LANs. */
export function freeName(lab: Lab, shape: Thing['shape'], within: string): string {
	const { names, title } = shapes[shape];
	if (isBridge(shape)) {
		const free = (name: string) => !interfaceNamed(lab, within, name);
		for (let n = 0; ; n++) {
			const name = names[n] ?? `br${n}`;
			if (free(name)) return name;
		}
	}
	return (
		names.find((name) => !nodeNamed(lab, within, name)) ??
		freeNodeName(lab, within, shape === 'namespace' ? 'ns' : shape === 'lan' ? 'lan' : title)
	);
}

/** A cable's end plugged into another box: name, addresses and MAC stay unless the name is taken there. */
export function replugged(lab: Lab, end: string, to: string): UpdateInterface {
	const [i, box] = [lab.interfaces[end], thingOf(lab, to)];
	if (!i || !box) return { id: end };
	const moves = i.node !== box.node;
	const taken = moves && interfaceNamed(lab, box.node, i.name) !== undefined;
	const peer = peerOf(lab, end);
	return {
		id: end,
		...(moves ? { node: box.node } : {}),
		...(taken ? { name: suggestName(lab, to, peer ? holderOf(lab, peer) : to) } : {}),
		...(isBridge(box.shape) ? { master: box.id } : i.master && !moves ? { master: '' } : {}),
	};
}

/** Routes that a node could use: through each neighbour, the default and the lab's other subnets. Bridges come first. */
export function suggestRoutes(lab: Lab, node: string): string[] {
	const own = interfacesOf(lab, node).filter((i) => i.kind !== 'loopback');
	const subnets = new Set(
		Object.values(lab.interfaces)
			.flatMap((i) => (i.kind === 'loopback' ? [] : i.addresses.map(toNumber)))
			.flatMap((a) => (a && a.length <= 30 ? [toText(networkOf(a.host, a.length), a.length)] : [])),
	);
	const here = own.flatMap((i) => i.addresses.map(toNumber).filter((a) => a !== undefined));
	const gateways = own
		.flatMap((i) => segmentOf(lab, i.id))
		.sort((a, b) => Number(isBridge(b.kind)) - Number(isBridge(a.kind)))
		.flatMap((i) => i.addresses.flatMap((text) => (i.node === node ? [] : (toNumber(text) ?? []))))
		.filter((a) => here.some((h) => overlaps(h, a)))
		.map((a) => toText(a.host, 32).replace('/32', ''));
	const beyond = [...subnets].filter((s) => {
		const subnet = toNumber(s);
		return subnet && !here.some((h) => overlaps(h, subnet));
	});
	const offers = [...new Set(gateways)].flatMap((via) => ['default', ...beyond].map((to) => `${to} via ${via}`));
	const has = new Set(lab.nodes[node]?.routes);
	return offers.filter((o) => !has.has(o)).slice(0, 12);
}

/** Rules that a node could use: NAT on the way out of its bridges' networks and in to who is there, and what a FORWARD that drops needs. */
export function suggestRules(lab: Lab, node: string): string[] {
	const own = interfacesOf(lab, node);
	const offers: string[] = [];
	for (const b of own.filter((i) => i.kind === 'bridge')) {
		const subnet = b.addresses.map(toNumber).find((a) => a !== undefined);
		if (!subnet) continue;
		const network = toText(networkOf(subnet.host, subnet.length), subnet.length);
		offers.push(`-t nat -A POSTROUTING -s ${network} ! -o ${b.name} -j MASQUERADE`);
		const outside = own
			.filter((i) => i.kind !== 'loopback' && i.id !== b.id)
			.flatMap((i) => i.addresses.flatMap((text) => toNumber(text) ?? []))[0];
		const inside = segmentOf(lab, b.id)
			.flatMap((i) => (i.node === node ? [] : i.addresses.flatMap((text) => toNumber(text) ?? [])))
			.find((a) => overlaps(a, subnet));
		if (outside && inside) {
			const [from, to] = [outside, inside].map((a) => toText(a.host, 32).replace('/32', ''));
			offers.push(`-t nat -A PREROUTING -d ${from} -p tcp --dport 8080 -j DNAT --to-destination ${to}:80`);
		}
		offers.push(`-A FORWARD -i ${b.name} -j ACCEPT`);
		offers.push(`-A FORWARD -o ${b.name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`);
	}
	offers.push('-P FORWARD DROP', '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT');
	const has = new Set(lab.nodes[node]?.iptables);
	return offers.filter((o) => !has.has(o)).slice(0, 12);
}

/** What is odd about a route, as a note: the kernel refuses a gateway that no network of the node leads to. */
export function routeNote(lab: Lab, node: string, text: string): string | undefined {
	const r = readRoute(text);
	if (r?.type !== '') return undefined;
	for (const way of waysOf(r)) {
		if (way.onlink) continue;
		const i = hopLink(way, interfacesOf(lab, node));
		if (i && !i.up) return `${i.name} is down: the kernel refuses routes through it`;
		if (i || r.ipv6 || way.via.includes(':')) continue;
		return way.dev
			? `there is no ${way.dev} here`
			: `${way.via} is in no network of ${lab.nodes[node]?.name ?? 'this node'}`;
	}
	return undefined;
}

/** The address at which one node reaches another by its name: one on a network that both are in, else the other's first. */
export function addressOfNode(lab: Lab, from: string, name: string): string | undefined {
	const named = nodesInOrder(lab).filter((n) => n.name === name || labelOf(lab, n.id) === name);
	const there = named.find((n) => n.in === (lab.nodes[from]?.in ?? from)) ?? named[0];
	if (!there) return undefined;
	const addresses = (node: string) =>
		interfacesOf(lab, node).flatMap((i) => (i.kind === 'loopback' ? [] : i.addresses));
	const own = addresses(from);
	const all = addresses(there.id);
	const near = all.find((a) => own.some((o) => isInNetworkOf(o, hostOf(a))));
	const found = near ?? all[0];
	return found === undefined ? undefined : hostOf(found);
}
