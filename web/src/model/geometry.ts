// Where things are drawn: boxes of nodes, jacks on their borders, labels beside the jacks, curves of cables. Everything is
// worked out from the lab and its places, in canvas pixels; nothing is measured on the page.
import type { Interface, Lab } from '../wire/types.gen';
import { cablesInOrder } from './lab';
import { type Label, labelHeight, labelWidth, placeLabels, rowsOf } from './labels';
import { type Places, slotsFor, withPlaces } from './places';
import { jackGap, padding, rowHeight, type Size, sizes } from './sizes';

export interface Point {
	x: number;
	y: number;
}

export interface Box extends Point {
	w: number;
	h: number;
}

export type Side = 'left' | 'right' | 'top' | 'bottom';

export interface Jack extends Point {
	node: string;
	side: Side;
	/** A machine's jack whose cable leads into its box. */
	inward: boolean;
	label: Label;
}

/** A cubic Bézier curve: from, two control points, to. */
export type Curve = readonly [Point, Point, Point, Point];

export interface Geometry {
	boxes: Record<string, Box>;
	jacks: Record<string, Jack>;
	curves: Record<string, Curve>;
	/** Places of nodes that the lab has none for. */
	slots: Places;
}

export interface Drawing {
	/** Nodes under the pointer, by where they are: relative to their machine. */
	moving?: Places;
	/** What was drawn before: what has not changed stays the same object, and nodes without a place keep their slots. */
	before?: Geometry;
	/** Rows of a label besides a name and its addresses. */
	extraRows?: number;
}

export const noGeometry: Geometry = { boxes: {}, jacks: {}, curves: {}, slots: {} };

export function computeGeometry(lab: Lab, { moving = {}, before = noGeometry, extraRows = 0 }: Drawing = {}): Geometry {
	const slots = slotsFor(lab, before.slots);
	const resting = withPlaces(lab, slots).places;
	const places: Where = { now: { ...resting, ...moving }, resting };
	const wired = wiring(lab, extraRows);
	const rough = boxesOf(lab, places, {});
	const sides: Sides = {};
	for (const i of wired.interfaces) sides[i.id] = sideOf(lab, rough, i, wired);
	const boxes = boxesOf(lab, places, needsOf(wired, sides));
	const jacks = placeJacks(lab, boxes, wired, sides);
	placeLabels(jacks, wired, inmostBoxes(lab, boxes));
	const curves: Record<string, Curve> = {};
	for (const c of Object.values(lab.cables)) {
		const [a, b] = [jacks[c.ends[0]], jacks[c.ends[1]]];
		if (a && b) curves[c.id] = curveBetween(a, b);
	}
	return {
		boxes: share(before.boxes, boxes, sameBox),
		jacks: share(before.jacks, jacks, sameJack),
		curves: share(before.curves, curves, sameCurve),
		slots,
	};
}

/** What labels keep clear of; a machine's box is full of them. */
function inmostBoxes(lab: Lab, boxes: Record<string, Box>): Box[] {
	return Object.values(lab.nodes).flatMap((n) => (n.in ? (boxes[n.id] ?? []) : []));
}

/** Keeps the objects that have not changed, and the whole record where nothing has. */
function share<V>(before: Record<string, V>, now: Record<string, V>, same: (a: V, b: V) => boolean): Record<string, V> {
	let changed = Object.keys(before).length !== Object.keys(now).length;
	for (const [id, v] of Object.entries(now)) {
		const old = before[id];
		if (old !== undefined && same(old, v)) now[id] = old;
		else changed = true;
	}
	return changed ? now : before;
}

const samePoint = (a: Point, b: Point) => a.x === b.x && a.y === b.y;
const sameBox = (a: Box, b: Box) => samePoint(a, b) && a.w === b.w && a.h === b.h;
const sameLabel = (a: Label, b: Label) =>
	a.x === b.x && a.anchor === b.anchor && a.name === b.name && a.rows === b.rows;
const sameJack = (a: Jack, b: Jack) =>
	samePoint(a, b) && a.side === b.side && a.node === b.node && a.inward === b.inward && sameLabel(a.label, b.label);
const sameCurve = (a: Curve, b: Curve) => a.every((p, at) => samePoint(p, b[at] ?? { x: Number.NaN, y: 0 }));

export interface Wiring {
	interfaces: Interface[]; // all but loopbacks
	peers: Record<string, Interface>;
	orders: Record<string, number>; // of an interface's cable
	/** Each interface's label: its rows below the name, and its width. */
	rows: Record<string, number>;
	widths: Record<string, number>;
	/** What a cable's two ends need is the same, so that parallel cables are parallel. */
	gaps: Record<string, number>;
}

