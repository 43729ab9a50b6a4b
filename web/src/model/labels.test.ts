import { expect, test } from 'vitest';
import { drawn } from '../../test/lab';
import type { Edit, Interface, Lab } from '../wire/types.gen';
import { type Curve, pointOn } from './curves';
import { applyEdits } from './edit';
import { computeGeometry, type Jack } from './geometry';
import { contact, labelWidth, rectsOf, rowsOf } from './labels';

const labelOf = (j: Jack, i: Interface) => rectsOf(j, j.label, labelWidth(i), rowsOf(i));

function down(lab: Lab): Lab {
	return applyEdits(
		lab,
		Object.keys(lab.interfaces).map((id): Edit => ({ updateInterface: { id, up: false } })),
	);
}

test('labels of what is typed before it is moved anywhere cover neither each other nor open contacts', () => {
	const names = ['red', 'blue', 'green', 'orange'];
	const lab = down(drawn('host:', ...names.map((n) => `host:veth-${n} -- host:veth-${n}-br`)));
	const { jacks } = computeGeometry(lab);
	const labels = Object.values(lab.interfaces).flatMap((i) => {
		const j = jacks[i.id];
		return j ? labelOf(j, i) : [];
	});
	expect(labels).toHaveLength(8);
	for (const [at, r] of labels.entries()) {
		for (const o of labels.slice(at + 1)) {
			expect(r.right <= o.left || o.right <= r.left || r.bottom <= o.top || o.bottom <= r.top).toBe(true);
		}
		for (const j of Object.values(jacks)) {
			const isBeside = r.right <= j.x - contact.half || r.left >= j.x + contact.half;
			expect(isBeside || r.top >= j.y + contact.far).toBe(true);
		}
	}
});

test('a label goes where no cable crosses it, be it its own or another', () => {
	const ns = ['red', 'blue', 'green', 'orange'];
	const cables = ns.map((n, at) => `${n}:veth-${n} 192.168.15.${at + 1}/24 -- v-net-0:veth-${n}-br`);
	const lab = applyEdits(drawn(`host: ${ns.join(' ')} =v-net-0`, ...cables), [
		{ place: { id: 'red', x: 180, y: 64 } },
		{ place: { id: 'blue', x: 388, y: 64 } },
		{ place: { id: 'green', x: 214, y: 196 } },
		{ place: { id: 'orange', x: 562, y: 196 } },
		{ place: { id: 'v-net-0', x: 288, y: 360 } },
	]);
	const { jacks, curves } = computeGeometry(lab);
	for (const i of Object.values(lab.interfaces)) {
		const j = jacks[i.id];
		for (const r of j ? labelOf(j, i) : []) {
			const crossed = Object.values(curves).filter((c) =>
				Array.from({ length: 201 }, (_, at) => pointOn(c, at / 200)).some(
					(p) => p.x > r.left && p.x < r.right && p.y > r.top && p.y < r.bottom,
				),
			);
			expect(crossed).toEqual([]);
		}
	}
});

test('what impairs a cable is written over it, and not over another where that can be', () => {
	const cables = ['red:a -- blue:b', 'green:c -- orange:d'];
	const lab = applyEdits(drawn('host: red blue green orange', ...cables), [
		{ place: { id: 'red', x: 40, y: 60 } },
		{ place: { id: 'blue', x: 640, y: 60 } },
		{ place: { id: 'green', x: 340, y: 0 } },
		{ place: { id: 'orange', x: 360, y: 400 } },
		{ updateInterface: { id: 'red:a', impair: 'rate 64kbit' } },
		{ updateInterface: { id: 'green:c', impair: 'cut' } },
		{ updateInterface: { id: 'orange:d', impair: 'cut' } },
	]);
	const { marks, curves } = computeGeometry(lab);
	expect([marks.c1?.rows, marks.c2?.rows]).toEqual([['→ 64 kbit'], ['↕ ✕']]);
	for (const [id, mark] of Object.entries(marks)) {
		const distance = (c: Curve) =>
			Math.min(
				...Array.from({ length: 201 }, (_, at) => pointOn(c, at / 200)).map((p) =>
					Math.max(Math.abs(p.x - mark.x) - 25, Math.abs(p.y - mark.y) - 6),
				),
			);
		for (const [other, curve] of Object.entries(curves)) {
			if (other === id) expect(distance(curve)).toBeLessThan(0);
			else expect(distance(curve)).toBeGreaterThanOrEqual(0);
		}
	}
});
