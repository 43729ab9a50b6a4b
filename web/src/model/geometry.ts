// Where things are drawn: boxes of nodes, jacks on their borders, curves of cables. Everything is worked out from the lab
// and its places, in canvas pixels; nothing is measured on the page.
import type { Cable, Interface, Lab, Place } from '../wire/types.gen';
import { cablesInOrder, nodesInOrder } from './lab';

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
	/** Its place among the jacks of its side, to keep labels apart. */
	row: number;
}

/** A cubic Bézier curve: from, two control points, to. */
export type Curve = readonly [Point, Point, Point, Point];

export interface Geometry {
	boxes: Record<string, Box>;
	jacks: Record<string, Jack>;
	curves: Record<string, Curve>;
}

export const namespaceSize = { w: 132, h: 64 };
export const machineSize = { w: 320, h: 176 };
export const padding = 24;
export const headerHeight = 32;
const jackGap = { along: 22, upright: 28 };
const slotStep = { x: 348, y: 132 };

export const noGeometry: Geometry = { boxes: {}, jacks: {}, curves: {} };

/** Places that the lab has none for are filled in; `moving` are those under the pointer, and win. */
export function computeGeometry(lab: Lab, moving: Readonly<Record<string, Place>> = {}, before = noGeometry): Geometry {
	const at = allPlaces(lab, moving);
	const wired = wiring(lab);
	const rough = boxesOf(lab, at, {});
	const sides: Record<string, { side: Side; inward: boolean }> = {};
	for (const i of wired.interfaces) sides[i.id] = sideOf(lab, rough, i, wired.peers[i.id]);
	const boxes = boxesOf(lab, at, countSides(wired.interfaces, sides));
	const jacks = placeJacks(lab, boxes, wired, sides);
	const curves: Record<string, Curve> = {};
	for (const c of Object.values(lab.cables)) {
		const [a, b] = [jacks[c.ends[0]], jacks[c.ends[1]]];
		if (a && b) curves[c.id] = curveBetween(a, b);
	}
	return {
		boxes: share(before.boxes, boxes, sameBox),
		jacks: share(before.jacks, jacks, sameJack),
		curves: share(before.curves, curves, sameCurve),
	};
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
const sameJack = (a: Jack, b: Jack) =>
	samePoint(a, b) && a.side === b.side && a.node === b.node && a.inward === b.inward && a.row === b.row;
const sameCurve = (a: Curve, b: Curve) => a.every((p, at) => samePoint(p, b[at] ?? { x: Number.NaN, y: 0 }));

/** The place of each node: relative to its machine's box, if it is in one. */
function allPlaces(lab: Lab, moving: Readonly<Record<string, Place>>): Record<string, Place> {
	const at: Record<string, Place> = {};
	const given: Lab = { ...lab, places: { ...lab.places, ...moving } };
	for (const n of nodesInOrder(lab)) {
		const place = given.places[n.id] ?? (n.in ? freePlace(given, n.in) : machinePlace(given));
		given.places[n.id] = place;
		at[n.id] = place;
	}
	return at;
}

interface Wiring {
	interfaces: Interface[]; // all but loopbacks
	peers: Record<string, Interface>;
	orders: Record<string, number>; // of an interface's cable
}

function wiring(lab: Lab): Wiring {
	const peers: Record<string, Interface> = {};
	const orders: Record<string, number> = {};
	for (const c of cablesInOrder(lab)) {
		const [a, b] = [lab.interfaces[c.ends[0]], lab.interfaces[c.ends[1]]];
		if (!a || !b) continue;
		peers[a.id] = b;
		peers[b.id] = a;
		orders[a.id] = orders[b.id] = c.order;
	}
	return { interfaces: Object.values(lab.interfaces).filter((i) => i.kind !== 'loopback'), peers, orders };
}

type SideCounts = Record<string, Record<Side, number>>;

function countSides(interfaces: Interface[], sides: Record<string, { side: Side }>): SideCounts {
	const counts: SideCounts = {};
	for (const i of interfaces) {
		counts[i.node] ??= { left: 0, right: 0, top: 0, bottom: 0 };
		const own = counts[i.node];
		const side = sides[i.id]?.side;
		if (own && side) own[side]++;
	}
	return counts;
}

/** A box is large enough for its jacks; a machine's also for what is in it. */
function boxesOf(lab: Lab, at: Record<string, Place>, counts: SideCounts): Record<string, Box> {
	const boxes: Record<string, Box> = {};
	const extents: Record<string, { w: number; h: number }> = {};
	const grown = (id: string, base: { w: number; h: number }) => {
		const c = counts[id];
		if (!c) return base;
		return {
			w: Math.max(base.w, jackGap.along * (Math.max(c.top, c.bottom) + 1)),
			h: Math.max(base.h, jackGap.upright * Math.max(c.left, c.right) + 12),
		};
	};
	for (const n of Object.values(lab.nodes)) {
		if (!n.in) continue;
		const place = at[n.id] ?? { x: 0, y: 0 };
		const size = grown(n.id, namespaceSize);
		boxes[n.id] = { ...place, ...size };
		extents[n.in] ??= { ...machineSize };
		const e = extents[n.in];
		if (e) {
			e.w = Math.max(e.w, place.x + size.w + padding);
			e.h = Math.max(e.h, place.y + size.h + padding);
		}
	}
	for (const n of Object.values(lab.nodes)) {
		if (n.in) continue;
		boxes[n.id] = { ...(at[n.id] ?? { x: 0, y: 0 }), ...grown(n.id, extents[n.id] ?? machineSize) };
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
function sideOf(
	lab: Lab,
	boxes: Record<string, Box>,
	i: Interface,
	peer: Interface | undefined,
): { side: Side; inward: boolean } {
	const own = boxes[i.node];
	const other = peer && boxes[peer.node];
	if (!own || !peer || !other || peer.node === i.node) return { side: 'bottom', inward: false };
	if (lab.nodes[peer.node]?.in === i.node) return { side: nearestSide(own, center(other)), inward: true };
	if (lab.nodes[i.node]?.in === peer.node) return { side: nearestSide(other, center(own)), inward: false };
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

function nearestSide(b: Box, p: Point): Side {
	const distances: [Side, number][] = [
		['bottom', b.y + b.h - p.y],
		['left', p.x - b.x],
		['right', b.x + b.w - p.x],
		['top', p.y - b.y - headerHeight + 1000], // the header is there; only with no other way
	];
	distances.sort((a, c) => a[1] - c[1]);
	return distances[0]?.[0] ?? 'bottom';
}

function placeJacks(
	lab: Lab,
	boxes: Record<string, Box>,
	wired: Wiring,
	sides: Record<string, { side: Side; inward: boolean }>,
): Record<string, Jack> {
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
		const gap = upright ? jackGap.upright : jackGap.along;
		const spots =
			lab.nodes[node]?.kind === 'machine'
				? spreadByWish(list, low + 22, high - 22, gap)
				: spreadEvenly(list.length, low, high, gap);
		for (const [row, { i }] of list.entries()) {
			const along = spots[row] ?? low;
			const across =
				side === 'left' ? box.x : side === 'right' ? box.x + box.w : side === 'top' ? box.y : box.y + box.h;
			const point = upright ? { x: across, y: along } : { x: along, y: across };
			jacks[i.id] = { ...point, node, side, inward: sides[i.id]?.inward ?? false, row };
		}
	}
	return jacks;
}

function isUpright(side: Side): boolean {
	return side === 'left' || side === 'right';
}

function spreadEvenly(count: number, low: number, high: number, gap: number): number[] {
	const step = Math.max(jackGap.along, Math.min(gap * 1.5, (high - low) / (count + 0.5)));
	const first = (low + high) / 2 - ((count - 1) * step) / 2;
	return Array.from({ length: count }, (_, at) => Math.round(first + at * step));
}

/** Each as near to where it would like to be as the others allow. */
function spreadByWish(list: { wish: number }[], low: number, high: number, gap: number): number[] {
	const spots = list.map(({ wish }) => Math.min(high, Math.max(low, wish)));
	const step = Math.min(gap, (high - low) / Math.max(1, list.length - 1));
	for (let at = 1; at < spots.length; at++) spots[at] = Math.max(spots[at] ?? 0, (spots[at - 1] ?? 0) + step);
	for (let at = spots.length - 1; at >= 0; at--)
		spots[at] = Math.min(spots[at] ?? 0, high - (spots.length - 1 - at) * step);
	return spots.map(Math.round);
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

/** Where a new namespace goes in a machine: the first slot that nothing is in. Relative to the machine. */
export function freePlace(lab: Lab, machine: string): Place {
	const taken = Object.values(lab.nodes).flatMap((n) =>
		n.in === machine && lab.places[n.id] ? [lab.places[n.id]] : [],
	);
	for (let ring = 0; ; ring++) {
		const slots: [number, number][] = [];
		for (let c = 0; c < ring; c++) slots.push([ring, c]);
		for (let c = 0; c <= ring; c++) slots.push([c, ring]);
		for (const [column, row] of slots) {
			const p = { x: 40 + column * slotStep.x, y: 64 + row * slotStep.y };
			const clear = taken.every(
				(t) => !t || Math.abs(t.x - p.x) >= namespaceSize.w + 48 || Math.abs(t.y - p.y) >= namespaceSize.h + 24,
			);
			if (clear) return p;
		}
	}
}

/** Where a new machine goes: right of the others. */
export function machinePlace(lab: Lab): Place {
	let right = Number.NEGATIVE_INFINITY;
	let top = Number.POSITIVE_INFINITY;
	for (const n of Object.values(lab.nodes)) {
		const place = lab.places[n.id];
		if (n.in || !place) continue;
		let w = machineSize.w;
		for (const child of Object.values(lab.nodes)) {
			const inner = child.in === n.id ? lab.places[child.id] : undefined;
			if (inner) w = Math.max(w, inner.x + namespaceSize.w + padding);
		}
		right = Math.max(right, place.x + w);
		top = Math.min(top, place.y);
	}
	return right === Number.NEGATIVE_INFINITY ? { x: 0, y: 0 } : { x: right + 160, y: top };
}

/** What the whole drawing spans. */
export function bounds(g: Geometry, ids?: ReadonlySet<string>): Box | undefined {
	const boxes = Object.entries(g.boxes).flatMap(([id, b]) => (!ids || ids.has(id) ? [b] : []));
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

export function cablesAcross(lab: Lab, node: string): Cable[] {
	return cablesInOrder(lab).filter((c) => c.ends.some((end) => lab.interfaces[end]?.node === node));
}
