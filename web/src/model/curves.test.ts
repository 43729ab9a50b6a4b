import { expect, test } from 'vitest';
import { drawn } from '../../test/lab';
import type { Edit, Lab } from '../wire/types.gen';
import type { Box } from './boxes';
import { pointOn } from './curves';
import { applyEdits } from './edit';
import { computeGeometry, contains, type Geometry } from './geometry';

const at = (id: string, x: number, y: number): Edit => ({ place: { id, x, y } });

/** Which boxes a cable is drawn behind, in any of a hundred points. */
function behind(lab: Lab, g: Geometry, cable: string): string[] {
	const ends = lab.cables[cable]?.ends ?? [];
	const own = new Set(ends.flatMap((end) => [g.jacks[end]?.box, lab.nodes[lab.interfaces[end]?.node ?? '']?.in]));
	const curve = g.curves[cable];
	return Object.entries<Box>(g.boxes).flatMap(([id, box]) => {
		if (!curve || own.has(id)) return [];
		return Array.from({ length: 101 }, (_, n) => n / 100).some((t) => contains(box, pointOn(curve, t), -4)) ? [id] : [];
	});
}

test.each([
	['aside of a node in the way', [at('red', 40, 64), at('green', 214, 196), at('br0', 380, 380)]],
	['as it comes', [at('red', 40, 64), at('green', 600, 64), at('br0', 40, 300)]],
])('a cable to a bridge leads %s', (_, places) => {
	const lab = applyEdits(drawn('host: red green =br0', 'red:e -- br0:p1', 'green:e -- br0:p2'), places);
	const g = computeGeometry(lab);
	expect(behind(lab, g, 'c1')).toEqual([]);
	expect(behind(lab, g, 'c2')).toEqual([]);
});

test('a cable to a LAN leads around a machine between', () => {
	const lab = applyEdits(drawn('a: red', 'b: blue', 'lan office', 'a:eth0 -- office:port1', 'b:eth0 -- office:port2'), [
		at('a', 0, 0),
		at('red', 500, 300),
		at('b', 820, 0),
		at('office', 380, 520),
	]);
	expect(behind(lab, computeGeometry(lab), 'c2')).toEqual([]);
});

test('a cable leads around a node that stands right between its ends', () => {
	const lab = applyEdits(drawn('host: red blue green', 'red:e -- green:e', 'red:f -- blue:f'), [
		at('red', 40, 64),
		at('blue', 300, 64),
		at('green', 560, 64),
	]);
	expect(behind(lab, computeGeometry(lab), 'c1')).toEqual([]);
});

test('where there is no way around, the cable is drawn all the same', () => {
	const names = Array.from({ length: 9 }, (_, n) => `n${n}`);
	const wall = names.map((n, k) => at(n, 300, 64 + 64 * k));
	const lab = applyEdits(drawn(`host: red green ${names.join(' ')}`, 'red:e -- green:e'), [
		at('red', 40, 340),
		at('green', 560, 340),
		...wall,
	]);
	expect(behind(lab, computeGeometry(lab), 'c1')).toHaveLength(1); // and not along the wall
});

test('cables to the machine’s own border pass beside the nodes between, not behind them', () => {
	const names = Array.from({ length: 24 }, (_, n) => `n${n}`);
	const lab = drawn(`host: ${names.join(' ')}`, ...names.map((n, k) => `${n}:e -- host:h${k}`));
	const g = computeGeometry(lab);
	for (const id of Object.keys(lab.cables)) expect(behind(lab, g, id), id).toEqual([]);
});
