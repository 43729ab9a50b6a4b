// Where nodes are that nobody has put anywhere: the first free slot of their machine, or right of the other machines. A
// place is relative to the machine's box, for what is in one.
import type { Lab, Place } from '../wire/types.gen';
import { nodesInOrder } from './lab';
import { headerHeight, type Kind, sizes } from './sizes';

export type Places = Readonly<Record<string, Place>>;

const slotStep = { x: 348, y: 132 }; // room for a cable's labels between two nodes
const clearance = { x: 48, y: 24 };
const firstSlot = { x: 40, y: headerHeight + 32 };
const betweenMachines = 216;

/** Places for the nodes that have none. `kept` are those that they had until now, so that they stay as others come and go. */
export function slotsFor(lab: Lab, kept: Places = {}): Places {
	const homeless = nodesInOrder(lab).filter((n) => !lab.places[n.id]);
	if (homeless.length === 0) return noPlaces;
	const found: Record<string, Place> = {};
	for (const n of homeless) {
		const place = kept[n.id];
		if (place) found[n.id] = place;
	}
	const given = withPlaces(lab, found);
	const slots = new Map<string, Slots>();
	for (const n of homeless) {
		if (given.places[n.id]) continue;
		let own = slots.get(n.in ?? '');
		if (n.in && !own) {
			own = new Slots(given, n.in);
			slots.set(n.in, own);
		}
		const place = own?.take(n.kind) ?? machinePlace(given);
		given.places[n.id] = found[n.id] = place;
	}
	return found;
}

const noPlaces: Places = {};

/** The lab with these places over its own. */
export function withPlaces(lab: Lab, places: Places): Lab {
	return { ...lab, places: { ...lab.places, ...places } };
}

/** Where a new namespace goes in a machine. Every node that is drawn should have its place: see Geometry.slots. */
export function freePlace(lab: Lab, machine: string): Place {
	return new Slots(lab, machine).take();
}

/** Where a new machine goes: right of the others. */
export function machinePlace(lab: Lab): Place {
	const widths = new Map<string, number>();
	for (const n of Object.values(lab.nodes)) {
		const place = lab.places[n.id];
		if (!n.in || !place) continue;
		widths.set(n.in, Math.max(widths.get(n.in) ?? 0, place.x + sizes[n.kind].w + clearance.x));
	}
	let right = Number.NEGATIVE_INFINITY;
	let top = Number.POSITIVE_INFINITY;
	for (const n of Object.values(lab.nodes)) {
		const place = lab.places[n.id];
		if (n.in || !place) continue;
		right = Math.max(right, place.x + Math.max(sizes[n.kind].w, widths.get(n.id) ?? 0));
		top = Math.min(top, place.y);
	}
	return right === Number.NEGATIVE_INFINITY ? { x: 0, y: 0 } : { x: right + betweenMachines, y: top };
}

/**
 * The slots of one machine, in growing squares from its upper left. Slots are only ever taken, so that a thousand nodes
 * without a place are placed in one pass.
 */
class Slots {
	private readonly taken = new Map<string, { place: Place; kind: Kind }[]>();
	private next = 0;

	constructor(lab: Lab, machine: string) {
		for (const n of Object.values(lab.nodes)) {
			const place = lab.places[n.id];
			if (n.in === machine && place) this.mark(place, n.kind);
		}
	}

	take(kind: Kind = 'namespace'): Place {
		for (; ; this.next++) {
			const [column, row] = nthSlot(this.next);
			const place = { x: firstSlot.x + column * slotStep.x, y: firstSlot.y + row * slotStep.y };
			if (!this.isClear(place, kind)) continue;
			this.mark(place, kind);
			return place;
		}
	}

	private mark(place: Place, kind: Kind): void {
		const key = cellOf(place);
		const cell = this.taken.get(key);
		if (cell) cell.push({ place, kind });
		else this.taken.set(key, [{ place, kind }]);
	}

	private isClear(p: Place, kind: Kind): boolean {
		for (const dx of [-1, 0, 1]) {
			for (const dy of [-1, 0, 1]) {
				const cell = this.taken.get(cellOf({ x: p.x + dx * slotStep.x, y: p.y + dy * slotStep.y })) ?? [];
				for (const t of cell) {
					const w = (t.place.x < p.x ? sizes[t.kind].w : sizes[kind].w) + clearance.x;
					const h = (t.place.y < p.y ? sizes[t.kind].h : sizes[kind].h) + clearance.y;
					if (Math.abs(t.place.x - p.x) < w && Math.abs(t.place.y - p.y) < h) return false;
				}
			}
		}
		return true;
	}
}

function cellOf(p: Place): string {
	return `${Math.floor(p.x / slotStep.x)} ${Math.floor(p.y / slotStep.y)}`;
}

/** 0 is the corner; 1..3 are the next square around it, and so on: column and row. */
function nthSlot(n: number): [number, number] {
	const ring = Math.floor(Math.sqrt(n));
	const at = n - ring * ring;
	return at < ring ? [ring, at] : [at - ring, ring];
}
