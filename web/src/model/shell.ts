// The command that an edit stands for, shown before Enter. The engine makes the commands that it runs itself
// (labengine/plan); these are its words for the few edits that the inspector makes.
import type { Interface, Lab } from '../wire/types.gen';

/** `ip -n red`, or `ip` in a machine's own namespace. */
export function ip(lab: Lab, node: string): string {
	const n = lab.nodes[node];
	return n?.in ? `ip -n ${quote(n.name)}` : 'ip';
}

export function addAddress(lab: Lab, i: Interface, address: string): string {
	return `${ip(lab, i.node)} addr add ${address || '…'} dev ${quote(i.name)}`;
}

export function deleteAddress(lab: Lab, i: Interface, address: string): string {
	return `${ip(lab, i.node)} addr del ${address} dev ${quote(i.name)}`;
}

export function setUp(lab: Lab, i: Interface, up: boolean): string {
	return `${ip(lab, i.node)} link set dev ${quote(i.name)} ${up ? 'up' : 'down'}`;
}

export function setMTU(lab: Lab, i: Interface, mtu: string): string {
	return `${ip(lab, i.node)} link set dev ${quote(i.name)} mtu ${mtu || '…'}`;
}

export function setMAC(lab: Lab, i: Interface, mac: string): string {
	return `${ip(lab, i.node)} link set dev ${quote(i.name)} address ${mac || '…'}`;
}

export function rename(lab: Lab, i: Interface, name: string): string {
	return `${ip(lab, i.node)} link set dev ${quote(i.name)} name ${name ? quote(name) : '…'}`;
}

/** As bash wants it: bare where that is the same. */
export function quote(word: string): string {
	return /^[A-Za-z0-9_./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
