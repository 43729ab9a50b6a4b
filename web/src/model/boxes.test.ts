import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawn } from '../../test/lab';
import type { Edit, Lab } from '../wire/types.gen';
import { type Box, overlap } from './boxes';
import { applyEdits } from './edit';
import { computeGeometry } from './geometry';
import { thingsOf } from './things';

/** A machine with two nodes, another right of it, and a LAN below both. */
const beside: Edit[] = [
	{ place: { id: 'a', x: 0, y: 0 } },
	{ place: { id: 'b', x: 416, y: 0 } },
	{ place: { id: 'office', x: 200, y: 280 } },
	{ place: { id: 'red', x: 40, y: 64 } },
	{ place: { id: 'green', x: 40, y: 64 } },
];
const before = applyEdits(drawn('a: red', 'b: green', 'lan office'), beside);

function boxesWith(...edits: Edit[]): Record<string, Box> {
	return computeGeometry(edits.length > 0 ? applyEdits(before, edits) : before).boxes;
}

const added = (x: number, y: number): Edit => ({
	addNode: { id: 'blue', name: 'blue', kind: 'namespace', in: 'a', place: { x, y } },
});

describe('a machine that grows', () => {
	test('leaves the others where they are while it has room', () => {
		const { blue, ...others } = boxesWith(added(160, 80));
		expect(blue).toBeDefined();
		expect(others).toEqual(boxesWith());
	});

	test('to the right moves the one on its right, and the LAN stays', () => {
		const { a, b, green, office } = boxesWith(added(400, 64));
		expect(b?.x).toBeGreaterThanOrEqual((a?.x ?? 0) + (a?.w ?? 0) + 64);
		expect([b?.y, green?.x]).toEqual([0, (b?.x ?? 0) + 40]);
		expect(office).toEqual(boxesWith().office);
	});

	test('downwards moves the LAN below it, and the other machine stays', () => {
		const { a, b, office } = boxesWith(added(40, 240));
		expect(office?.y).toBeGreaterThanOrEqual((a?.h ?? 0) + 64);
		expect(office?.x).toBe(200);
		expect(b).toEqual(boxesWith().b);
	});

	test('and becomes small again gives the room back', () => {
		const grown = applyEdits(before, [added(400, 240)]);
		const g = computeGeometry(grown);
		const small = computeGeometry(before, { before: g });
		expect(small.boxes).toEqual(boxesWith());
	});

	test('keeps the order of those that it pushes aside', () => {
		const row = applyEdits(drawn('a: red', 'b:', 'c:'), [
			{ place: { id: 'a', x: 0, y: 0 } },
			{ place: { id: 'red', x: 40, y: 64 } },
			{ place: { id: 'b', x: 536, y: 0 } },
			{ place: { id: 'c', x: 1072, y: 0 } },
		]);
		for (let x = 200; x < 1800; x += 40) {
			const { a, b, c } = computeGeometry(applyEdits(row, [added(x, 64)])).boxes;
			const [right, left] = [(a?.x ?? 0) + (a?.w ?? 0), (b?.x ?? 0) + (b?.w ?? 0)];
			expect((b?.x ?? 0) - right).toBeGreaterThanOrEqual(16);
			expect((c?.x ?? 0) - left).toBeGreaterThanOrEqual(16);
		}
	});

	test('under a drag only when it is let go', () => {
		const wide = applyEdits(before, [added(120, 150)]);
		const g = computeGeometry(wide, { moving: { blue: { x: 400, y: 64 } } });
		expect(g.boxes.b).toEqual(boxesWith().b);
		expect(g.boxes.blue?.x).toBe(400);
	});
});

test('a bridge that grows moves what stands at its end', () => {
	const ports = Array.from({ length: 6 }, (_, at) => `green:veth-long${at} -- br0:veth-long${at}-br`);
	let lab: Lab = applyEdits(drawn('a: red =br0', 'b: green', ...ports), [
		{ place: { id: 'br0', x: 40, y: 200 } },
		{ place: { id: 'red', x: 260, y: 190 } },
	]);
	const { br0, red } = computeGeometry(lab).boxes;
	expect(br0?.w).toBeGreaterThan(300);
	expect([red?.x, red?.y]).toEqual([expect.any(Number), 190]);
	expect(red?.x).toBeGreaterThan((br0?.x ?? 0) + (br0?.w ?? 0));
	lab = applyEdits(lab, [{ place: { id: 'red', x: 80, y: 190 } }]);
	expect(computeGeometry(lab).boxes.br0?.y).toBeGreaterThan(190 + (red?.h ?? 0));
});

test('wherever machines, LANs and bridges are put, they lie on nothing', () => {
	const lab = drawn(
		'a: red blue =br0',
		'b: green =br1',
		'c:',
		'lan office',
		'lan home',
		'red:e -- br0:p',
		'green:e -- br1:p1',
	);
	const things = thingsOf(lab);
	const places = fc.tuple(...things.map(() => fc.record({ x: fc.nat(600), y: fc.nat(400) })));
	fc.assert(
		fc.property(places, (list) => {
			const edits = things.map(({ id, within }, at): Edit => {
				const { x = 0, y = 0 } = list[at] ?? {};
				return { place: { id, x: x + (within ? 24 : 0), y: y + (within ? 44 : 0) } };
			});
			const { boxes } = computeGeometry(applyEdits(lab, edits));
			for (const a of things) {
				for (const b of things) {
					const [own, other] = [boxes[a.id], boxes[b.id]];
					if (a === b || a.within !== b.within || !own || !other) continue;
					if (a.shape === 'namespace' && b.shape === 'namespace') continue; // somebody put it there
					expect(overlap(own, other), `${a.name} and ${b.name}`).toBe(false);
				}
			}
		}),
	);
});
