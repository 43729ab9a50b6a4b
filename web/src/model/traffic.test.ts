import { describe, expect, test } from 'vitest';
import type { Frame } from '../wire/types.gen';
import { type Crossing, crossing, maxLate, rateText, rateWidth, Traffic } from './traffic';

const ms = 1e6; // ns

let no = 0;

function frame(to: string, at: number, more: Partial<Frame> = {}): Frame {
	return { no: ++no, at: at * ms, to, length: 98, protocol: 'ICMP', source: '', target: '', info: '', ...more };
}

/** red — blue — green: frames arrive at one end or the other of two cables. */
function locate(to: string): Crossing | undefined {
	return {
		'blue:a': { cable: 'c1', forward: true, fromNode: 'red', toNode: 'blue' },
		'red:a': { cable: 'c1', forward: false, fromNode: 'blue', toNode: 'red' },
		'green:b': { cable: 'c2', forward: true, fromNode: 'blue', toNode: 'green' },
	}[to];
}

function pushed(...frames: Frame[]): Traffic {
	const traffic = new Traffic();
	traffic.push(frames, 0, locate);
	return traffic;
}

const starts = (t: Traffic) =>
	t
		.at(0)
		.concat(t.at(crossing - 1))
		.map((token) => token.start);

describe('a token', () => {
	test('travels from where the frame left to where it arrived, and is gone after', () => {
		const t = pushed(frame('red:a', 0, { reply: true, brief: 'ping reply 1' }));
		expect(t.at(0)).toMatchObject([{ cable: 'c1', forward: false, family: 'icmp', reply: true, text: 'ping reply 1' }]);
		expect(t.at(crossing - 1)).toHaveLength(1);
		expect(t.at(crossing)).toHaveLength(0);
		expect(t.idle).toBe(true);
	});

	test('starts when the one before it has arrived, for the kernel is faster than eyes', () => {
		const t = pushed(frame('blue:a', 0), frame('green:b', 0.02), frame('red:a', 0.03));
		expect(t.at(0)).toHaveLength(1);
		expect(t.at(crossing).map((token) => token.start)).toEqual([crossing, crossing]);
		expect(t.late(0)).toBe(crossing);
	});

	test('does not wait for what has nothing to do with it', () => {
		expect(starts(pushed(frame('blue:a', 0), frame('red:a', 900)))).toContain(0);
		expect(pushed(frame('blue:a', 0), frame('red:a', 900)).late(0)).toBe(0);
	});

	test('is not drawn where it would be too late', () => {
		const t = pushed(...Array.from({ length: 12 }, (_, at) => frame(at % 2 ? 'red:a' : 'blue:a', at)));
		expect(t.late(0)).toBeLessThanOrEqual(maxLate);
	});

	test('has its text in a row of its own among those that cross with it', () => {
		const t = pushed(frame('blue:a', 0), frame('blue:a', 1), frame('green:b', 900));
		expect(t.at(0).map((token) => token.row)).toEqual([0, 1, 0]);
	});

	test('nowhere is none', () => {
		expect(pushed(frame('gone', 0)).idle).toBe(true);
	});
});

describe('many frames in a second', () => {
	const flood = (more: Partial<Frame>) =>
		pushed(...Array.from({ length: 200 }, (_, at) => frame('blue:a', at, more))).at(0);
	test.each([
		['data', { protocol: 'TCP' }, 8],
		['what opens a connection', { protocol: 'TCP', flags: 'S' }, 60],
		['pings', {}, 60],
		['ARP', { protocol: 'ARP' }, 60],
	])('of %s are drawn singly up to %s', (_, more, want) => {
		expect(flood(more)).toHaveLength(want);
	});

	test('a ping shows through them', () => {
		const data = Array.from({ length: 200 }, (_, at) => frame('blue:a', at, { protocol: 'UDP' }));
		const t = pushed(...data.slice(0, 50), frame('blue:a', 50), ...data.slice(50));
		expect(t.at(0).filter((token) => token.family === 'icmp')).toHaveLength(1);
	});

	test('the busiest cables yield where there are too many', () => {
		const t = new Traffic();
		const frames = Array.from({ length: 100 }, (_, cable) =>
			Array.from({ length: cable === 0 ? 1 : 8 }, () => frame(String(cable), 0, { protocol: 'UDP' })),
		).flat();
		t.push(frames, 0, (to) => ({ cable: to, forward: true, fromNode: `${to}a`, toNode: `${to}b` }));
		expect(t.at(0)).toHaveLength(300);
		expect(t.at(0).some((token) => token.cable === '0')).toBe(true);
	});
});

describe('rates', () => {
	test('of both directions add up, and grow old', () => {
		const t = new Traffic();
		t.pushRates(
			[
				{ to: 'blue:a', packets: 1000, bits: 8e6, shown: 8 },
				{ to: 'red:a', packets: 200, bits: 1.4e6, shown: 8 },
			],
			0,
			locate,
		);
		expect(t.rates.get('c1')).toMatchObject({ packets: 1200, bits: 9.4e6 });
		t.at(700);
		expect(t.idle).toBe(true);
	});

	test.each([
		[9e3, 1.75],
		[10e3, 2.5],
		[1e6, 3.5],
		[100e6, 5],
	])('%d b/s are drawn %d px wide', (bits, want) => {
		expect(rateWidth(bits)).toBe(want);
	});

	test.each([
		[{ packets: 1200, bits: 9.4e6 }, '1.2 kpps 9.4 Mb/s'],
		[{ packets: 12, bits: 1e9 }, '12 pps 1.0 Gb/s'],
		[{ packets: 120e3, bits: 0 }, '120 kpps 0 b/s'],
	])('%j read "%s"', (rate, want) => {
		expect(rateText(rate)).toBe(want);
	});
});

test('cleared, nothing is left to draw', () => {
	const t = pushed(frame('blue:a', 0));
	t.clear();
	expect(t.idle).toBe(true);
});
