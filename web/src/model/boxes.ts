// How large boxes are, and where: each has room for its jacks and for what is in it, and what one has grown over makes way.
import type { Lab } from '../wire/types.gen';
import type { Places } from './places';
import { jackGap, padding, type Size, sizeOf } from './sizes';
import { depthOf, isBar, type Thing, thingsOf } from './things';

export interface Point {
	x: number;
	y: number;
}

export interface Box extends Point {
	w: number;
	h: number;
}

/** What a box's jacks need: the length of each of its sides, and room towards its machine's border for their labels. */
export interface Needs {
	upright: number;
	along: number;
	right: number;
	bottom: number;
}

/**
 * The boxes on the canvas, and where each rests in the one around it. What is under the pointer (`moving`) is drawn there, but
 * nothing makes way for it, and no machine grows after it, before it is let go.
 */
export function boxesOf(
	lab: Lab,
	places: Places,
	moving: Places,
	needs: Record<string, Needs>,
): { boxes: Record<string, Box>; resting: Places } {
	const things = thingsOf(lab);
	const inner = new Map<string, Thing[]>(); // by what they are in; what is in nothing is in ''
	for (const t of things) {
		const list = inner.get(t.within ?? '');
		if (list) list.push(t);
		else inner.set(t.within ?? '', [t]);
	}
	const depths = new Map([...inner.keys()].map((box) => [box, box ? depthOf(lab, box) + 1 : 0]));
	const outmostFirst = [...inner.keys()].sort((a, b) => (depths.get(a) ?? 0) - (depths.get(b) ?? 0));
	const extents = new Map<string, Size>();
	const spots = new Map<string, Spot>();
	for (const box of outmostFirst.toReversed()) {
		const siblings = (inner.get(box) ?? []).map((t): Spot => {
			const own = sizeOf(t, lab.interfaces[t.id]);
			const bar = isBar(t.shape);
			const from = places[t.id] ?? origin;
			return {
				id: t.id,
				from,
				...from,
				...sizeWith(t, own, extents.get(t.id), needs[t.id]),
				least: bar ? own.w : undefined,
				grows: bar || t.shape === 'machine' || inner.has(t.id),
			};
		});
		makeRoom(siblings, box === '' ? nearMachine : near);
		for (const s of siblings) spots.set(s.id, s);
		extents.set(box, {
			w: Math.max(...siblings.map((s) => s.x + s.w + Math.max(padding, needs[s.id]?.right ?? 0))),
			h: Math.max(...siblings.map((s) => s.y + s.h + Math.max(padding, needs[s.id]?.bottom ?? 0))),
		});
	}
	const boxes: Record<string, Box> = {};
	const resting: Record<string, Point> = {};
	for (const box of outmostFirst) {
		const corner = boxes[box] ?? origin;
		for (const { id } of inner.get(box) ?? []) {
			const { x, y, w, h } = spots.get(id) ?? { ...origin, w: 0, h: 0 };
			const at = moving[id] ?? { x, y };
			resting[id] = { x, y };
			boxes[id] = { x: at.x + corner.x, y: at.y + corner.y, w, h };
		}
	}
	return { boxes, resting };
}

const origin: Point = { x: 0, y: 0 };

/** What a box takes: itself, what is in it, and its jacks. */
function sizeWith(t: Thing, own: Size, content: Size | undefined, n: Needs | undefined): Size {
	const size = { w: Math.max(own.w, content?.w ?? 0), h: Math.max(own.h, content?.h ?? 0) };
	if (!n) return size;
	size.w = Math.max(size.w, n.along + (isBar(t.shape) ? 0 : jackGap));
	if (!isBar(t.shape)) size.h = Math.max(size.h, n.upright + 6);
	return size;
}

interface Spot extends Box {
	id: string;
	/** Where it would be if it need not make way. */
	from: Point;
	/** A bar's width without jacks. */
	least: number | undefined;
	/** It becomes larger with what is plugged into it, or is in it. */
	grows: boolean;
}

const aside: Point = { x: 96, y: 104 }; // room for the labels of cables between what has made way and what has grown
const near = 16; // px between two boxes that are in each other's way
const nearMachine = 40; // px between machines: cables lead between them to what is below
const passes = 100; // of making room, at most

/** Moves what a box has grown over, and what that then comes to lie on, to the right or down. Their order stays. */
function makeRoom(siblings: readonly Spot[], least: number): void {
	const growing = siblings.filter((s) => s.grows);
	let moved = true;
	for (let pass = 0; moved && pass < passes; pass++) {
		moved = false;
		for (const a of growing) {
			for (const b of siblings) {
				if (a === b || !inTheWay(a, b, least)) continue;
				makeWay(a, b);
				moved = true;
			}
		}
	}
}

function inTheWay(a: Spot, b: Spot, least: number): boolean {
	const gap = a.least === undefined && b.least === undefined ? least : 0; // people put nodes close to bars
	return overlap({ x: a.x - gap, y: a.y - gap, w: a.w + 2 * gap, h: a.h + 2 * gap }, b);
}

/** Of two boxes the one further right or further down moves, whichever says more of how they stand to each other. */
function makeWay(a: Spot, b: Spot): void {
	const axis = besides(a, b) ? 'x' : 'y';
	const length = axis === 'x' ? 'w' : 'h';
	const [stays, goes] = b.from[axis] >= a.from[axis] ? [a, b] : [b, a];
	goes[axis] = Math.ceil((stays[axis] + stays[length] + aside[axis]) / 8) * 8;
}

/** Whether two boxes stand beside each other rather than one below the other. What is at a bar is above or below it, or at its end. */
function besides(a: Spot, b: Spot): boolean {
	const bar = a.least ? a : b.least ? b : undefined;
	if (!bar) return Math.abs(b.from.x - a.from.x) >= Math.abs(b.from.y - a.from.y);
	const other = bar === a ? b : a;
	const inRow = Math.abs(other.from.y + other.h / 2 - bar.from.y - bar.h / 2) <= bar.h;
	return inRow && other.from.x >= bar.from.x + (bar.least ?? 0);
}

export function overlap(a: Box, b: Box): boolean {
	return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}
