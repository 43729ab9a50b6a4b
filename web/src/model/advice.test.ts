import { describe, expect, test } from 'vitest';
import { drawn } from '../../test/lab';
import type { Advice } from '../wire/types.gen';
import { concerning, count, drawnAs, markedAt, marksOf, settled, stillHeld, withNotes } from './advice';

const lab = drawn(
	'host: red blue =br0',
	'lan office',
	'red:veth-red 10.0.0.1/24 -- br0:veth-red-br',
	'blue:veth-blue 10.0.0.1/24 -- br0:veth-blue-br',
	'host:eth0 -- office:port1',
);
const rest = { all: false, cable: undefined, typed: new Set<string>() };

function advice(code: Advice['code'], ...on: string[]): Advice {
	return { code, on, message: `${on[0]} is odd` };
}

const twice = advice('address-twice', 'red:veth-red', 'blue:veth-blue');
const forwarding = advice('forwarding-off', 'host', 'red', 'blue');
const loopback: Advice = { ...advice('loopback-down', 'red.lo'), minor: true };
const down = advice('interface-down', 'red:veth-red', 'c1');

describe('where an advice is marked', () => {
	test.each<[string, string, string | undefined]>([
		['a node', 'red', 'red'],
		['an interface at its jack', 'red:veth-red', 'red:veth-red'],
		['a port at its jack', 'br0:veth-red-br', 'br0:veth-red-br'],
		['a bridge', 'br0', 'br0'],
		['a loopback at its node', 'red.lo', 'red'],
		['a LAN’s switch at the LAN', 'office.switch', 'office'],
		['a cable', 'c1', 'c1'],
		['what has gone, nowhere', 'gone', undefined],
	])('%s', (_, id, at) => {
		expect(drawnAs(lab, id)).toBe(at);
	});

	test('each of the interfaces that it is about', () => {
		expect(markedAt(lab, twice)).toEqual(['red:veth-red', 'blue:veth-blue']);
		expect(markedAt(lab, down)).toEqual(['red:veth-red']);
	});

	test('of several nodes, the one where to look', () => {
		expect(markedAt(lab, forwarding)).toEqual(['host']);
	});

	test('not if it is minor', () => {
		expect(marksOf(lab, [twice, down, loopback])).toEqual({
			'red:veth-red': [twice, down],
			'blue:veth-blue': [twice],
		});
	});
});

describe('what is said of a thing', () => {
	test.each<[string, string, Advice[]]>([
		['a node, also of its interfaces', 'red', [twice, forwarding, loopback, down]],
		['an interface', 'blue:veth-blue', [twice]],
		['a cable, also of its ends', 'c1', [twice, down]],
		['another cable', 'c3', []],
		['a machine, not of what is in it', 'host', [forwarding]],
	])('%s', (_, id, said) => {
		expect(concerning(lab, [twice, forwarding, loopback, down], id)).toEqual(said);
	});

	test('a screen reader says it too', () => {
		expect(withNotes('red, namespace')).toBe('red, namespace');
		expect(withNotes('host', [{ ...forwarding, message: 'the rule `-A X` is odd' }])).toBe(
			'host. note: the rule -A X is odd',
		);
	});

	test('they are counted', () => {
		expect([count(1), count(3)]).toEqual(['1 note', '3 notes']);
	});
});

describe('when an advice is shown', () => {
	test('all that is said, when nobody is busy', () => {
		expect(settled(lab, [twice, forwarding], rest)).toEqual([twice, forwarding]);
	});

	test('nothing new while something is drawn', () => {
		expect(settled(lab, [twice, forwarding], { ...rest, all: true })).toEqual([]);
	});

	test('nothing new of the cable that is being filled in, its ends and where they are', () => {
		expect(settled(lab, [twice, forwarding, down], { ...rest, cable: 'c3' })).toEqual([twice, down]);
		expect(settled(lab, [twice, loopback], { ...rest, cable: 'c1' })).toEqual([loopback]);
	});

	test('nothing new of what somebody types about', () => {
		expect(settled(lab, [twice, forwarding, down], { ...rest, typed: new Set(['c1', 'blue:veth-blue']) })).toEqual([
			forwarding,
		]);
	});

	test('it goes as soon as it is not said any longer, and has the newest words', () => {
		const reworded = { ...forwarding, message: 'host is odder' };
		expect(stillHeld([twice, forwarding], [reworded, down])).toEqual([reworded]);
	});
});
