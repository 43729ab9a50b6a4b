// Where boxes are that nobody has put anywhere. In a machine in which nothing has a place, nodes stand above and below the
// bridge that they are plugged into; else they take the first free slot, and a bridge goes below. Machines stand side by
// side, LANs below those that they join. A place is relative to the box that a thing is in.
import type { Lab, Place } from '../wire/types.gen';
import { headerHeight, jackGap, padding, type Size, sizeOf, sizes } from './sizes';
import { isBar, isBridge, type Thing, thingsOf } from './things';

export type Places = Readonly<Record<string, Place>>;

const slotStep = { x: 348, y: 132 }; // room for a cable's labels between two nodes
const clearance = { x: 48, y: 24 };
const firstSlot = { x: 40, y: headerHeight + 32 };
const betweenMachines = 216; // room for the labels of a cable from one to the next
const besideOnLAN = 96; // where cables leave below, to a LAN
const toBar = 100; // from nodes to the bar that they are plugged into: room for the labels of both ends
const toLAN = 104;
const column = 220; // from a node to the next above or below a bar
const betweenRows = slotStep.y - sizes.namespace.h; // of nodes above a bar, or below it
const inOneRow = 8; // nodes; more stand in several rows
const oneRow = 1600; // px of bridges beside each other; more stand in several rows

/** Places for the boxes that have none. `kept` are those that they had until now, so that they stay as others come and go. */
export function slotsFor(lab: Lab, kept: Places = {}): Places {
	const things = thingsOf(lab);
	if (things.every((t) => lab.places[t.id])) return noPlaces;
	const found: Record<string, Place> = {};
	for (const t of things) {
		const place = kept[t.id];
		if (place && !lab.places[t.id]) found[t.id] = place;
	}
	const room = new Room(withPlaces(lab, found), things);
	for (const box of room.innermostFirst()) {
		const inner = room.in(box);
		const homeless = inner.filter((t) => !room.places[t.id]);
		if (homeless.length === 0) continue;
		if (homeless.length === inner.length) aroundBridges(lab, room, inner);
		const slots = new Slots(room, inner);
		for (const t of homeless) if (!isBar(t.shape)) room.places[t.id] ??= slots.take(sizes[t.shape]);
		for (const t of homeless) if (isBar(t.shape)) room.places[t.id] ??= belowAll(room, inner, t);
	}
	const outer = room.in('').filter((t) => !room.places[t.id]);
	const onLAN = room.in('').some((t) => t.shape === 'lan');
	const across = joinedAcross(lab);
	for (const t of outer) {
		if (isBar(t.shape)) continue;
		const gap = onLAN && !across.has(t.id) ? besideOnLAN : betweenMachines;
		room.places[t.id] = rightOfAll(room, gap, onLAN ? t : undefined);
	}
	for (const t of outer) if (isBar(t.shape)) room.places[t.id] = belowJoined(lab, room, t);
	for (const t of things) {
		const place = room.places[t.id];
		if (place && !lab.places[t.id]) found[t.id] = place;
	}
	return found;
}

const noPlaces: Places = {};

/** The lab with these places over its own. */
export function withPlaces(lab: Lab, places: Places): Lab {
	return { ...lab, places: { ...lab.places, ...places } };
}

/** Where a new node goes in a machine. Every box that is drawn should have its place: see Geometry.places. */
export function freePlace(lab: Lab, machine: string, size = sizes.namespace): Place {
	const room = new Room(lab, thingsOf(lab));
	return new Slots(room, room.in(machine)).take(size);
}

/** Where a new machine goes: right of the others; nearer where there is a LAN to join it to them. */
export function machinePlace(lab: Lab): Place {
	const things = thingsOf(lab);
	return rightOfAll(new Room(lab, things), things.some((t) => t.shape === 'lan') ? besideOnLAN : betweenMachines);
}

