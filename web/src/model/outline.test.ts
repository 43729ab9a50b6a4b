import { describe, expect, test } from 'vitest';
import { drawn } from '../../test/lab';
import type { Link } from '../wire/types.gen';
import { applyEdits } from './edit';
import { afterDelete, outline, spoken } from './outline';

const lab = drawn('host: red blue', 'pc:', 'red:veth-red 10.0.0.1/24 -- blue:veth-blue', 'host:eth0 -- pc:eth0');

test('the tree has each machine, its interfaces, and what is in it with theirs', () => {
	const lines = outline(lab).map((i) => `${'  '.repeat(i.level - 1)}${i.name} ${i.position}/${i.size} ${i.detail}`);
	expect(lines).toEqual([
		'host 1/2 machine',
		'  eth0 1/3 to pc:eth0',
		'  red 2/3 namespace',
		'    veth-red 1/1 10.0.0.1/24 to blue:veth-blue',
		'  blue 3/3 namespace',
		'    veth-blue 1/1 to red:veth-red',
		'pc 2/2 machine',
		'  eth0 1/1 to host:eth0',
	]);
});

test('it says what is down', () => {
	const down = applyEdits(lab, [{ updateInterface: { id: 'pc:eth0', up: false } }]);
	expect(outline(down).at(-1)?.detail).toBe('to host:eth0, down');
});

test.each([
	['red', 'blue', 'the next sibling'],
	['blue', 'red', 'the one before'],
	['host:eth0', 'red', 'whatever is next in the same box'],
	['red:veth-red', 'red', 'the parent'],
	['c1', 'red', 'a node that the cable was in'],
	['host', 'pc', 'the next machine'],
])('when %s is deleted, the focus goes to %s: %s', (id, want, _) => {
	expect(afterDelete(lab, applyEdits(lab, [{ delete: { id } }]), id)).toBe(want);
});

describe('spoken', () => {
	const link = (carrier: boolean): Link => ({ index: 2, carrier, operState: '', addresses: [] });
	test.each([
		['red', 'red, namespace in host, 1 of 2, 1 of 1 interface up, 10.0.0.1/24'],
		['blue', 'blue, namespace in host, 2 of 2, 0 of 1 interface up'],
		['pc', 'pc, machine, 2 of 2, 0 of 1 interface up'],
		['red:veth-red', 'veth-red of red, up, 10.0.0.1/24, to veth-blue of blue'],
		['blue:veth-blue', 'veth-blue of blue, no carrier, to veth-red of red'],
		['c1', 'cable red:veth-red to blue:veth-blue'],
		['gone', ''],
	])('%s: "%s"', (id, want) => {
		expect(spoken(lab, id, { 'red:veth-red': link(true), 'blue:veth-blue': link(false) }, true)).toBe(want);
	});

	test('a node without a cable says so', () => {
		expect(spoken(drawn('host: red'), 'red', {}, true)).toBe('red, namespace in host, 1 of 1, no cable');
	});
});
