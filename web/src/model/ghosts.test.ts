import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyEdits, anyLab, drawn, tryEdit } from '../../test/lab';
import type { Edit, Lab } from '../wire/types.gen';
import { applyEdits } from './edit';
import { computeGeometry } from './geometry';
import { type Ghosts, ghostsOf } from './ghosts';

const start = drawn(
	'host: red blue =br0',
	'lan office',
	'red:veth-red 10.0.0.1/24 -- br0:veth-red-br',
	'host:eth0 -- office:port1',
);

/** What going back from after some edits would do. */
function undoing(...edits: Edit[]): Ghosts {
	const now = applyEdits(start, edits);
	return ghostsOf(now, start, computeGeometry(now));
}

function words({ boxes, curves, jacks }: Ghosts): string[] {
	return [
		...boxes.map((g) => `${g.does} ${g.name}`),
		...curves.map((g) => `${g.does} ${g.id}`),
		...jacks.map((g) => [g.does, g.id, ...g.rows].join(' ')),
	].toSorted();
}

test.each<[string, Edit[], string[]]>([
	[
		'what was deleted comes again, with its cable',
		[{ delete: { id: 'red' } }],
		['add br0:veth-red-br veth-red-br', 'add c1', 'add red', 'add red:veth-red veth-red 10.0.0.1/24'],
	],
	['what was made goes', [{ addNode: { id: 'g', name: 'green', kind: 'namespace', in: 'host' } }], ['remove green']],
	[
		'a node that was changed',
		[{ setSysctl: { node: 'host', name: 'net.ipv4.ip_forward', value: '1' } }],
		['change host'],
	],
	['a loopback, at its node', [{ updateInterface: { id: 'red.lo', up: true } }], ['change red']],
	[
		'a LAN’s switch, at the LAN',
		[{ updateInterface: { id: 'office.switch', options: 'stp_state 1' } }],
		['change office'],
	],
	[
		'an interface that was changed',
		[{ deleteAddress: { interface: 'red:veth-red', address: '10.0.0.1/24' } }],
		['change red:veth-red'],
	],
	[
		'a cable that was plugged elsewhere',
		[{ updateInterface: { id: 'br0:veth-red-br', master: '' } }],
		['change br0:veth-red-br', 'change c1'],
	],
	['a box that was moved', [{ place: { id: 'blue', x: 400, y: 200 } }], ['move blue']],
])('%s', (_, edits, want) => {
	expect(words(undoing(...edits))).toEqual(want);
});

test('what comes again is drawn where it will be, and what goes where it is', () => {
	const now = applyEdits(start, [
		{ delete: { id: 'red' } },
		{ addNode: { id: 'g', name: 'green', kind: 'namespace', in: 'host' } },
	]);
	const geometry = computeGeometry(now);
	const after = computeGeometry(start, { before: geometry });
	const { boxes } = ghostsOf(now, start, geometry);
	expect(boxes.find((g) => g.name === 'red')?.box).toEqual(after.boxes.red);
	expect(boxes.find((g) => g.name === 'green')?.box).toEqual(geometry.boxes.g);
});

test('any two labs: a lab has no ghost of itself, and each thing at most one', () => {
	fc.assert(
		fc.property(anyLab, anyEdits, (lab: Lab, edits) => {
			const now = edits.reduce(tryEdit, lab);
			const geometry = computeGeometry(now);
			expect(words(ghostsOf(now, now, geometry))).toEqual([]);
			const { boxes, curves, jacks } = ghostsOf(now, lab, geometry);
			for (const list of [boxes, curves, jacks]) expect(new Set(list.map((g) => g.id)).size).toBe(list.length);
		}),
		{ numRuns: 40 },
	);
});