/** Where a new bridge goes in its machine or namespace: below what is there, in the middle. */
export function bridgePlace(lab: Lab, box: string): Place {
	const room = new Room(lab, thingsOf(lab));
	return belowAll(room, room.in(box), undefined);
}

/** Where a new LAN goes: below the machines, in the middle. */
export function lanPlace(lab: Lab): Place {
	return belowJoined(lab, new Room(lab, thingsOf(lab)), undefined);
}

/** Boxes by what they are in, their places as far as they have some, and how much room each takes. */
class Room {
	readonly places: Record<string, Place>;
	private readonly inner = new Map<string, Thing[]>();

	constructor(
		private readonly lab: Lab,
		private readonly things: readonly Thing[],
	) {
		this.places = { ...lab.places };
		for (const t of things) {
			const list = this.inner.get(t.within ?? '');
			if (list) list.push(t);
			else this.inner.set(t.within ?? '', [t]);
		}
	}

	in(box: string): Thing[] {
		return this.inner.get(box) ?? [];
	}

	/** Boxes with others in them: a namespace with a bridge before its machine. */
	innermostFirst(): string[] {
		const holders = this.things.filter((t) => this.inner.has(t.id));
		return holders.sort((a, b) => Number(!a.within) - Number(!b.within)).map((t) => t.id);
	}

	size(t: Thing): Size {
		const size = { ...sizeOf(t, this.lab.interfaces[t.id]) };
		for (const c of this.in(t.id)) {
			const [place, own] = [
				this.places[c.id],
				this.in(c.id).length > 0 ? this.size(c) : sizeOf(c, this.lab.interfaces[c.id]),
			];
			if (!place) continue;
			size.w = Math.max(size.w, place.x + own.w + padding);
			size.h = Math.max(size.h, place.y + own.h + padding);
		}
		return size;
	}

	box(t: Thing): (Place & Size) | undefined {
		const place = this.places[t.id];
		return place && { ...place, ...this.size(t) };
	}

	boxes(things: readonly Thing[]): (Place & Size)[] {
		return things.flatMap((t) => this.box(t) ?? []);
	}
}

/**
 * Each bridge with the nodes that are plugged into it: up to three above it, of more one half below. Many stand in rows, each
 * second one between the nodes of the others, so that cables pass between them; and so do many bridges.
 */
function aroundBridges(lab: Lab, room: Room, inner: readonly Thing[]): void {
	const bridges = inner.filter((t) => isBridge(t.shape));
	const home = new Map<string, string>(); // of a node: the first bridge that it is plugged into
	for (const c of Object.values(lab.cables)) {
		for (const [end, other] of [c.ends, [c.ends[1], c.ends[0]] as const]) {
			const [i, peer] = [lab.interfaces[end], lab.interfaces[other]];
			if (i && peer?.master && !home.has(i.node)) home.set(i.node, peer.master);
		}
	}
	const stars = bridges.flatMap((bridge) => {
		const members = inner.filter((t) => !isBar(t.shape) && home.get(t.id) === bridge.id);
		return members.length > 0 ? [starOf(room, bridge, members)] : [];
	});
	const gap = column - sizes.namespace.w;
	const area = stars.reduce((sum, { size }) => sum + (size.w + gap) * (size.h + gap), 0);
	const widest = Math.max(oneRow, Math.sqrt(2 * area)); // about twice as wide as high
	let [x, y, lowest] = [0, 0, 0];
	for (const { size, places } of stars) {
		if (x > 0 && x + size.w > widest) [x, y, lowest] = [0, lowest + gap, 0];
		for (const [id, at] of places) room.places[id] = snapped(firstSlot.x + x + at.x, firstSlot.y + y + at.y);
		x += size.w + gap;
		lowest = Math.max(lowest, y + size.h);
	}
}

