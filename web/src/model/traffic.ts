// Which tokens travel on which cable, and when: display time, not the kernel's. A frame crosses a veth in microseconds;
// here each crossing takes `crossing` ms, and what leaves a node waits for what arrived there before it. Pure: the clock
// is given.
import type { Frame, Rate } from '../wire/types.gen';
import { type Family, familyOf } from './frames';

export const crossing = 450; // ms of display time
export const maxLate = 1500; // ms behind the kernel; what would be later is counted and not drawn
const chainWithin = 250e6; // ns: a frame that leaves a node so soon after one arrived is drawn after it
const maxInFlight = 300;
const singly = 8; // tokens per second, cable and direction; above that only what matters is drawn singly

export interface Token {
	no: number;
	cable: string;
	/** True where it travels from the cable's first end to its second. */
	forward: boolean;
	family: Family;
	reply: boolean;
	letter: string;
	text: string;
	/** Where its text stands among those that travel on its cable at the same time, from 0. */
	row: number;
	start: number; // ms, display time
}

export interface CableRate {
	packets: number;
	bits: number;
	until: number; // ms, display time; then it is old
}

export interface Crossing {
	cable: string;
	forward: boolean;
	fromNode: string;
	toNode: string;
}

export class Traffic {
	private tokens: Token[] = [];
	private arrived = new Map<string, { at: number; end: number }>(); // by node: kernel ns, display ms
	private counts = new Map<string, { since: number; count: number }>();
	readonly rates = new Map<string, CableRate>(); // by cable, both directions together
	private directionRates = new Map<string, { cable: string; packets: number; bits: number; until: number }>();

	/** `locate` says which cable a frame crossed, by the interface that it arrived at. */
	push(frames: readonly Frame[], now: number, locate: (to: string) => Crossing | undefined): void {
		for (const f of frames) {
			const where = locate(f.to);
			if (where) this.add(f, where, now);
		}
		if (this.tokens.length > maxInFlight) this.yieldBusiest();
	}

	private add(f: Frame, where: Crossing, now: number): void {
		const family = familyOf(f);
		const single = family === 'arp' || family === 'icmp' || /[SFR]/.test(f.flags ?? '');
		if (this.countOf(where, now) > (single ? 60 : singly)) return;
		const before = this.arrived.get(where.fromNode);
		const chained = before && f.at >= before.at && f.at - before.at < chainWithin ? before.end : now;
		const start = Math.max(now, chained);
		if (start - now > maxLate) return;
		this.tokens.push({
			no: f.no,
			cable: where.cable,
			forward: where.forward,
			family,
			reply: f.reply ?? false,
			letter: family === 'tcp' ? (f.flags ?? '').replace(/[^SFR]/g, '').slice(0, 1) : '',
			text: f.brief ?? '',
			row: this.freeRow(where.cable, start),
			start,
		});
		this.arrived.set(where.toNode, { at: f.at, end: start + crossing });
	}

	private freeRow(cable: string, start: number): number {
		const taken = new Set<number>();
		for (const t of this.tokens) if (t.cable === cable && Math.abs(t.start - start) < crossing) taken.add(t.row);
		let row = 0;
		while (taken.has(row)) row++;
		return row;
	}

	private countOf(where: Crossing, now: number): number {
		const key = `${where.cable} ${where.forward}`;
		const c = this.counts.get(key);
		if (!c || now - c.since >= 1000) {
			this.counts.set(key, { since: now, count: 1 });
			return 1;
		}
		return ++c.count;
	}

	/** Busiest cables yield first; ARP, ICMP and what opens or ends a connection stay. */
	private yieldBusiest(): void {
		const perCable = new Map<string, number>();
		for (const t of this.tokens) perCable.set(t.cable, (perCable.get(t.cable) ?? 0) + 1);
		const weight = (t: Token) =>
			(t.family === 'arp' || t.family === 'icmp' || t.letter ? -1000 : 0) + (perCable.get(t.cable) ?? 0);
		const kept = new Set([...this.tokens].sort((a, b) => weight(a) - weight(b)).slice(0, maxInFlight));
		this.tokens = this.tokens.filter((t) => kept.has(t));
	}

	pushRates(rates: readonly Rate[], now: number, locate: (to: string) => Crossing | undefined): void {
		for (const r of rates) {
			const where = locate(r.to);
			if (!where) continue;
			this.directionRates.set(r.to, { cable: where.cable, packets: r.packets, bits: r.bits, until: now + 700 });
		}
		this.rates.clear();
		for (const d of this.directionRates.values()) {
			if (d.until <= now) continue;
			const both = this.rates.get(d.cable) ?? { packets: 0, bits: 0, until: 0 };
			this.rates.set(d.cable, {
				packets: both.packets + d.packets,
				bits: both.bits + d.bits,
				until: Math.max(both.until, d.until),
			});
		}
	}

	/** Tokens on their way at this moment; those that have arrived are let go. */
	at(now: number): readonly Token[] {
		this.tokens = this.tokens.filter((t) => now - t.start < crossing);
		for (const [cable, r] of this.rates) if (r.until <= now) this.rates.delete(cable);
		return this.tokens.filter((t) => t.start <= now);
	}

	/** Whether there is nothing to draw, now or later. */
	get idle(): boolean {
		return this.tokens.length === 0 && this.rates.size === 0;
	}

	/** How long after the kernel the latest token starts, in ms. */
	late(now: number): number {
		return this.tokens.reduce((most, t) => Math.max(most, t.start - now), 0);
	}

	clear(): void {
		this.tokens = [];
		this.arrived.clear();
		this.rates.clear();
		this.directionRates.clear();
	}
}

/** How wide a cable that carries so much is drawn, in px. */
export function rateWidth(bits: number): number {
	if (bits >= 100e6) return 5;
	if (bits >= 1e6) return 3.5;
	return bits >= 10e3 ? 2.5 : 1.75;
}

export function rateText(r: { packets: number; bits: number }): string {
	return `${scale(r.packets)}pps ${scale(r.bits)}b/s`;
}

function scale(n: number): string {
	const units = ['', 'k', 'M', 'G'];
	let at = 0;
	let value = n;
	while (value >= 1000 && at < units.length - 1) {
		value /= 1000;
		at++;
	}
	return `${value >= 100 || at === 0 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}
