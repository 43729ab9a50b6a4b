// The label of a cable's end: its name, then a row for each address. Beside a left or right jack the name stands above the
// cable and the rows below it; above or below a top or bottom jack all stand to one side of the cable. And what is written
// on a cable itself: how it impairs what it carries.
import type { Interface, Lab } from '../wire/types.gen';
import { type Curve, outward, pointOn } from './curves';
import type { Box, Jack, Point, Wiring } from './geometry';
import { impairmentMark } from './impair';
import { isSaved } from './lab';
import { characterWidth, rowHeight } from './sizes';

/** Where a label's text goes, from its jack: x of all rows, and the baselines of the name and of the first row. */
export interface Label {
	x: number;
	anchor: 'start' | 'end';
	name: number;
	rows: number;
}

const maxRows = 4; // addresses; the rest is counted

/** The addresses as rows. */
export function addressRows(addresses: readonly string[]): string[] {
	if (addresses.length <= maxRows) return [...addresses];
	return [...addresses.slice(0, maxRows), `+${addresses.length - maxRows}`];
}

export function rowsOf(i: Interface): number {
	return Math.min(i.addresses.length, maxRows + 1);
}

/** How an interface is called on the canvas: the usual ones by name alone, a port of an OVS bridge with its VLANs. */
export function titleOf(i: Pick<Interface, 'name' | 'kind' | 'port'>): string {
	return [i.name, i.kind === 'veth' ? '' : i.kind, i.port].filter(Boolean).join(' ');
}

export function labelWidth(i: Interface, withLinkLocal = false): number {
	const longest = addressRows(i.addresses).reduce((most, row) => Math.max(most, row.length), titleOf(i).length);
	return Math.max(longest, withLinkLocal ? 'fe80::f4cc:4bff:fea3:ebad/64'.length : 0) * characterWidth;
}

/** What stands behind the name comes and goes: other labels make way for it, and jacks do not. */
function widthWithState(i: Interface, peer: Interface | undefined): number {
	const state = i.up ? (i.kind === 'tun' ? 'no program' : peer?.up === false ? 'no carrier' : '') : 'down';
	const words = [state, isSaved(i) ? '' : 'not saved'].filter(Boolean).join(', ');
	return words ? `${titleOf(i)}  ${words}`.length * characterWidth : 0;
}

/** Of a label above or below its jack. */
export function labelHeight(rows: number): number {
	return (rows + 1) * rowHeight + 4;
}

const ascent = 10; // of a row, above its baseline
const aside = 12; // from a left or right jack to its label
const asideOfContact = 20; // past the open contact
const beside = 9; // from the cable of a top or bottom jack to its label
const tries = 8;
const jackReach = 5; // px that a jack takes around its middle
const farPenalty = 25; // px² of another label that one may rather cover than be a row further away from its jack
const cableWeight = 4; // px² that a pixel of cable counts, under a label
const piecesOfCable = 16;
const mostAvoided = 200; // cables: among more, no label finds a place that none crosses, however long it looks

/** From a jack's middle to the open contact of an interface that is down: its two strokes along the cable, and half of one. */
export const contact = { near: 10, far: 16, half: 6 };

interface Rect {
	left: number;
	right: number;
	top: number;
	bottom: number;
}

/** Gives each jack its label's place: the first near it where it covers neither others, nor cables, nor `obstacles`, or the least of them. Returns what is taken then. */
export function placeLabels(
	jacks: Record<string, Jack>,
	wired: Wiring,
	obstacles: readonly Box[],
	curves: readonly Curve[],
): Grid {
	const grid = new Grid();
	if (curves.length <= mostAvoided) for (const c of curves) grid.addCurve(c);
	for (const b of obstacles) grid.add({ left: b.x, right: b.x + b.w, top: b.y, bottom: b.y + b.h });
	for (const j of Object.values(jacks)) {
		grid.add({ left: j.x - jackReach, right: j.x + jackReach, top: j.y - jackReach, bottom: j.y + jackReach });
	}
	for (const i of wired.interfaces) {
		const j = jacks[i.id];
		if (j && !i.up) grid.add(contactOf(j));
	}
	const counts = new Map<string, number>();
	const key = (j: Jack) => `${j.box} ${j.side}`;
	for (const j of Object.values(jacks)) counts.set(key(j), (counts.get(key(j)) ?? 0) + 1);
	const before = new Map<string, number>(); // jacks of a side that have their label
	for (const i of inPlacedOrder(jacks, wired)) {
		const j = jacks[i.id];
		if (!j) continue;
		const rank = before.get(key(j)) ?? 0;
		before.set(key(j), rank + 1);
		const rows = wired.rows[i.id] ?? 0;
		const width = Math.max(wired.widths[i.id] ?? 0, widthWithState(i, wired.peers[i.id]));
		const leftFirst = rank === 0 && (counts.get(key(j)) ?? 0) > 1;
		const candidates = j.side === 'left' || j.side === 'right' ? uprightLabels(j, i) : levelLabels(j, rows, leftFirst);
		let least = Number.POSITIVE_INFINITY;
		for (const [at, label] of candidates.entries()) {
			const far = Math.floor(at / 2) * farPenalty;
			if (far >= least) break;
			const covered = far + rectsOf(j, label, width, rows).reduce((sum, r) => sum + grid.covered(r), 0);
			if (covered < least) [least, j.label] = [covered, label];
			if (covered === far) break;
		}
		for (const r of rectsOf(j, j.label, width, rows)) grid.add(r);
	}
	return grid;
}