/** A bridge and its nodes, from a corner. */
function starOf(room: Room, bridge: Thing, members: readonly Thing[]): { size: Size; places: [string, Place][] } {
	const above = members.length <= 3 ? members.length : Math.ceil(members.length / 2);
	const bar = room.size(bridge);
	const inRow = rowLength(above);
	const barWidth = above > inRow ? Math.max(bar.w, (above + 1) * jackGap) : bar.w; // as wide as its jacks make it
	const shift = above > inRow ? column / 4 : 0;
	const wide = (count: number) => count * column - (column - sizes.namespace.w);
	const width = Math.max(wide(inRow) + 2 * shift, barWidth);
	const rowHeight = Math.max(...members.map((t) => room.size(t).h));
	const step = rowHeight + betweenRows;
	const barY = (Math.ceil(above / inRow) - 1) * step + rowHeight + toBar;
	const places: [string, Place][] = [[bridge.id, { x: (width - barWidth) / 2, y: barY }]];
	const place = (side: readonly Thing[], top: number) => {
		for (const [at, t] of side.entries()) {
			const row = Math.floor(at / inRow);
			const inThisRow = Math.min(inRow, side.length - row * inRow);
			const left = (width - wide(inThisRow)) / 2 + (row % 2 === 0 ? -shift : shift);
			places.push([t.id, { x: left + (at % inRow) * column, y: top + row * step }]);
		}
	};
	const below = barY + bar.h + toBar;
	const rowsBelow = Math.ceil((members.length - above) / inRow);
	place(members.slice(0, above), 0);
	place(members.slice(above), below);
	return { size: { w: width, h: rowsBelow > 0 ? below + rowsBelow * step - betweenRows : barY + bar.h }, places };
}

/** How many of so many nodes stand beside each other: a picture about twice as wide as high, and no narrower than their bar. */
function rowLength(count: number): number {
	if (count <= inOneRow) return count;
	const most = Math.max(inOneRow, Math.ceil(Math.sqrt(2 * count)), Math.floor((count * jackGap) / column));
	return Math.ceil(count / Math.ceil(count / most));
}

const snapped = (x: number, y: number): Place => ({ x: Math.round(x / 8) * 8, y: Math.round(y / 8) * 8 });

function belowAll(room: Room, inner: readonly Thing[], bar: Thing | undefined): Place {
	const boxes = room.boxes(inner);
	const { w } = bar ? room.size(bar) : sizes.bridge;
	if (boxes.length === 0) return { x: firstSlot.x + 40, y: firstSlot.y + 24 };
	const [left, right] = [Math.min(...boxes.map((b) => b.x)), Math.max(...boxes.map((b) => b.x + b.w))];
	const bottom = Math.max(...boxes.map((b) => b.y + b.h));
	return snapped(Math.max(firstSlot.x, (left + right - w) / 2), bottom + toBar);
}

/** On one line with the others by their tops, or by the foot of `standing`, as a LAN is below them. */
function rightOfAll(room: Room, gap: number, standing?: Thing): Place {
	const boxes = room.boxes(room.in('').filter((t) => !isBar(t.shape)));
	if (boxes.length === 0) return { x: 0, y: 0 };
	const foot = Math.max(...boxes.map((b) => b.y + b.h));
	const y = standing ? foot - room.size(standing).h : Math.min(...boxes.map((b) => b.y));
	return snapped(Math.max(...boxes.map((b) => b.x + b.w)) + gap, y);
}

/** The machines from which a cable leads to another one, or to the internet, with no LAN between. */
function joinedAcross(lab: Lab): Set<string> {
	const across = new Set<string>();
	for (const c of Object.values(lab.cables)) {
		const outer = c.ends.map((end) => {
			const node = lab.nodes[lab.interfaces[end]?.node ?? ''];
			return node && (node.in ? lab.nodes[node.in] : node);
		});
		const [a, b] = outer;
		if (!a || !b || a === b || a.kind === 'lan' || b.kind === 'lan') continue;
		across.add(a.id).add(b.id);
	}
	return across;
}

