import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyLab, drawn } from '../../test/lab';
import type { Lab } from '../wire/types.gen';
import { overlap } from './boxes';
import { outward, pathOf, pointOn } from './curves';
import { applyEdits } from './edit';
import {
	bounds,
	computeGeometry,
	contains,
	type Geometry,
	isUpright,
	type Jack,
	jackAt,
	machineAt,
	nearestBox,
	thingAt,
} from './geometry';
import { labelWidth, rectsOf, rowsOf } from './labels';
import { headerHeight, jackGap, padding } from './sizes';
import { holderOf, thingsOf } from './things';

/** The jacks of each side of each node. */
function sidesOf(g: Geometry): Jack[][] {
	const sides = new Map<string, Jack[]>();
	for (const j of Object.values(g.jacks)) {
		const key = `${j.box} ${j.side}`;
		sides.set(key, [...(sides.get(key) ?? []), j]);
	}
	return [...sides.values()];
}

function laws(check: (lab: Lab, g: Geometry) => void): void {
	fc.assert(fc.property(anyLab, (lab) => check(lab, computeGeometry(lab))));
}

describe('in any lab', () => {
	test('jacks of a side are at least 22 px apart, and on it', () => {
		laws((_, g) => {
			for (const side of sidesOf(g)) {
				const along = side.map((j) => (isUpright(j.side) ? j.y : j.x)).sort((a, b) => a - b);
				for (const [at, spot] of along.entries()) {
					if (at > 0) expect(spot - (along[at - 1] ?? 0)).toBeGreaterThanOrEqual(jackGap);
				}
				for (const j of side) {
					const box = g.boxes[j.box];
					expect(box && contains(box, j)).toBe(true);
				}
			}
		});
	});

	test('what is in a machine is drawn in its box, below its header', () => {
		laws((lab, g) => {
			for (const t of thingsOf(lab)) {
				const [own, outer] = [g.boxes[t.id], t.within ? g.boxes[t.within] : undefined];
				if (!own || !outer) continue;
				expect(own.x).toBeGreaterThanOrEqual(outer.x + padding);
				expect(own.y).toBeGreaterThanOrEqual(outer.y + headerHeight);
				expect(own.x + own.w).toBeLessThanOrEqual(outer.x + outer.w - padding);
				expect(own.y + own.h).toBeLessThanOrEqual(outer.y + outer.h - padding);
			}
		});
	});

	test('a cable goes from jack to jack', () => {
		laws((lab, g) => {
			for (const c of Object.values(lab.cables)) {
				const curve = g.curves[c.id];
				expect(curve?.[0]).toMatchObject({ x: g.jacks[c.ends[0]]?.x, y: g.jacks[c.ends[0]]?.y });
				expect(curve?.[3]).toMatchObject({ x: g.jacks[c.ends[1]]?.x, y: g.jacks[c.ends[1]]?.y });
			}
		});
	});

	test('a jack is on the bridge that it is a port of, above or below it; else on its node', () => {
		laws((lab, g) => {
			for (const [id, j] of Object.entries(g.jacks)) {
				const i = lab.interfaces[id];
				if (!i) continue;
				expect(j.box).toBe(holderOf(lab, i));
				if (lab.interfaces[j.box] || lab.nodes[j.box]?.kind === 'lan') expect(isUpright(j.side)).toBe(false);
			}
		});
	});

	test('what is on top of an interface hangs from its jack', () => {
		laws((lab, g) => {
			for (const i of Object.values(lab.interfaces)) {
				if (!i.parent || !g.jacks[i.parent]) continue;
				expect(g.stems[i.id]?.[0]).toMatchObject({ x: g.jacks[i.id]?.x, y: g.jacks[i.id]?.y });
				expect(g.stems[i.id]?.[3]).toMatchObject({ x: g.jacks[i.parent]?.x, y: g.jacks[i.parent]?.y });
			}
		});
	});

	test('labels of one side do not lie over each other', () => {
		laws((lab, g) => {
			for (const [id, j] of Object.entries(g.jacks)) {
				for (const [otherID, other] of Object.entries(g.jacks)) {
					if (id >= otherID || j.box !== other.box || j.side !== other.side || !isUpright(j.side)) continue;
					const [a, b] = [lab.interfaces[id], lab.interfaces[otherID]];
					if (!a || !b || j.label.name !== -6 || other.label.name !== -6) continue; // made way for a third
					const rects = [
						rectsOf(j, j.label, labelWidth(a), rowsOf(a)),
						rectsOf(other, other.label, labelWidth(b), rowsOf(b)),
					];
					for (const r of rects[0] ?? []) {
						for (const o of rects[1] ?? []) expect(r.bottom <= o.top || o.bottom <= r.top).toBe(true);
					}
				}
			}
		});
	});

	test('drawn again, everything is the same object', () => {
		laws((lab, g) => {
			const again = computeGeometry(structuredClone(lab), { before: g });
			expect(again.boxes).toBe(g.boxes);
			expect(again.jacks).toBe(g.jacks);
			expect(again.curves).toBe(g.curves);
			expect(again.stems).toBe(g.stems);
		});
	});
});

