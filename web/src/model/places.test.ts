import { expect, test } from 'vitest';
import { drawn } from '../../test/lab';
import { overlap } from './boxes';
import { computeGeometry } from './geometry';
import { slotsFor } from './places';
import { sizes } from './sizes';

test.each([
	['on a LAN, close together', ['a:eth0 -- office:port1', 'b:eth0 -- office:port2'], 96],
	['by a cable, with room for the labels of both ends', ['a:eth0 -- b:eth0'], 216],
	['by both', ['a:eth0 -- office:port1', 'b:eth0 -- office:port2', 'a:eth1 -- b:eth1'], 216],
	['from within', ['red:eth0 -- blue:eth0'], 216],
])('machines that are joined %s', (_, cables, want) => {
	const places = slotsFor(drawn('a: red', 'b: blue', 'lan office', ...cables));
	expect((places.b?.x ?? 0) - (places.a?.x ?? 0) - sizes.machine.w).toBe(want);
	expect(places.b?.y).toBe(places.a?.y);
});

/** Names of namespaces, each on the bridge of their machine. */
function star(count: number) {
	const names = Array.from({ length: count }, (_, at) => `n${at}`);
	return drawn(`host: ${names.join(' ')} =br0`, ...names.map((n) => `${n}:eth0 -- br0:${n}-br`));
}

test.each([4, 16, 17, 40, 200, 1000])(
	'a star of %i is no strip, and nothing in it overlaps',
	{ timeout: 30_000 },
	(count) => {
		const lab = star(count);
		const { boxes } = computeGeometry(lab);
		const machine = boxes.host;
		const inner = Object.entries(boxes).filter(([id]) => id !== 'host');
		expect(inner).toHaveLength(count + 1);
		if (count > 16) expect((machine?.w ?? 0) / (machine?.h ?? 1)).toBeLessThan(5);
		for (const [id, a] of inner) {
			const over = inner.filter(
				([other, b]) => other > id && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h,
			);
			expect(over, id).toEqual([]);
		}
	},
);

test.each([
	[4, 50],
	[9, 20],
	[30, 3],
])('%i bridges of %i nodes each are no strip', (bridges, count) => {
	const all = Array.from({ length: bridges }, (_, at) => `br${at}`);
	const nodes = all.flatMap((br, b) => Array.from({ length: count }, (_, at) => ({ br, name: `n${b}-${at}` })));
	const lab = drawn(
		`host: ${nodes.map((n) => n.name).join(' ')} ${all.map((br) => `=${br}`).join(' ')}`,
		...nodes.map(({ br, name }) => `${name}:eth0 -- ${br}:${name}-br`),
	);
	const { boxes } = computeGeometry(lab);
	expect((boxes.host?.w ?? 0) / (boxes.host?.h ?? 1)).toBeLessThan(3);
	const inner = Object.entries(boxes).filter(([id]) => id !== 'host');
	for (const [id, a] of inner) expect(inner.filter(([other, b]) => other > id && overlap(a, b), id)).toEqual([]);
});