/** Below the boxes that it joins, or all, in the middle between them; right of other bars that are there. */
function belowJoined(lab: Lab, room: Room, bar: Thing | undefined): Place {
	const joined = new Set<string>();
	for (const c of Object.values(lab.cables)) {
		const [a, b] = [lab.interfaces[c.ends[0]], lab.interfaces[c.ends[1]]];
		if (!a || !b) continue;
		if (a.node === bar?.id) joined.add(lab.nodes[b.node]?.in ?? b.node);
		if (b.node === bar?.id) joined.add(lab.nodes[a.node]?.in ?? a.node);
	}
	const outer = room.in('');
	const others = outer.filter((t) => !isBar(t.shape));
	const near = others.filter((t) => joined.has(t.id));
	const boxes = room.boxes(near.length > 0 ? near : others);
	const { w, h } = bar ? room.size(bar) : sizes.lan;
	if (boxes.length === 0) return { x: 0, y: 0 };
	const [left, right] = [Math.min(...boxes.map((b) => b.x)), Math.max(...boxes.map((b) => b.x + b.w))];
	const all = room.boxes(others);
	const place = snapped((left + right - w) / 2, Math.max(...all.map((b) => b.y + b.h)) + toLAN);
	const bars = room.boxes(outer.filter((t) => isBar(t.shape) && t !== bar));
	for (let moved = true; moved; ) {
		moved = false;
		for (const b of bars) {
			if (Math.abs(b.y - place.y) >= h + clearance.y || place.x >= b.x + b.w + clearance.x) continue;
			if (place.x + w + clearance.x <= b.x) continue;
			place.x = Math.ceil((b.x + b.w + clearance.x) / 8) * 8;
			moved = true;
		}
	}
	return place;
}

/**
 * The slots of one box, in growing squares from its upper left, each second row between the nodes of the others, so that cables
 * to a bridge below pass between. Slots are only ever taken, so that a thousand nodes without
 * a place are placed in one pass.
 */
class Slots {
	private readonly taken = new Map<string, (Place & Size)[]>();
	private next = 0;

	constructor(room: Room, inner: readonly Thing[]) {
		for (const b of room.boxes(inner)) this.mark(b);
	}

	take(size: Size): Place {
		for (; ; this.next++) {
			const [column, row] = nthSlot(this.next);
			const shift = row % 2 === 0 ? 0 : slotStep.x / 2;
			const place = { x: firstSlot.x + column * slotStep.x + shift, y: firstSlot.y + row * slotStep.y };
			if (!this.isClear({ ...place, ...size })) continue;
			this.mark({ ...place, ...size });
			return place;
		}
	}

	/** In every cell that it lies in. */
	private mark(b: Place & Size): void {
		for (const key of cellsOf(b)) {
			const cell = this.taken.get(key);
			if (cell) cell.push(b);
			else this.taken.set(key, [b]);
		}
	}

	private isClear(b: Place & Size): boolean {
		const wide = { x: b.x - clearance.x, y: b.y - clearance.y, w: b.w + 2 * clearance.x, h: b.h + 2 * clearance.y };
		return !cellsOf(wide).some((key) =>
			this.taken
				.get(key)
				?.some((t) => t.x < wide.x + wide.w && wide.x < t.x + t.w && t.y < wide.y + wide.h && wide.y < t.y + t.h),
		);
	}
}

function cellsOf(b: Place & Size): string[] {
	const keys: string[] = [];
	for (let x = Math.floor(b.x / slotStep.x); x <= Math.floor((b.x + b.w) / slotStep.x); x++) {
		for (let y = Math.floor(b.y / slotStep.y); y <= Math.floor((b.y + b.h) / slotStep.y); y++) keys.push(`${x} ${y}`);
	}
	return keys;
}

/** 0 is the corner; 1..3 are the next square around it, and so on: column and row. */
function nthSlot(n: number): [number, number] {
	const ring = Math.floor(Math.sqrt(n));
	const at = n - ring * ring;
	return at < ring ? [ring, at] : [at - ring, ring];
}