/** What happens to frames on a cable, written over it: the middle of its rows. */
export interface CableMark extends Point {
	rows: string[];
}

const spots = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74]; // of a cable, the best first
const boldWidth = 6; // px of a character

/** Marks of the cables that impair what they carry: where they cover the least of other cables and labels. */
export function placeMarks(lab: Lab, curves: Readonly<Record<string, Curve>>, taken: Grid): Record<string, CableMark> {
	const marks: Record<string, CableMark> = {};
	for (const c of Object.values(lab.cables)) {
		const curve = curves[c.id];
		const [there, back] = c.ends.map((end) => lab.interfaces[end]?.impair ?? '');
		if (!curve || (!there && !back)) continue;
		const rows = markRows(curve, there ?? '', back ?? '');
		const own = piecesOf(curve);
		const [w, h] = [Math.max(...rows.map((r) => r.length)) * boldWidth, rows.length * rowHeight + 2];
		let [least, covering] = [Number.POSITIVE_INFINITY, undefined as Rect | undefined];
		for (const [at, spot] of spots.entries()) {
			const { x, y } = pointOn(curve, spot);
			const rect = { left: x - w / 2, right: x + w / 2, top: y - h / 2, bottom: y + h / 2 };
			const itself = own.reduce((sum, p) => sum + lengthIn(rect, p), 0) * cableWeight;
			const covered = taken.covered(rect) - itself + at * farPenalty;
			if (covered < least) [least, covering, marks[c.id]] = [covered, rect, { x, y, rows }];
		}
		if (covering) taken.add(covering);
	}
	return marks;
}

/** `→ 1 mbit` for one direction, `↔ 1 mbit` for both alike, as the cable lies. */
function markRows([from, , , to]: Curve, there: string, back: string): string[] {
	const level = Math.abs(to.x - from.x) >= Math.abs(to.y - from.y);
	if (there === back) return [`${level ? '↔' : '↕'} ${impairmentMark(there)}`];
	const [ahead, behind] = level ? (to.x >= from.x ? '→←' : '←→') : to.y >= from.y ? '↓↑' : '↑↓';
	return [there && `${ahead} ${impairmentMark(there)}`, back && `${behind} ${impairmentMark(back)}`].filter(Boolean);
}

function contactOf(j: Jack): Rect {
	const out = outward(j);
	const [x, y] = [j.x + out.x * contact.near, j.y + out.y * contact.near];
	const [toX, toY] = [j.x + out.x * contact.far, j.y + out.y * contact.far];
	const [acrossX, acrossY] = [Math.abs(out.y) * contact.half, Math.abs(out.x) * contact.half];
	return {
		left: Math.min(x, toX) - acrossX,
		right: Math.max(x, toX) + acrossX,
		top: Math.min(y, toY) - acrossY,
		bottom: Math.max(y, toY) + acrossY,
	};
}

/** Side by side, as their jacks are. */
function inPlacedOrder(jacks: Record<string, Jack>, wired: Wiring): Interface[] {
	const byID = new Map(wired.interfaces.map((i) => [i.id, i]));
	return Object.keys(jacks).flatMap((id) => byID.get(id) ?? []);
}

/** Name and rows around the cable, further apart where another label is between. */
function uprightLabels(j: Jack, i: Interface): Label[] {
	const side = j.side === 'left' ? -1 : 1;
	const x = side * (i.up || j.inward ? aside : asideOfContact);
	return [0, 1, 2].map((k) => ({
		x,
		anchor: side < 0 ? 'end' : 'start',
		name: -6 - k * rowHeight,
		rows: 14 + k * rowHeight,
	}));
}

