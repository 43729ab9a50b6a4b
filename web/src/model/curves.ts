// The curves of cables, from jack to jack.
import type { Box, Point } from './boxes';
import type { Jack, Side } from './geometry';

/** A cubic Bézier curve: from, two control points, to. */
export type Curve = readonly [Point, Point, Point, Point];

export function outward(j: { side: Side; inward: boolean }): Point {
	const sign = j.inward ? -1 : 1;
	switch (j.side) {
		case 'left':
			return { x: -sign, y: 0 };
		case 'right':
			return { x: sign, y: 0 };
		case 'top':
			return { x: 0, y: -sign };
		case 'bottom':
			return { x: 0, y: sign };
	}
}

/** How far a curve goes straight out of a jack, in px: so much by itself, and at least. */
function reachOf(a: Jack, b: Jack): number {
	return Math.min(140, Math.max(least, Math.hypot(b.x - a.x, b.y - a.y) * 0.4));
}

const least = 28;

function curveBetween(a: Jack, b: Jack, fromA = reachOf(a, b), fromB = fromA): Curve {
	const [na, nb] = [outward(a), outward(b)];
	return [
		{ x: a.x, y: a.y },
		{ x: a.x + na.x * fromA, y: a.y + na.y * fromA },
		{ x: b.x + nb.x * fromB, y: b.y + nb.y * fromB },
		{ x: b.x, y: b.y },
	];
}

/** The boxes that cables go around where they can. */
export class Terrain {
	private readonly cells = new Map<number, [id: string, box: Box][]>();

	constructor(
		boxes: Readonly<Record<string, Box>>,
		/** Each box's ancestors. */
		private readonly around: Readonly<Record<string, readonly string[]>>,
	) {
		for (const [id, b] of Object.entries(boxes)) {
			for (let x = b.x; x < b.x + b.w + cell; x += cell) {
				for (let y = b.y; y < b.y + b.h + cell; y += cell) {
					const key = cellAt(x, y);
					const list = this.cells.get(key);
					if (list) list.push([id, b]);
					else this.cells.set(key, [[id, b]]);
				}
			}
		}
	}

	/** From jack to jack: as it comes, or bent the other way where that leads behind fewer boxes. */
	curve(a: Jack, b: Jack): Curve {
		const own = new Set([a.box, b.box, ...(this.around[a.box] ?? []), ...(this.around[b.box] ?? [])]);
		const plain = curveBetween(a, b);
		let [found, hidden] = [plain, this.hidden(plain, own)];
		if (hidden === 0) return found;
		const [farA, farB] = [ahead(a, b), ahead(b, a)];
		for (const [fromA, fromB] of [
			[farA, least],
			[least, farB],
			[farA, farB],
			[least, least],
		] as const) {
			const other = curveBetween(a, b, fromA, fromB);
			const count = this.hidden(other, own);
			if (count < hidden) [found, hidden] = [other, count];
		}
		return found;
	}

	/** How many of some points of a curve are behind boxes that are not its own. */
	private hidden(curve: Curve, own: ReadonlySet<string>): number {
		let count = 0;
		for (let at = 1; at < samples; at++) {
			const p = pointOn(curve, at / samples);
			const near = this.cells.get(cellAt(p.x, p.y));
			if (near?.some(([id, b]) => isOn(b, p) && !own.has(id))) count++;
		}
		return count;
	}
}

const cell = 128; // px
const samples = 20; // of a curve

/** The square of so many px in which a point is: one number for each, however far out. */
function cellAt(x: number, y: number): number {
	return Math.floor(x / cell) * 0x100000 + Math.floor(y / cell);
}

/** How far a jack could go straight until it is level with another. */
function ahead(j: Jack, to: Point): number {
	const n = outward(j);
	return Math.max(least, (to.x - j.x) * n.x + (to.y - j.y) * n.y);
}

function isOn(b: Box, p: Point): boolean {
	return p.x >= b.x && p.x <= b.x + b.w && p.y >= b.y && p.y <= b.y + b.h;
}

/** Along a border between two of its jacks, in a flat bow; else as a cable. */
export function stemBetween(a: Jack, b: Jack): Curve {
	if (a.box !== b.box || a.side !== b.side) return curveBetween(a, b);
	const n = outward(a);
	const bow = (p: Point) => ({ x: p.x + n.x * 9, y: p.y + n.y * 9 });
	return [{ x: a.x, y: a.y }, bow(a), bow(b), { x: b.x, y: b.y }];
}

export function pathOf([a, c, d, b]: Curve): string {
	return `M${a.x},${a.y}C${c.x},${c.y} ${d.x},${d.y} ${b.x},${b.y}`;
}

/** The point at t, 0..1. */
export function pointOn([a, c, d, b]: Curve, t: number): Point {
	const u = 1 - t;
	const [wa, wc, wd, wb] = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t];
	return { x: wa * a.x + wc * c.x + wd * d.x + wb * b.x, y: wa * a.y + wc * c.y + wd * d.y + wb * b.y };
}
