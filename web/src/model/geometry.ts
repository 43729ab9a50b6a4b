// Where things are drawn: boxes of nodes, jacks on their borders, labels beside the jacks, curves of cables. Everything is
// worked out from the lab and its places, in canvas pixels; nothing is measured on the page.
import type { Interface, Lab } from '../wire/types.gen';
import { type Box, boxesOf, type Needs, type Point } from './boxes';
import { type Curve, stemBetween, Terrain } from './curves';
import { cablesInOrder } from './lab';
import { type CableMark, type Label, labelHeight, labelWidth, placeLabels, placeMarks, rowsOf } from './labels';
import { type Places, slotsFor, withPlaces } from './places';
import { jackGap, rowHeight, sizes } from './sizes';
import { depthOf, hasJack, holderOf, isBar, type Shape, type Thing, thingOf, thingsOf } from './things';

export type { Box, Curve, Point };

export type Side = 'left' | 'right' | 'top' | 'bottom';

export interface Jack extends Point {
	/** The node or bridge that it is on. */
	box: string;
	side: Side;
	/** A machine's jack whose cable leads into its box. */
	inward: boolean;
	label: Label;
}

export interface Geometry {
	boxes: Record<string, Box>;
	jacks: Record<string, Jack>;
	curves: Record<string, Curve>;
	/** From the jack of a vlan, vxlan or macvlan to what it is on top of, by the interface on top. */
	stems: Record<string, Curve>;
	/** By the cables that impair what they carry. */
	marks: Record<string, CableMark>;
	/** Where each box is in the one around it, had nobody something under the pointer: a place of the lab's, a slot, or where it has made way. */
	places: Places;
	/** Places found for what the lab has none for, and for what it had none for once: undo may take its place away again. */
	slots: Places;
}

export interface Drawing {
	/** Nodes under the pointer, by where they are: relative to their machine. */
	moving?: Places;
	/** What was drawn before: what has not changed stays the same object, and what the lab has no place for keeps its slot. */
	before?: Geometry;
	/** Rows of a label besides a name and its addresses. */
	extraRows?: number;
}

export const noGeometry: Geometry = { boxes: {}, jacks: {}, curves: {}, stems: {}, marks: {}, places: {}, slots: {} };

export function computeGeometry(lab: Lab, { moving = {}, before = noGeometry, extraRows = 0 }: Drawing = {}): Geometry {
	const found = slotsFor(lab, before.slots);
	const { places } = withPlaces(lab, found);
	const things = thingsOf(lab);
	const wired = wiring(lab, things, extraRows);
	const { boxes: rough } = boxesOf(lab, places, moving, {});
	const sides: Sides = {};
	for (const i of wired.interfaces) sides[i.id] = sideOf(rough, i, wired);
	for (const i of wired.interfaces) sides[i.id] = sideOfTop(i, wired, sides);
	const { boxes: drawn, resting } = boxesOf(lab, places, moving, needsOf(wired, sides));
	const boxes = share(before.boxes, drawn, sameBox);
	const terrain = new Terrain(boxes, wired.around);
	const placed = placeJacks(boxes, wired, sides, terrain);
	const curves: Record<string, Curve> = {};
	for (const c of Object.values(lab.cables)) {
		const [from, to] = c.ends;
		const [a, b] = [placed[from], placed[to]];
		if (!a || !b) continue;
		const old = before.curves[c.id];
		const stays = boxes === before.boxes && sameSpot(a, before.jacks[from]) && sameSpot(b, before.jacks[to]);
		curves[c.id] = stays && old && samePoint(old[0], a) && samePoint(old[3], b) ? old : terrain.curve(a, b);
	}
	const taken = placeLabels(placed, wired, obstacles(things, boxes), Object.values(curves));
	const jacks = share(before.jacks, placed, sameJack);
	const stems: Record<string, Curve> = {};
	for (const i of wired.interfaces) {
		const [a, b] = [jacks[i.id], jacks[i.parent ?? '']];
		if (a && b) stems[i.id] = stemBetween(a, b);
	}
	return {
		boxes,
		jacks,
		curves: share(before.curves, curves, sameCurve),
		stems: share(before.stems, stems, sameCurve),
		marks: share(before.marks, placeMarks(lab, curves, taken), sameMark),
		places: resting,
		slots: remembered(before.slots, found, boxes),
	};
}

