// A port of labengine/names.go. Page and engine are held to each other by the cases in labengine/testdata.
import type { Kind } from './lab';
import { refuse } from './problem';

export const maxInterfaceName = 15; // bytes; IFNAMSIZ-1 in uapi/linux/if.h
const encoder = new TextEncoder();

export function byteLength(text: string): number {
	return encoder.encode(text).length;
}

/** At most so many bytes of a text, whole characters. */
export function cut(text: string, bytes: number): string {
	let kept = '';
	for (const c of text) {
		if (byteLength(kept + c) > bytes) break;
		kept += c;
	}
	return kept;
}

/** The kernel's isspace looks at bytes, and 0xa0 as a byte is part of many UTF-8 characters. */
function isSpace(c: string): boolean {
	if (c === ' ' || (c >= '\t' && c <= '\r')) return true;
	return c > '\u007f' && encoder.encode(c).includes(0xa0);
}

function isControl(c: string): boolean {
	return c < ' ' || c === '\u007f' || c === '\ufffd';
}

export function checkInterfaceName(name: string): void {
	const bad = (message: string) => refuse('bad-name', message, { field: 'name' });
	const bytes = byteLength(name);
	if (name === '') bad('an interface needs a name');
	if (bytes > maxInterfaceName) {
		bad(`\`${name}\` is ${bytes} bytes; the kernel allows ${maxInterfaceName} (IFNAMSIZ)`);
	}
	if (name === '.' || name === '..') bad(`\`${name}\` cannot name an interface`);
	if (name === 'all' || name === 'default') {
		bad(`\`${name}\` is taken: the kernel keeps a sysctl folder of that name`);
	}
	for (const c of name) {
		if (c === '/' || c === ':') {
			bad(`\`${name}\` contains '${c}', which the kernel does not allow in an interface's name`);
		}
		if (c === '%') bad(`\`${name}\` contains %, which the kernel takes as a pattern for counting up`);
		if (isSpace(c)) bad(`\`${name}\` contains a space, which the kernel does not allow in an interface's name`);
		if (isControl(c)) bad(`${JSON.stringify(name)} contains a character that cannot be typed`);
	}
}

export function checkNodeName(kind: Kind, name: string): void {
	const bad = (message: string) => refuse('bad-name', message, { field: 'name' });
	const bytes = byteLength(name);
	const isHost = kind === 'machine' || kind === 'container';
	if (name === '') bad(`a ${kind} needs a name`);
	if (name.startsWith('-')) bad(`\`${name}\` starts with a dash, which commands take for an option`);
	if (isHost && bytes > 63) {
		bad(`\`${name}\` is ${bytes} bytes; a hostname's label has at most 63 (RFC 1035)`);
	}
	if (bytes > 255) bad(`\`${name.slice(0, 20)}…\` is ${bytes} bytes; a file name has at most 255 (NAME_MAX)`);
	if (name === '.' || name === '..') {
		const why = kind === 'namespace' ? `a namespace: /run/netns/${name} is a folder` : `a ${kind}`;
		bad(`\`${name}\` cannot name ${why}`);
	}
	for (const c of name) {
		if (isHost && !/^[a-zA-Z0-9._-]$/.test(c)) {
			bad(`\`${name}\` contains '${c}'; a hostname has letters, digits and dashes`);
		}
		if (c === '/' && kind === 'namespace') bad(`\`${name}\` contains a slash; the name is a file in /run/netns`);
		if (c === '/') bad(`\`${name}\` contains a slash, which separates a machine from what is in it`);
		if (c === ':') bad(`\`${name}\` contains a colon, which separates node and interface`);
		if (/\p{White_Space}/u.test(c) || isControl(c)) {
			bad(`${JSON.stringify(name)} contains a space or a character that cannot be typed`);
		}
	}
}

/** Checks an interface's address and writes it as the kernel prints it; without a prefix length it gets the full one. */
export function canonicalAddress(text: string): string {
	const hint = 'write it as 192.168.15.1/24 or 2001:db8::1/64';
	const bad = (message: string, help?: string) =>
		refuse('bad-address', message, help ? { field: 'address', hint: help } : { field: 'address' });
	const trimmed = text.trim();
	const [address = '', length, ...rest] = trimmed.split('/');
	if (address.includes('%')) {
		bad(
			`\`${trimmed}\` ${length === undefined ? "names a zone; an interface's address has none" : 'is not an address'}`,
			hint,
		);
	}
	const bytes = parseIP(address);
	if (!bytes || rest.length > 0) return bad(`\`${trimmed}\` is not an address`, hint);
	const bits = bytes.length * 8;
	if (length !== undefined && (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits)) {
		bad(`\`${trimmed}\` is not an address`, hint);
	}
	if (bits === 128) {
		if (bytes.slice(0, 10).every((b) => b === 0) && bytes[10] === 0xff && bytes[11] === 0xff) {
			bad(`\`${trimmed}\` is an IPv4 address in IPv6 clothes`, hint);
		}
		if (bytes[0] === 0xff)
			bad(`\`${trimmed}\` is a multicast address; an interface joins such a group, and has none as its own`);
		if (bytes.every((b) => b === 0)) bad(`\`${trimmed}\` is the unspecified address`);
	} else if (((bytes[0] ?? 0) & 0xf0) === 0xe0) {
		bad(`\`${trimmed}\` is a multicast address; an interface joins such a group, and has none as its own`);
	}
	return `${formatIP(bytes)}/${length ?? bits}`;
}

