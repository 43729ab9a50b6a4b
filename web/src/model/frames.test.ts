import { describe, expect, test } from 'vitest';
import { drawn } from '../../test/lab';
import type { Frame } from '../wire/types.gen';
import { crossedAny, FrameLog, familyOf, hexLines, matchesWords, whereCrossed } from './frames';

function frame(no: number, more: Partial<Frame> = {}): Frame {
	return {
		no,
		at: no,
		to: 'b',
		length: 98,
		protocol: 'ICMP',
		source: '10.0.0.1',
		target: '10.0.0.2',
		info: '',
		...more,
	};
}

describe('where a frame crossed', () => {
	const lab = drawn('host: red blue =v-net-0', 'red:a -- v-net-0:b', 'red:c -- blue:d', 'host:e -- blue:f');
	test.each([
		['b', 'red → v-net-0', ['c1', 'a', 'b', 'red', 'host', 'v-net-0']],
		['a', 'v-net-0 → red', ['c1', 'a', 'b', 'red', 'host', 'v-net-0']],
		['d', 'red → blue', ['c2', 'c', 'd', 'red', 'blue']],
		['f', 'host → blue', ['c3', 'e', 'f', 'host', 'blue']],
	])('to %s: %s', (end, where, touched) => {
		const to = Object.keys(lab.interfaces).find((id) => id.endsWith(`:${end}`)) ?? '';
		expect(whereCrossed(lab, frame(1, { to }))).toBe(where);
		const crossed = (id: string) => crossedAny(lab, frame(1, { to }), new Set([id]));
		const all = [...Object.keys(lab.nodes), ...Object.keys(lab.interfaces), ...Object.keys(lab.cables)];
		expect(
			all
				.filter(crossed)
				.map((id) => id.replace(/^.*:/, ''))
				.sort(),
		).toEqual(touched.toSorted());
	});

	test('what is not there any more is said to be gone', () => {
		expect(whereCrossed(lab, frame(1, { to: 'x' }))).toBe('→ (gone)');
	});
});

describe('the filter’s words', () => {
	const icmp = frame(1, { info: 'Echo (ping) request id=0x000e, seq=5, ttl=64' });
	const icmpv6 = frame(2, { protocol: 'ICMPv6', source: 'fe80::1', info: 'Neighbor Solicitation for fe80::2' });
	const dns = frame(3, { protocol: 'DNS', info: 'Standard query A icmp.example' });
	test.each([
		['icmp', icmp, true],
		['icmp', icmpv6, false], // a protocol's name is that protocol
		['icmp', dns, false],
		['icmpv6', icmpv6, true],
		['udp', dns, true], // and what it carries
		['tcp', dns, false],
		['10.0.0.2', icmp, true],
		['red', icmp, true], // where it crossed
		['icmp request', icmp, true],
		['icmp reply', icmp, false],
		['', icmp, true],
	])('"%s" and %o: %s', (words, f, want) => {
		expect(matchesWords(f, 'red → blue', words.split(' ').filter(Boolean))).toBe(want);
	});
});

test.each([
	['ARP', '', 'arp'],
	['ICMP', '', 'icmp'],
	['ICMPv6', 'Neighbor Solicitation for fe80::1', 'arp'],
	['ICMPv6', 'Router Solicitation from 02:00:00:00:00:01', 'arp'],
	['ICMPv6', 'Multicast Listener Report Message v2', 'icmp'],
	['DHCPv6', '', 'dhcp'],
	['0x88cc', '', 'other'],
])('%s "%s" is drawn as %s', (protocol, info, want) => {
	expect(familyOf({ protocol, info })).toBe(want);
});

describe('the log', () => {
	test('tells its listeners, and forgets the oldest', () => {
		const log = new FrameLog(10);
		let told = 0;
		log.subscribe(() => told++);
		log.push({ frames: Array.from({ length: 12 }, (_, at) => frame(at + 1)) });
		expect(told).toBe(1);
		expect(log.all().map((r) => r.kind === 'frame' && r.frame.no)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
	});

	test('takes a frame once, and anew after a restart', () => {
		const log = new FrameLog();
		log.push({ frames: [frame(1), frame(2)] });
		expect(log.push({ frames: [frame(2), frame(3)] }).map((f) => f.no)).toEqual([3]);
		log.restart();
		expect(log.push({ frames: [frame(1)] })).toHaveLength(1);
	});

	test('says how many were missed, where they were', () => {
		const log = new FrameLog();
		log.push({ frames: [frame(1)] });
		log.push({ frames: [frame(900)], missed: 898 });
		expect(log.all().map((r) => r.kind)).toEqual(['frame', 'missed', 'frame']);
	});
});

test('the first bytes, as xxd shows them', () => {
	expect(hexLines(btoa('ABCDEFGHIJKLMNOPQ\n'))).toEqual([
		'0000  41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f 50  ABCDEFGHIJKLMNOP',
		'0010  51 0a                                            Q·',
	]);
	expect(hexLines(undefined)).toEqual([]);
});
