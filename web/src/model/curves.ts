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
	return Math.min(140, Math.max(shortest, Math.hypot(b.x - a.x, b.y - a.y) * 0.4));
}

const shortest = 28;

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
	private readonly gates = new Map<string, number>(); // how many cables have been given each gap

	constructor(
		private readonly boxes: Readonly<Record<string, Box>>,
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
		const own = this.familyOf(a.box, b.box);
		const plain = curveBetween(a, b);
		let [best, least] = [plain, this.blocked((t) => pointOn(plain, t), own)];
		if (least === 0) return best;
		const [farA, farB] = [ahead(a, b), ahead(b, a)];
		for (const [fromA, fromB] of [
			[farA, shortest],
			[shortest, farB],
			[farA, farB],
			[shortest, shortest],
			[1.25 * farA, shortest],
			[shortest, 1.25 * farB],
		] as const) {
			const other = curveBetween(a, b, fromA, fromB);
			const blocked = this.blocked((t) => pointOn(other, t), own);
			if (blocked < least) [best, least] = [other, blocked];
		}
		for (const aside of detours) {
			if (least === 0) break;
			const other = bent(plain, aside);
			const blocked = this.blocked((t) => pointOn(other, t), own);
			if (blocked < least) [best, least] = [other, blocked];
		}
		return best;
	}

	/**
	 * Where along the border of its machine a cable from a box is best plugged in: level with the box, or with the gap beside it
	 * where others are in between; of two such gaps the one that fewer cables have been given.
	 */
	gate(id: string, border: string, side: Side): number {
		const [box, outer] = [this.boxes[id] ?? nowhere, this.boxes[border] ?? nowhere];
		const upright = side === 'left' || side === 'right';
		const [middle, half] = upright ? [box.y + box.h / 2, box.h / 2] : [box.x + box.w / 2, box.w / 2];
		const [from, way] = upright
			? [box.x, side === 'left' ? outer.x - box.x : outer.x + outer.w - box.x]
			: [box.y, outer.y + outer.h - box.y];
		const own = this.familyOf(id);
		let [best, least] = [middle, Number.POSITIVE_INFINITY];
		for (const at of [middle, middle + half + beside, middle - half - beside]) {
			const blocked = this.blocked((t) => (upright ? { x: from + t * way, y: at } : { x: at, y: from + t * way }), own);
			const cost = blocked + (this.gates.get(`${border} ${side} ${at}`) ?? 0);
			if (cost < least) [best, least] = [at, cost];
		}
		const gate = `${border} ${side} ${best}`;
		if (best !== middle) this.gates.set(gate, (this.gates.get(gate) ?? 0) + 1);
		return best;
	}

	private familyOf(...ids: string[]): Set<string> {
		return new Set(ids.flatMap((id) => [id, ...(this.around[id] ?? [])]));
	}

	/** How much of a way, by so many points of it, lies behind boxes that are not `own`. */
	private blocked(way: (t: number) => Point, own: ReadonlySet<string>): number {
		let count = 0;
		for (let n = 1; n < samples; n++) {
			const p = way(n / samples);
			for (const [id, b] of this.cells.get(cellAt(p.x, p.y)) ?? noBoxes) {
				if (!isOn(b, p) || own.has(id)) continue;
				count++;
				break;
			}
		}
		return count;
	}
}

const noBoxes: [string, Box][] = [];
const nowhere: Box = { x: 0, y: 0, w: 0, h: 0 };
const beside = 20; // px from a box, where a cable passes it
const cell = 128; // px
const samples = 20; // of a cable's way

/** The square of so many px in which a point is: one number for each, however far out. */
function cellAt(x: number, y: number): number {
	return Math.floor(x / cell) * 0x100000 + Math.floor(y / cell);
}

const detours = [-80, 80, -140, 140, -220, 220]; // px aside of a curve's ends

/** A curve that keeps to one side of where it would lead. */
function bent([from, c, d, to]: Curve, aside: number): Curve {
	const length = Math.max(1, Math.hypot(to.x - from.x, to.y - from.y));
	const [x, y] = [(-(to.y - from.y) / length) * aside, ((to.x - from.x) / length) * aside];
	return [from, { x: c.x + x, y: c.y + y }, { x: d.x + x, y: d.y + y }, to];
}

/** How far a jack could go straight until it is level with another. */
function ahead(j: Jack, to: Point): number {
	const n = outward(j);
	return Math.max(shortest, (to.x - j.x) * n.x + (to.y - j.y) * n.y);
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
