// What the page proposes so that a gesture is enough: names and addresses for a new cable, and where a node goes.
import type { AddCable, Lab } from '../wire/types.gen';
import { freeNodeName } from './edit';
import { interfaceNamed, newID, nodeNamed, peerOf } from './lab';
import { canonicalAddress, cut, formatIP, maxInterfaceName, parseIP } from './names';

/** Whether a cable can join two nodes; the reason, in words for the pointer, if not. */
export function canConnect(lab: Lab, from: string, to: string): { ok: true } | { ok: false; reason: string } {
	const [a, b] = [lab.nodes[from], lab.nodes[to]];
	if (!a || !b) return { ok: false, reason: 'it is gone' };
	if (from === to) return { ok: false, reason: `both ends would be in ${a.name}` };
	return { ok: true };
}

/** A name for the end of a cable at `node`, whose other end is at `peer`. `taken` are names planned besides. */
export function suggestName(lab: Lab, node: string, peer: string, taken: ReadonlySet<string> = new Set()): string {
	const [own, other] = [lab.nodes[node], lab.nodes[peer]];
	const free = (name: string) => !taken.has(name) && !interfaceNamed(lab, node, name);
	if (own?.kind === 'machine' && other?.kind === 'machine') {
		for (let n = 0; ; n++) if (free(`eth${n}`)) return `eth${n}`;
	}
	const isMachine = own?.kind === 'machine';
	const stem = clean((isMachine ? other?.name : own?.name) ?? '');
	for (let count = 1; ; count++) {
		const tail = (count > 1 ? String(count) : '') + (isMachine ? '-h' : '');
		const name = `veth-${cut(stem, maxInterfaceName - 5 - tail.length)}${tail}`;
		if (free(name)) return name;
	}
}

/** Without what the kernel refuses in the name of an interface but allows in that of a namespace. */
function clean(name: string): string {
	return name.replace(/[^A-Za-z0-9._-]/g, '') || 'ns';
}

/** Every IPv4 address of the lab as a number, with its prefix length. */
function addressesInUse(lab: Lab): { host: number; length: number }[] {
	return Object.values(lab.interfaces).flatMap((i) => i.addresses.map(toNumber).filter((a) => a !== undefined));
}

export function toNumber(cidr: string): { host: number; length: number } | undefined {
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

function overlaps(a: { host: number; length: number }, b: { host: number; length: number }): boolean {
	const length = Math.min(a.length, b.length);
	return networkOf(a.host, length) === networkOf(b.host, length);
}

/**
 * Addresses for the two ends of a new cable: the first of 192.168.15.0/24, 192.168.16.0/24, … that nothing in the lab
 * is in. A cable is a segment of its own as long as there are no bridges.
 */
export function suggestAddresses(lab: Lab): [string, string] | undefined {
	const used = addressesInUse(lab);
	for (let third = 15; third < 256; third++) {
		const subnet = { host: networkOf(((192 * 256 + 168) * 256 + third) * 256, 24), length: 24 };
		if (!used.some((u) => overlaps(u, subnet))) return [toText(subnet.host + 1, 24), toText(subnet.host + 2, 24)];
	}
	return undefined;
}

/** The next free host address in the subnet that the other end of this interface's cable is in. */
export function suggestAddressFor(lab: Lab, iface: string): string | undefined {
	const peer = peerOf(lab, iface);
	const near = peer?.addresses.map(toNumber).find((a) => a !== undefined && a.length <= 30);
	if (!near) return suggestAddresses(lab)?.[0];
	const used = new Set(addressesInUse(lab).map((a) => a.host));
	const network = networkOf(near.host, near.length);
	for (let host = network + 1; host < network + 2 ** (32 - near.length) - 1; host++) {
		if (!used.has(host)) return toText(host, near.length);
	}
	return undefined;
}

/** What is odd about an address, as a note: never a reason to refuse it. */
export function addressNote(lab: Lab, iface: string, text: string): string | undefined {
	let address: { host: number; length: number } | undefined;
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
	const others = (peerOf(lab, iface)?.addresses ?? []).map(toNumber).filter((a) => a !== undefined);
	if (others.length > 0 && !others.some((a) => overlaps(a, address))) return 'the other end is in another subnet';
	return undefined;
}

/** A new cable between two nodes, with names and, unless `addresses` is off, addresses. */
export function suggestCable(lab: Lab, from: string, to: string, options: { addresses: boolean }): AddCable {
	const pair = options.addresses ? suggestAddresses(lab) : undefined;
	const end = (node: string, peer: string, address: string | undefined) => ({
		id: newID('i'),
		node,
		name: suggestName(lab, node, peer),
		...(address ? { addresses: [address] } : {}),
	});
	return { id: newID('c'), a: end(from, to, pair?.[0]), b: end(to, from, pair?.[1]) };
}

/** host, neighbour, then machine, machine-2 … */
export function freeMachineName(lab: Lab): string {
	return ['host', 'neighbour'].find((name) => !nodeNamed(lab, '', name)) ?? freeNodeName(lab, '', 'machine');
}

const namespaceNames = ['red', 'blue', 'green', 'orange', 'purple', 'cyan', 'pink', 'brown', 'yellow', 'gray'];

/** The first colour that no namespace of the machine is named after. */
export function freeNamespaceName(lab: Lab, machine: string): string {
	return namespaceNames.find((name) => !nodeNamed(lab, machine, name)) ?? freeNodeName(lab, machine, 'ns');
}