/** Checks a hardware address and writes it as the kernel prints it. */
export function canonicalMAC(text: string): string {
	const bad = (message: string) =>
		refuse('bad-value', message, { field: 'mac', hint: 'write it as 02:00:5e:10:00:01' });
	const trimmed = text.trim();
	const pairs = /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(trimmed) && new Set(trimmed.match(/[:-]/g)).size === 1;
	const fours = /^[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}$/i.test(trimmed);
	const bare = /^[0-9a-f]{12}$/i.test(trimmed);
	if (!pairs && !fours && !bare) return bad(`\`${trimmed}\` is not a MAC address of six bytes`);
	const digits = trimmed.replace(/[:.-]/g, '').toLowerCase();
	const mac = (digits.match(/../g) ?? []).join(':');
	if (Number.parseInt(digits.slice(0, 2), 16) & 1) {
		bad(`\`${mac}\` is a group address (its first byte is odd); an interface cannot have it`);
	}
	if (mac === '00:00:00:00:00:00') bad("the all-zero address cannot be an interface's");
	return mac;
}

/** Refuses an alias that the kernel does not take, or that no file and no terminal shows as it is. */
export function checkAlias(alias: string): void {
	const bad = (message: string) => refuse('bad-value', message, { field: 'alias' });
	const bytes = new TextEncoder().encode(alias).length;
	if (bytes > 255) bad(`the alias is ${bytes} bytes; the kernel allows 255 (IFALIASZ)`);
	if (alias.trim() !== alias) bad('the alias begins or ends with a space');
	if (/\p{Cc}|\p{Cs}/u.test(alias)) bad('the alias contains a character that cannot be typed');
}

export function checkMTU(bytes: number): void {
	if (!Number.isInteger(bytes)) refuse('bad-value', 'an MTU is a number of bytes, 68..65535', { field: 'mtu' });
	if (bytes < 68 || bytes > 65535) {
		refuse('bad-value', `an MTU of ${bytes} bytes is outside 68..65535`, { field: 'mtu' });
	}
}

/** An IP address as its 4 or 16 bytes, as Go's netip reads it: no leading zeros in IPv4. */
export function parseIP(text: string): number[] | undefined {
	return text.includes(':') ? parseIPv6(text) : parseIPv4(text);
}

function parseIPv4(text: string): number[] | undefined {
	const parts = text.split('.');
	if (parts.length !== 4 || !parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) < 256)) return undefined;
	return parts.map(Number);
}

function parseIPv6(text: string): number[] | undefined {
	const halves = text.split('::');
	if (halves.length > 2) return undefined;
	const read = (half: string): number[] | undefined => {
		if (half === '') return [];
		const bytes: number[] = [];
		const groups = half.split(':');
		for (const [at, g] of groups.entries()) {
			if (g.includes('.') && at === groups.length - 1) {
				const four = parseIPv4(g);
				if (!four) return undefined;
				bytes.push(...four);
			} else {
				if (!/^[0-9a-f]{1,4}$/i.test(g)) return undefined;
				const n = Number.parseInt(g, 16);
				bytes.push(n >> 8, n & 255);
			}
		}
		return bytes;
	};
	const head = read(halves[0] ?? '');
	const tail = halves.length === 2 ? read(halves[1] ?? '') : [];
	// An IPv4 tail stands at the very end, so not before a "::".
	if (!head || !tail || (halves.length === 2 && (halves[0] ?? '').includes('.'))) return undefined;
	if (halves.length === 1) return head.length === 16 ? head : undefined;
	const gap = 16 - head.length - tail.length;
	return gap >= 2 ? [...head, ...Array<number>(gap).fill(0), ...tail] : undefined;
}

/** Writes an address as RFC 5952 wants it. */
export function formatIP(bytes: readonly number[]): string {
	if (bytes.length === 4) return bytes.join('.');
	const groups = Array.from({ length: 8 }, (_, g) => ((bytes[2 * g] ?? 0) << 8) | (bytes[2 * g + 1] ?? 0));
	let best = { at: -1, length: 1 };
	for (let at = 0; at < 8; at++) {
		let end = at;
		while (end < 8 && groups[end] === 0) end++;
		if (end - at > best.length) best = { at, length: end - at };
	}
	const text = (part: number[]) => part.map((g) => g.toString(16)).join(':');
	if (best.at < 0) return text(groups);
	return `${text(groups.slice(0, best.at))}::${text(groups.slice(best.at + best.length))}`;
}

/** The address without its prefix length. */
export function hostOf(cidr: string): string {
	return cidr.split('/')[0] ?? cidr;
}

export function isIPv6(text: string): boolean {
	return text.includes(':');
}

/** Whether a host address is in the network of an address in CIDR notation. */
export function isInNetworkOf(cidr: string, host: string): boolean {
	const [network = '', length] = cidr.split('/');
	const [a, b] = [parseIP(network), parseIP(host)];
	if (!a || !b || a.length !== b.length) return false;
	const bits = length === undefined ? a.length * 8 : Number(length);
	return a.every((byte, at) => {
		const mask = (0xff00 >> Math.min(8, Math.max(0, bits - at * 8))) & 0xff;
		return (byte & mask) === ((b[at] ?? 0) & mask);
	});
}