function wiring(lab: Lab, extraRows: number): Wiring {
	const wired: Wiring = { interfaces: [], peers: {}, orders: {}, rows: {}, widths: {}, gaps: {} };
	for (const c of cablesInOrder(lab)) {
		const [a, b] = [lab.interfaces[c.ends[0]], lab.interfaces[c.ends[1]]];
		if (!a || !b) continue;
		wired.peers[a.id] = b;
		wired.peers[b.id] = a;
		wired.orders[a.id] = wired.orders[b.id] = c.order;
	}
	for (const i of Object.values(lab.interfaces)) {
		if (i.kind === 'loopback') continue;
		wired.interfaces.push(i);
		wired.rows[i.id] = rowsOf(i) + extraRows;
		wired.widths[i.id] = labelWidth(i, extraRows > 0);
		const peer = wired.peers[i.id];
		const rows = Math.max(rowsOf(i), peer ? rowsOf(peer) : 0) + extraRows;
		wired.gaps[i.id] = Math.max(jackGap, 22 + rows * rowHeight);
	}
	return wired;
}

type Sides = Record<string, { side: Side; inward: boolean }>;

/** What a node's jacks need: the length of each of its sides, and room towards its machine's border for their labels. */
interface Needs {
	upright: number;
	along: number;
	right: number;
	bottom: number;
}

function needsOf(wired: Wiring, sides: Sides): Record<string, Needs> {
	const lengths = new Map<string, number>(); // by node and side
	const needs: Record<string, Needs> = {};
	for (const i of wired.interfaces) {
		const on = sides[i.id];
		if (!on) continue;
		needs[i.node] ??= { upright: 0, along: 0, right: 0, bottom: 0 };
		const own = needs[i.node];
		if (!own) continue;
		const key = `${i.node} ${on.side}`;
		const length = (lengths.get(key) ?? 0) + gapAfter(on.side, i, wired);
		lengths.set(key, length);
		if (isUpright(on.side)) own.upright = Math.max(own.upright, length);
		else own.along = Math.max(own.along, length);
		const peer = wired.peers[i.id];
		if (!peer || !sides[peer.id]?.inward) continue; // its cable leads to the border of its own machine
		if (on.side === 'bottom') own.bottom = Math.max(own.bottom, labelHeight(wired.rows[i.id] ?? 0) + 14);
		if (on.side === 'right') own.right = Math.max(own.right, (wired.widths[i.id] ?? 0) + 28);
	}
	return needs;
}

/** Between a jack and the next on its side, so that their labels do not meet. */
function gapAfter(side: Side, i: Interface, wired: Wiring): number {
	return isUpright(side) ? (wired.gaps[i.id] ?? jackGap) : jackGap;
}

interface Where {
	now: Places;
	/** Without what is under the pointer: a machine does not grow after what is dragged out of it. */
	resting: Places;
}

/** A box is large enough for its jacks; a machine's also for what is in it. */
function boxesOf(lab: Lab, where: Where, needs: Record<string, Needs>): Record<string, Box> {
	const boxes: Record<string, Box> = {};
	const extents: Record<string, Size> = {};
	const grown = (id: string, base: Size): Size => {
		const n = needs[id];
		return n ? { w: Math.max(base.w, n.along + jackGap), h: Math.max(base.h, n.upright + 6) } : base;
	};
	for (const n of Object.values(lab.nodes)) {
		if (!n.in) continue;
		const size = grown(n.id, sizes[n.kind]);
		boxes[n.id] = { ...(where.now[n.id] ?? { x: 0, y: 0 }), ...size };
		const place = where.resting[n.id] ?? { x: 0, y: 0 };
		extents[n.in] ??= { ...sizes.machine };
		const e = extents[n.in];
		if (!e) continue;
		e.w = Math.max(e.w, place.x + size.w + Math.max(padding, needs[n.id]?.right ?? 0));
		e.h = Math.max(e.h, place.y + size.h + Math.max(padding, needs[n.id]?.bottom ?? 0));
	}
	for (const n of Object.values(lab.nodes)) {
		if (n.in) continue;
		boxes[n.id] = { ...(where.now[n.id] ?? { x: 0, y: 0 }), ...grown(n.id, extents[n.id] ?? sizes[n.kind]) };
	}
	for (const n of Object.values(lab.nodes)) {
		const [own, outer] = [boxes[n.id], n.in ? boxes[n.in] : undefined];
		if (own && outer) boxes[n.id] = { ...own, x: own.x + outer.x, y: own.y + outer.y };
	}
	return boxes;
}