/** Right or left of the cable, then the same further away from the node. */
function levelLabels(j: Jack, rows: number, leftFirst: boolean): Label[] {
	const labels: Label[] = [];
	for (let k = 0; k < tries; k++) {
		const name = j.side === 'bottom' ? 18 + k * rowHeight : -10 - rows * rowHeight - k * rowHeight;
		const right: Label = { x: beside, anchor: 'start', name, rows: name + rowHeight };
		const left: Label = { x: -beside, anchor: 'end', name, rows: name + rowHeight };
		labels.push(...(leftFirst ? [left, right] : [right, left]));
	}
	return labels;
}

/** What a label covers, on the canvas: the name, and the rows below it. */
export function rectsOf(j: Jack, label: Label, width: number, rows: number): Rect[] {
	const x = j.x + label.x;
	const [left, right] = label.anchor === 'start' ? [x, x + width] : [x - width, x];
	const band = (baseline: number, count: number): Rect => ({
		left,
		right,
		top: j.y + baseline - ascent,
		bottom: j.y + baseline + (count - 1) * rowHeight + 2,
	});
	return rows === 0 ? [band(label.name, 1)] : [band(label.name, 1), band(label.rows, rows)];
}

/** How much of a line is in a rectangle, in px: Liang and Barsky's clipping. */
function lengthIn(r: Rect, { from: a, to: b }: Piece): number {
	const [dx, dy] = [b.x - a.x, b.y - a.y];
	let [from, to] = [0, 1];
	const clip = (way: number, room: number) => {
		if (way < 0) from = Math.max(from, room / way);
		else if (way > 0) to = Math.min(to, room / way);
		else if (room < 0) to = 0;
	};
	clip(-dx, a.x - r.left);
	clip(dx, r.right - a.x);
	clip(-dy, a.y - r.top);
	clip(dy, r.bottom - a.y);
	return from < to ? (to - from) * Math.hypot(dx, dy) : 0;
}

interface Obstacle extends Rect {
	seen: number; // by the look that found it last: it may lie in several cells
}

/** A straight piece of a cable. */
interface Piece extends Obstacle {
	from: Point;
	to: Point;
}

/** Rectangles and cables, found by where they are. */
class Grid {
	private readonly rects = new Map<number, Obstacle[]>();
	private readonly pieces = new Map<number, Piece[]>();
	private looks = 0;

	/** How much of a rectangle the others cover, in px². */
	covered(r: Rect): number {
		const look = ++this.looks;
		let area = 0;
		for (const key of cellsOf(r)) {
			for (const p of this.pieces.get(key) ?? nothing) {
				if (p.seen === look || p.left > r.right || p.right < r.left || p.top > r.bottom || p.bottom < r.top) continue;
				p.seen = look;
				area += cableWeight * lengthIn(r, p);
			}
			for (const o of this.rects.get(key) ?? nothing) {
				if (o.seen === look) continue;
				o.seen = look;
				const w = Math.min(o.right, r.right) - Math.max(o.left, r.left);
				const h = Math.min(o.bottom, r.bottom) - Math.max(o.top, r.top);
				if (w > 0 && h > 0) area += w * h;
			}
		}
		return area;
	}

	add(r: Rect): void {
		const obstacle = { ...r, seen: 0 };
		for (const key of cellsOf(r)) push(this.rects, key, obstacle);
	}

	addCurve(c: Curve): void {
		for (const piece of piecesOf(c)) for (const key of cellsOf(piece)) push(this.pieces, key, piece);
	}
}

function piecesOf(c: Curve): Piece[] {
	let from = c[0];
	return Array.from({ length: piecesOfCable }, (_, at) => {
		const to = pointOn(c, (at + 1) / piecesOfCable);
		const [left, right] = [Math.min(from.x, to.x), Math.max(from.x, to.x)];
		const [top, bottom] = [Math.min(from.y, to.y), Math.max(from.y, to.y)];
		const piece = { from, to, left, right, top, bottom, seen: 0 };
		from = to;
		return piece;
	});
}

const nothing: readonly never[] = [];

function push<V>(cells: Map<number, V[]>, key: number, v: V): void {
	const list = cells.get(key);
	if (list) list.push(v);
	else cells.set(key, [v]);
}

const cell = 64; // px

function cellsOf(r: Rect): number[] {
	const keys: number[] = [];
	for (let x = Math.floor(r.left / cell); x <= Math.floor(r.right / cell); x++) {
		for (let y = Math.floor(r.top / cell); y <= Math.floor(r.bottom / cell); y++) keys.push(x * 0x100000 + y);
	}
	return keys;
}