describe('nodes that nobody has put anywhere', () => {
	const names = (count: number) => Array.from({ length: count }, (_, at) => `n${at}`).join(' ');

	test('do not overlap, however many, and a thousand take no time', () => {
		const lab = drawn(`host: ${names(1000)}`);
		const { boxes } = computeGeometry(lab);
		const took = [1, 2, 3].map(() => {
			const begun = performance.now();
			computeGeometry(lab);
			return performance.now() - begun;
		});
		expect(Math.min(...took)).toBeLessThan(1000); // ms; the machine may be busy with others
		const inside = Object.entries(boxes).flatMap(([id, b]) => (id === 'host' ? [] : [b]));
		inside.sort((a, b) => a.x - b.x || a.y - b.y);
		for (const [at, b] of inside.entries()) {
			for (const other of inside.slice(at + 1, at + 40)) expect(overlap(b, other)).toBe(false);
		}
	});

	test('stay when others come and go', () => {
		const lab = drawn(`host: ${names(6)}`);
		const before = computeGeometry(lab);
		const fewer = applyEdits(lab, [{ delete: { id: 'n0' } }]);
		const after = computeGeometry(fewer, { before });
		for (const id of ['n1', 'n2', 'n3', 'n4', 'n5']) expect(after.boxes[id]).toBe(before.boxes[id]);
		const more = applyEdits(fewer, [{ addNode: { id: 'late', name: 'late', kind: 'namespace', in: 'host' } }]);
		expect(computeGeometry(more, { before: after }).boxes.late).toEqual(before.boxes.n0);
	});

	test('leave room for those that have a place', () => {
		const lab = applyEdits(drawn('host: red blue'), [{ place: { id: 'blue', x: 40, y: 64 } }]);
		const { boxes } = computeGeometry(lab);
		expect(boxes.red && boxes.blue && overlap(boxes.red, boxes.blue)).toBe(false);
	});

	test('stand around the bridge that they are plugged into', () => {
		const lab = drawn(
			'host: red blue green orange =v-net-0',
			'neighbour:',
			'lan office',
			...['red', 'blue', 'green', 'orange'].map((n) => `${n}:veth-${n} -- v-net-0:veth-${n}-br`),
			'host:eth0 -- office:port1',
			'neighbour:eth0 -- office:port2',
		);
		const { boxes, jacks } = computeGeometry(lab);
		const all = Object.values(boxes);
		const outer = ['host', 'neighbour', 'office'].flatMap((id) => boxes[id] ?? []);
		for (const [at, b] of all.entries()) {
			for (const o of all.slice(at + 1)) {
				if (!outer.includes(b) && !outer.includes(o)) expect(overlap(b, o)).toBe(false);
			}
		}
		for (const [at, b] of outer.entries()) for (const o of outer.slice(at + 1)) expect(overlap(b, o)).toBe(false);
		expect(['red', 'blue', 'green', 'orange'].map((n) => jacks[`v-net-0:veth-${n}-br`]?.side)).toEqual([
			'top',
			'top',
			'bottom',
			'bottom',
		]);
		expect(boxes.office?.y).toBeGreaterThan((boxes.host?.y ?? 0) + (boxes.host?.h ?? 0));
		expect(jacks['host:eth0']?.side).toBe('bottom');
	});

	test('machines stand side by side', () => {
		const { boxes } = computeGeometry(drawn('a: x y z', 'b: u', 'c:'));
		for (const [one, two] of ['ab', 'bc', 'ac']) {
			const [p, q] = [boxes[one ?? ''], boxes[two ?? '']];
			expect(p && q && overlap(p, q)).toBe(false);
		}
	});
});