export function center(b: Box): Point {
	return { x: b.x + b.w / 2, y: b.y + b.h / 2 };
}

/** The side of its node that an interface's jack is on: the one that faces its peer. */
function sideOf(lab: Lab, boxes: Record<string, Box>, i: Interface, wired: Wiring): { side: Side; inward: boolean } {
	const peer = wired.peers[i.id];
	const own = boxes[i.node];
	const other = peer && boxes[peer.node];
	if (!own || !peer || !other || peer.node === i.node) return { side: 'bottom', inward: false };
	if (lab.nodes[peer.node]?.in === i.node)
		return { side: borderFor(own, other, wired.widths[peer.id] ?? 0), inward: true };
	if (lab.nodes[i.node]?.in === peer.node)
		return { side: borderFor(other, own, wired.widths[i.id] ?? 0), inward: false };
	const [from, to] = [center(own), center(other)];
	const dx = to.x - from.x;
	const dy = to.y - from.y;
	// Left and right are preferred: labels have more room there.
	const upright = Math.abs(dx) * own.h * 1.5 >= Math.abs(dy) * own.w;
	if (upright && (Math.abs(dx) > (own.w + other.w) / 2 || Math.abs(dy) < (own.h + other.h) / 2)) {
		return { side: dx >= 0 ? 'right' : 'left', inward: false };
	}
	return { side: dy >= 0 ? 'bottom' : 'top', inward: false };
}

/** The border of a machine that a cable from something in it leads to: the nearest with room for the label of its end. */
function borderFor(machine: Box, inner: Box, width: number): Side {
	const p = center(inner);
	const hasRoom = inner.x - machine.x >= width + 28; // to the right and below, the machine makes room
	const distances: [Side, number][] = [
		['bottom', machine.y + machine.h - p.y],
		['left', hasRoom ? p.x - machine.x : Number.POSITIVE_INFINITY],
		['right', machine.x + machine.w - p.x],
	];
	distances.sort((a, c) => a[1] - c[1]);
	return distances[0]?.[0] ?? 'bottom';
}

function placeJacks(lab: Lab, boxes: Record<string, Box>, wired: Wiring, sides: Sides): Record<string, Jack> {
	const groups = new Map<string, { node: string; side: Side; list: { i: Interface; wish: number }[] }>();
	for (const i of wired.interfaces) {
		const side = sides[i.id]?.side;
		const own = boxes[i.node];
		if (!side || !own) continue;
		const key = `${i.node} ${side}`;
		let group = groups.get(key);
		if (!group) {
			group = { node: i.node, side, list: [] };
			groups.set(key, group);
		}
		const peer = wired.peers[i.id];
		const target = center((peer && boxes[peer.node]) ?? own);
		group.list.push({ i, wish: isUpright(side) ? target.y : target.x });
	}
	const jacks: Record<string, Jack> = {};
	for (const { node, side, list } of groups.values()) {
		const box = boxes[node];
		if (!box) continue;
		list.sort(
			(a, b) =>
				a.wish - b.wish || (wired.orders[a.i.id] ?? 0) - (wired.orders[b.i.id] ?? 0) || (a.i.name < b.i.name ? -1 : 1),
		);
		const upright = isUpright(side);
		const [low, high] = upright ? [box.y, box.y + box.h] : [box.x, box.x + box.w];
		const gaps = list.map(({ i }) => gapAfter(side, i, wired));
		const wishes = list.map(({ wish }) => wish);
		const spots =
			lab.nodes[node]?.in === undefined
				? spreadByWish(wishes, gaps, low + jackGap / 2, high - jackGap / 2)
				: spreadEvenly(gaps, low, high);
		for (const [at, { i }] of list.entries()) {
			const along = spots[at] ?? low;
			const across =
				side === 'left' ? box.x : side === 'right' ? box.x + box.w : side === 'top' ? box.y : box.y + box.h;
			const point = upright ? { x: across, y: along } : { x: along, y: across };
			jacks[i.id] = { ...point, node, side, inward: sides[i.id]?.inward ?? false, label: noLabel };
		}
	}
	return jacks;
}

const noLabel: Label = { x: 0, anchor: 'start', name: 0, rows: 0 };

export function isUpright(side: Side): boolean {
	return side === 'left' || side === 'right';
}

