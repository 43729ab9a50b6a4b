// The frames that have crossed, newest last. At most `keep` are held; those that were missed leave a row that says so.
import type { Frame, Frames, Lab } from '../wire/types.gen';
import { cableOf, peerOf } from './lab';
import { holderOf, pluggedInto } from './things';

export type FrameRow = { kind: 'frame'; frame: Frame } | { kind: 'missed'; count: number; key: string };

export class FrameLog {
	private rows: FrameRow[] = [];
	private listeners = new Set<() => void>();
	private last = 0;
	/** Grows with each message, so that views know that there is something new. */
	version = 0;

	constructor(private readonly keep = 50_000) {}

	push(message: Frames): Frame[] {
		const fresh: Frame[] = [];
		if (message.missed) {
			this.rows.push({ kind: 'missed', count: message.missed, key: `m${this.version}` });
		}
		for (const frame of message.frames ?? []) {
			if (frame.no <= this.last) continue; // sent again after a reconnect
			this.last = frame.no;
			this.rows.push({ kind: 'frame', frame });
			fresh.push(frame);
		}
		if (this.rows.length > this.keep * 1.1) this.rows = this.rows.slice(-this.keep);
		this.changed();
		return fresh;
	}

	/** After a snapshot the numbers may start again: the lab may have been started anew. */
	restart(): void {
		this.last = 0;
	}

	clear(): void {
		this.rows = [];
		this.changed();
	}

	all(): readonly FrameRow[] {
		return this.rows;
	}

	subscribe = (listener: () => void): (() => void) => {
		this.listeners.add(listener);
		return () => this.listeners.delete(listener);
	};

	getVersion = (): number => this.version;

	private changed(): void {
		this.version++;
		for (const l of this.listeners) l();
	}
}

/** What a protocol's name finds: itself and what it carries, as in Wireshark. `icmp` does not find ICMPv6. */
const carried: Readonly<Record<string, readonly string[]>> = {
	arp: ['arp'],
	icmp: ['icmp'],
	icmpv6: ['icmpv6'],
	tcp: ['tcp', 'http'],
	udp: ['udp', 'dns', 'mdns', 'dhcp', 'dhcpv6'],
};

/** Whether a row has all the words of a plain search: in its text, or as its protocol where a word names one. */
export function matchesWords(f: Frame, where: string, words: readonly string[]): boolean {
	const text = `${where} ${f.source} ${f.target} ${f.protocol} ${f.info}`.toLowerCase();
	return words.every((w) => carried[w]?.includes(f.protocol.toLowerCase()) ?? text.includes(w));
}

/** "red → v-net-0": where a frame crossed. */
export function whereCrossed(lab: Lab, f: Frame): string {
	const [from, to] = [peerOf(lab, f.to), lab.interfaces[f.to]];
	return from && to ? `${pluggedInto(lab, from)} → ${pluggedInto(lab, to)}` : `→ ${to?.name ?? '(gone)'}`;
}

/** Whether a frame crossed one of these cables, or came from or to one of these interfaces, nodes and bridges. */
export function crossedAny(lab: Lab, f: Frame, ids: ReadonlySet<string>): boolean {
	const c = cableOf(lab, f.to);
	if (!c) return false;
	return (
		ids.has(c.id) ||
		c.ends.some((end) => {
			const i = lab.interfaces[end];
			return i !== undefined && (ids.has(end) || ids.has(i.node) || ids.has(holderOf(lab, i)));
		})
	);
}

export type Family = 'arp' | 'icmp' | 'tcp' | 'udp' | 'dns' | 'http' | 'dhcp' | 'other';

const families: Readonly<Record<string, Family>> = {
	arp: 'arp',
	icmp: 'icmp',
	icmpv6: 'icmp',
	tcp: 'tcp',
	udp: 'udp',
	dns: 'dns',
	mdns: 'dns',
	http: 'http',
	dhcp: 'dhcp',
	dhcpv6: 'dhcp',
};

/** The family that a frame's colour and token come from. Neighbour discovery is what ARP is to IPv4, RFC 4861. */
export function familyOf(f: { protocol: string; info: string }): Family {
	const protocol = f.protocol.toLowerCase();
	if (protocol === 'icmpv6' && /^(Neighbor|Router) (Solicitation|Advertisement)/.test(f.info)) return 'arp';
	return families[protocol] ?? 'other';
}

/** The first bytes of a frame, as `xxd` shows them. */
export function hexLines(data: string | undefined): string[] {
	if (!data) return [];
	const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
	const lines: string[] = [];
	for (let at = 0; at < bytes.length; at += 16) {
		const part = [...bytes.slice(at, at + 16)];
		const hex = part.map((b) => b.toString(16).padStart(2, '0')).join(' ');
		const text = part.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '·')).join('');
		lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(47)}  ${text}`);
	}
	return lines;
}