/** What was found for things that are still there. */
function remembered(before: Places, found: Places, boxes: Record<string, Box>): Places {
	const still = Object.entries(before).filter(([id]) => boxes[id]);
	return { ...Object.fromEntries(still), ...found };
}

/** What labels keep clear of; a box with others in it is full of them, and only its border is in their way. */
function obstacles(things: readonly Thing[], boxes: Record<string, Box>): Box[] {
	const outer = new Set(things.map((t) => t.within));
	return things.flatMap((t) => {
		const box = boxes[t.id];
		if (!box) return [];
		return t.shape === 'machine' || outer.has(t.id) ? borderOf(box) : [box];
	});
}

function borderOf({ x, y, w, h }: Box): Box[] {
	const line = 2;
	return [
		{ x: x - line / 2, y: y - line / 2, w: w + line, h: line },
		{ x: x - line / 2, y: y + h - line / 2, w: w + line, h: line },
		{ x: x - line / 2, y, w: line, h },
		{ x: x + w - line / 2, y, w: line, h },
	];
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
const sameSpot = (a: Jack, b: Jack | undefined) =>
	b !== undefined && samePoint(a, b) && a.side === b.side && a.box === b.box && a.inward === b.inward;
const sameJack = (a: Jack, b: Jack) => sameSpot(a, b) && sameLabel(a.label, b.label);
const sameMark = (a: CableMark, b: CableMark) => samePoint(a, b) && a.rows.join() === b.rows.join();
const sameCurve = (a: Curve, b: Curve) => a.every((p, at) => samePoint(p, b[at] ?? { x: Number.NaN, y: 0 }));

export interface Wiring {
	interfaces: Interface[]; // those that have a jack
	/** The box that each one's jack is on, and its shape. */
	holders: Record<string, Thing>;
	/** Each box's ancestors, nearest first. */
	around: Record<string, string[]>;
	peers: Record<string, Interface>;
	orders: Record<string, number>; // of an interface's cable
	/** Each interface's label: its rows below the name, and its width. */
	rows: Record<string, number>;
	widths: Record<string, number>;
	/** What a cable's two ends need is the same, so that parallel cables are parallel. */
	gaps: Record<string, number>;
}

function wiring(lab: Lab, things: readonly Thing[], extraRows: number): Wiring {
	const wired: Wiring = {
		interfaces: [],
		holders: {},
		around: {},
		peers: {},
		orders: {},
		rows: {},
		widths: {},
		gaps: {},
	};
	const byID = new Map(things.map((t) => [t.id, t]));
	for (const t of things) {
		const ancestors: string[] = [];
		for (let outer = t.within; outer && ancestors.length < 4; outer = byID.get(outer)?.within) ancestors.push(outer);
		wired.around[t.id] = ancestors;
	}
	for (const c of cablesInOrder(lab)) {
		const [a, b] = [lab.interfaces[c.ends[0]], lab.interfaces[c.ends[1]]];
		if (!a || !b) continue;
		wired.peers[a.id] = b;
		wired.peers[b.id] = a;
		wired.orders[a.id] = wired.orders[b.id] = c.order;
	}
	for (const i of Object.values(lab.interfaces)) {
		const holder = hasJack(lab, i) ? byID.get(holderOf(lab, i)) : undefined;
		if (!holder) continue;
		wired.interfaces.push(i);
		wired.holders[i.id] = holder;
		wired.rows[i.id] = rowsOf(i) + extraRows;
		wired.widths[i.id] = labelWidth(i, extraRows > 0);
		const peer = wired.peers[i.id];
		const rows = Math.max(rowsOf(i), peer ? rowsOf(peer) : 0) + extraRows;
		wired.gaps[i.id] = Math.max(jackGap, 22 + rows * rowHeight);
	}
	return wired;
}

type Sides = Record<string, { side: Side; inward: boolean }>;

function needsOf(wired: Wiring, sides: Sides): Record<string, Needs> {
	const lengths = new Map<string, number>(); // by box and side
	const counts = countSides(wired, sides);
	const needs: Record<string, Needs> = {};
	for (const i of wired.interfaces) {
		const on = sides[i.id];
		const box = wired.holders[i.id];
		if (!on || !box) continue;
		needs[box.id] ??= { upright: 0, along: 0, right: 0, bottom: 0 };
		const own = needs[box.id];
		if (!own) continue;
		const key = `${box.id} ${on.side}`;
		const length = (lengths.get(key) ?? 0) + gapAfter(box.shape, on.side, i, wired, counts.get(key) ?? 0);
		lengths.set(key, length);
		if (isUpright(on.side)) own.upright = Math.max(own.upright, length);
		else own.along = Math.max(own.along, length);
		if (!isUpright(on.side)) own.right = Math.max(own.right, (wired.widths[i.id] ?? 0) + 24 - sizes[box.shape].w / 2);
		const peer = wired.peers[i.id];
		const isFree = !peer && on.side === 'bottom';
		if (!isFree && (!peer || !sides[peer.id]?.inward)) continue; // its cable leads to the border of its own machine
		if (on.side === 'bottom') own.bottom = Math.max(own.bottom, labelHeight(wired.rows[i.id] ?? 0) + 14);
		if (on.side === 'right') own.right = Math.max(own.right, (wired.widths[i.id] ?? 0) + 28);
	}
	return needs;
}

/** How many jacks each side of each box has. */
function countSides(wired: Wiring, sides: Sides): Map<string, number> {
	const counts = new Map<string, number>();
	for (const i of wired.interfaces) {
		const key = `${wired.holders[i.id]?.id} ${sides[i.id]?.side}`;
		counts.set(key, (counts.get(key) ?? 0) + 1);
	}
	return counts;
}

const labelledPorts = 8; // of a side; with more, labels make way for each other

/** Between a jack and the next on its side, so that the labels of a bar's ports, and of what no cable leads away from, do not meet. */
function gapAfter(shape: Shape, side: Side, i: Interface, wired: Wiring, count: number): number {
	if (isUpright(side)) return wired.gaps[i.id] ?? jackGap;
	const peer = wired.peers[i.id];
	const leadsAway = peer && wired.holders[peer.id] !== wired.holders[i.id];
	if (count > labelledPorts || (leadsAway && !isBar(shape))) return jackGap;
	return Math.max(jackGap, (wired.widths[i.id] ?? 0) + 16);
}

export function center(b: Box): Point {
	return { x: b.x + b.w / 2, y: b.y + b.h / 2 };
}

/** The side of its box that an interface's jack is on: the one that faces its peer. */
function sideOf(boxes: Record<string, Box>, i: Interface, wired: Wiring): { side: Side; inward: boolean } {
	const peer = wired.peers[i.id];
	const [here, there] = [wired.holders[i.id], peer && wired.holders[peer.id]];
	const own = here && boxes[here.id];
	const other = there && boxes[there.id];
	if (!own || !other || here.id === there.id) return { side: 'bottom', inward: false };
	const [from, to] = [center(own), center(other)];
	const dx = to.x - from.x;
	const dy = to.y - from.y;
	const level: Side = dy >= 0 ? 'bottom' : 'top';
	if (wired.around[there.id]?.includes(here.id)) {
		return { side: borderFor(own, other, wired.widths[peer?.id ?? ''] ?? 0, isBar(there.shape)), inward: true };
	}
	if (wired.around[here.id]?.includes(there.id)) {
		return { side: borderFor(other, own, wired.widths[i.id] ?? 0, isBar(here.shape)), inward: false };
	}
	if (isBar(here.shape)) return { side: level, inward: false };
	const apart = { x: Math.abs(dx) > (own.w + other.w) / 2, y: Math.abs(dy) > (own.h + other.h) / 2 };
	if (isBar(there.shape) && apart.y) return { side: level, inward: false };
	// Left and right are preferred: labels have more room there.
	const upright = Math.abs(dx) * own.h * 1.5 >= Math.abs(dy) * own.w;
	if (upright && (apart.x || !apart.y)) return { side: dx >= 0 ? 'right' : 'left', inward: false };
	return { side: level, inward: false };
}

/** What is on top of an interface has its jack beside that one's. */
function sideOfTop(i: Interface, wired: Wiring, sides: Sides): { side: Side; inward: boolean } {
	const own = sides[i.id] ?? { side: 'bottom', inward: false };
	const parent = i.parent;
	if (!parent || wired.peers[i.id] || wired.holders[parent]?.id !== wired.holders[i.id]?.id) return own;
	return sides[parent] ?? own;
}

/** The border of a box that a cable from something in it leads to: the nearest with room for the label of its end. */
function borderFor(outer: Box, inner: Box, width: number, levelOnly: boolean): Side {
	if (levelOnly) return 'bottom';
	const p = center(inner);
	const hasRoom = inner.x - outer.x >= width + 28; // to the right and below, the machine makes room
	const distances: [Side, number][] = [
		['bottom', outer.y + outer.h - p.y],
		['left', hasRoom ? p.x - outer.x : Number.POSITIVE_INFINITY],
		['right', outer.x + outer.w - p.x],
	];
	distances.sort((a, c) => a[1] - c[1]);
	return distances[0]?.[0] ?? 'bottom';
}

interface Waiting {
	i: Interface;
	wish: number;
	order: number;
	/** Its own name, behind that of what it is on top of. */
	name: string;
}

function placeJacks(boxes: Record<string, Box>, wired: Wiring, sides: Sides, terrain: Terrain): Record<string, Jack> {
	const groups = new Map<string, { box: Thing; side: Side; list: Waiting[] }>();
	const byID = new Map(wired.interfaces.map((i) => [i.id, i]));
	for (const i of wired.interfaces) {
		const side = sides[i.id]?.side;
		const box = wired.holders[i.id];
		const own = box && boxes[box.id];
		if (!side || !own) continue;
		const key = `${box.id} ${side}`;
		let group = groups.get(key);
		if (!group) {
			group = { box, side, list: [] };
			groups.set(key, group);
		}
		const below = byID.get(i.parent ?? '');
		const leader = below && wired.holders[below.id]?.id === box.id ? below : i;
		const peer = wired.peers[leader.id];
		const across = peer && wired.holders[peer.id];
		const target = center((across && boxes[across.id]) ?? own);
		const level = isUpright(side) ? target.y : target.x;
		group.list.push({
			i,
			wish: across && sides[leader.id]?.inward ? terrain.gate(across.id, box.id, side) : level,
			order: wired.orders[leader.id] ?? 0,
			name: leader === i ? i.name : `${leader.name} ${i.name}`,
		});
	}
	const jacks: Record<string, Jack> = {};
	for (const { box: on, side, list } of groups.values()) {
		const box = boxes[on.id];
		if (!box) continue;
		list.sort((a, b) => a.wish - b.wish || a.order - b.order || (a.name < b.name ? -1 : 1));
		const upright = isUpright(side);
		const [low, high] = upright ? [box.y, box.y + box.h] : [box.x, box.x + box.w];
		const gaps = list.map(({ i }) => gapAfter(on.shape, side, i, wired, list.length));
		const wishes = list.map(({ wish }) => wish);
		const corner = on.shape === 'lan' ? sizes.lan.h / 2 : jackGap / 2; // its ends are round
		const spots =
			on.within === undefined || isBar(on.shape)
				? spreadByWish(wishes, gaps, low + corner, high - corner)
				: spreadEvenly(gaps, low, high);
		for (const [at, { i }] of list.entries()) {
			const along = spots[at] ?? low;
			const across =
				side === 'left' ? box.x : side === 'right' ? box.x + box.w : side === 'top' ? box.y : box.y + box.h;
			const point = upright ? { x: across, y: along } : { x: along, y: across };
			jacks[i.id] = { ...point, box: on.id, side, inward: sides[i.id]?.inward ?? false, label: noLabel };
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

export function contains(b: Box, p: Point, margin = 0): boolean {
	return p.x >= b.x - margin && p.x <= b.x + b.w + margin && p.y >= b.y - margin && p.y <= b.y + b.h + margin;
}

/** The innermost node or bridge under a point, with a few pixels of mercy around it. */
export function thingAt(lab: Lab, g: Geometry, p: Point, margin = 8): string | undefined {
	let [found, deepest] = [undefined as string | undefined, -1];
	for (const [id, box] of Object.entries(g.boxes)) {
		if (!contains(box, p, margin)) continue;
		const depth = depthOf(lab, id);
		if (depth > deepest) [found, deepest] = [id, depth];
	}
	return found;
}

export function machineAt(lab: Lab, g: Geometry, p: Point): string | undefined {
	return boxAt(lab, g, p, (shape) => shape === 'machine');
}

/** The innermost box of certain shapes under a point. */
export function boxAt(lab: Lab, g: Geometry, p: Point, wanted: (shape: Shape) => boolean): string | undefined {
	let [found, deepest] = [undefined as string | undefined, -1];
	for (const [id, box] of Object.entries(g.boxes)) {
		const t = contains(box, p) ? thingOf(lab, id) : undefined;
		if (!t || !wanted(t.shape)) continue;
		const depth = depthOf(lab, id);
		if (depth > deepest) [found, deepest] = [id, depth];
	}
	return found;
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