/** In the middle of the side, a little further apart than they must be where there is room. */
function spreadEvenly(gaps: readonly number[], low: number, high: number): number[] {
	const steps = gaps.slice(0, -1);
	const total = steps.reduce((sum, g) => sum + g, 0);
	const stretch = total === 0 ? 1 : Math.min(1.5, Math.max(1, (high - low - jackGap) / total));
	let at = (low + high) / 2 - (total * stretch) / 2;
	const spots = [Math.round(at)];
	for (const g of steps) {
		at += Math.ceil(g * stretch);
		spots.push(Math.round(at));
	}
	return spots;
}

/** Each as near to where it would like to be as the others allow. */
function spreadByWish(wishes: readonly number[], gaps: readonly number[], low: number, high: number): number[] {
	const spots = wishes.map((wish) => Math.round(Math.min(high, Math.max(low, wish))));
	for (let at = 1; at < spots.length; at++) {
		spots[at] = Math.max(spots[at] ?? 0, (spots[at - 1] ?? 0) + (gaps[at - 1] ?? 0));
	}
	let most = Math.floor(high);
	for (let at = spots.length - 1; at >= 0; at--) {
		spots[at] = Math.min(spots[at] ?? 0, most);
		most = (spots[at] ?? 0) - (gaps[at - 1] ?? 0);
	}
	return spots;
}

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

export function curveBetween(a: Jack, b: Jack): Curve {
	const reach = Math.min(140, Math.max(28, Math.hypot(b.x - a.x, b.y - a.y) * 0.4));
	const [na, nb] = [outward(a), outward(b)];
	return [
		{ x: a.x, y: a.y },
		{ x: a.x + na.x * reach, y: a.y + na.y * reach },
		{ x: b.x + nb.x * reach, y: b.y + nb.y * reach },
		{ x: b.x, y: b.y },
	];
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

export function contains(b: Box, p: Point, margin = 0): boolean {
	return p.x >= b.x - margin && p.x <= b.x + b.w + margin && p.y >= b.y - margin && p.y <= b.y + b.h + margin;
}

/** The innermost node under a point, with a few pixels of mercy around it. */
export function nodeAt(lab: Lab, g: Geometry, p: Point, margin = 8): string | undefined {
	let found: string | undefined;
	for (const n of Object.values(lab.nodes)) {
		const box = g.boxes[n.id];
		if (box && contains(box, p, margin) && (n.in || found === undefined)) found = n.id;
	}
	return found;
}

export function machineAt(lab: Lab, g: Geometry, p: Point): string | undefined {
	return Object.values(lab.nodes).find((n) => {
		const box = g.boxes[n.id];
		return !n.in && box && contains(box, p);
	})?.id;
}

/** The jack nearest to a point, within a radius. */
export function jackAt(g: Geometry, p: Point, radius = 12): string | undefined {
	let [found, least] = [undefined as string | undefined, radius];
	for (const [id, j] of Object.entries(g.jacks)) {
		const d = Math.hypot(j.x - p.x, j.y - p.y);
		if (d <= least) [found, least] = [id, d];
	}
	return found;
}

/** What the whole drawing spans. */
export function bounds(all: Record<string, Box>, ids?: ReadonlySet<string>): Box | undefined {
	const boxes = Object.entries(all).flatMap(([id, b]) => (!ids || ids.has(id) ? [b] : []));
	if (boxes.length === 0) return undefined;
	const x = Math.min(...boxes.map((b) => b.x));
	const y = Math.min(...boxes.map((b) => b.y));
	return {
		x,
		y,
		w: Math.max(...boxes.map((b) => b.x + b.w)) - x,
		h: Math.max(...boxes.map((b) => b.y + b.h)) - y,
	};
}

export type Direction = 'left' | 'right' | 'up' | 'down';

/** The nearest of some boxes in one direction, by distance with a penalty for what lies aside. */
export function nearestBox(boxes: Record<string, Box>, from: Point, direction: Direction): string | undefined {
	let [found, least] = [undefined as string | undefined, Number.POSITIVE_INFINITY];
	for (const [id, b] of Object.entries(boxes)) {
		const c = center(b);
		const [dx, dy] = [c.x - from.x, c.y - from.y];
		const ahead = direction === 'left' ? -dx : direction === 'right' ? dx : direction === 'up' ? -dy : dy;
		const aside = direction === 'left' || direction === 'right' ? Math.abs(dy) : Math.abs(dx);
		const d = ahead + 2 * aside;
		if (ahead > 4 && d < least) [found, least] = [id, d];
	}
	return found;
}