describe('the side of a jack', () => {
	const at = (x: number, y: number) => ({ place: { id: 'blue', x, y } });
	test.each([
		['right', 600, 200],
		['left', 24, 200],
		['bottom', 300, 500],
		['top', 300, 44],
	])('faces its peer: %s', (side, x, y) => {
		const lab = drawn('host: red blue', 'red:a -- blue:b');
		const placed = applyEdits(lab, [{ place: { id: 'red', x: 300, y: 240 } }, at(x, y)]);
		expect(computeGeometry(placed).jacks['red:a']?.side).toBe(side);
	});

	test('of a machine is on its border, and its cable leads into the box', () => {
		const jack = computeGeometry(drawn('host: red', 'red:a -- host:b')).jacks['host:b'];
		expect(jack).toMatchObject({ side: 'bottom', inward: true });
		expect(jack && outward(jack)).toEqual({ x: 0, y: -1 });
	});

	test('two parallel cables are parallel', () => {
		const g = computeGeometry(drawn('host: red blue', 'red:a 10.0.0.1/24 10.0.1.1/24 -- blue:b', 'red:c -- blue:d'));
		for (const [a, b] of [
			['red:a', 'blue:b'],
			['red:c', 'blue:d'],
		] as const) {
			expect(g.jacks[a]?.y).toBe(g.jacks[b]?.y);
		}
	});
});

test('a machine does not grow after what is dragged out of it', () => {
	const lab = drawn('host: red blue');
	const before = computeGeometry(lab);
	const dragged = computeGeometry(lab, { before, moving: { blue: { x: 2000, y: 64 } } });
	expect(dragged.boxes.host).toBe(before.boxes.host);
	expect(dragged.boxes.blue?.x).toBe(2000);
	const { moving } = { moving: { host: { x: 100, y: 100 } } };
	expect(computeGeometry(lab, { before, moving }).boxes.red).toMatchObject({ x: 140, y: 164 }); // goes along
});

describe('what is where', () => {
	const lab = drawn('host: red blue', 'red:a -- blue:b');
	const g = computeGeometry(lab);
	test.each([
		[{ x: 60, y: 80 }, 'red', 'host'],
		[{ x: 36, y: 80 }, 'red', 'host'], // a few pixels of mercy
		[{ x: 10, y: 10 }, 'host', 'host'],
		[{ x: -50, y: 10 }, undefined, undefined],
	])('at %j: %s', (p, node, machine) => {
		expect(thingAt(lab, g, p)).toBe(node);
		expect(machineAt(lab, g, p)).toBe(machine);
	});

	test('a jack is found within its 24 px', () => {
		const j = g.jacks['red:a'] ?? { x: 0, y: 0 };
		expect(jackAt(g, { x: j.x + 11, y: j.y })).toBe('red:a');
		expect(jackAt(g, { x: j.x + 13, y: j.y })).toBeUndefined();
	});

	test('the nearest node in a direction', () => {
		const { host: _, ...inside } = g.boxes;
		expect(nearestBox(inside, { x: 106, y: 96 }, 'right')).toBe('blue');
		expect(nearestBox(inside, { x: 106, y: 96 }, 'left')).toBeUndefined();
	});

	test('what some things span', () => {
		expect(bounds(g.boxes, new Set(['red', 'blue']))).toMatchObject({ x: 40, y: 64, h: 64 });
		expect(bounds({})).toBeUndefined();
	});

	test('a curve begins and ends where it should', () => {
		const curve =
			g.curves.c1 ??
			([
				{ x: 0, y: 0 },
				{ x: 0, y: 0 },
				{ x: 0, y: 0 },
				{ x: 0, y: 0 },
			] as const);
		expect(pointOn(curve, 0)).toEqual(curve[0]);
		expect(pointOn(curve, 1)).toEqual(curve[3]);
		expect(pathOf(curve)).toBe(
			`M${curve[0].x},${curve[0].y}C${curve
				.slice(1)
				.map((p) => `${p.x},${p.y}`)
				.join(' ')}`,
		);
	});
});
