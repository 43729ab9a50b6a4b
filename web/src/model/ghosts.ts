// What an earlier revision has otherwise than the lab has now, by where it would be drawn: made from the same differences
// that the history lists in words.
import type { Lab } from '../wire/types.gen';
import { drawnAs } from './advice';
import { pointOn } from './curves';
import { type Box, type Curve, computeGeometry, type Geometry, type Jack, type Point } from './geometry';
import { differences } from './revision';
import { hasJack, holderOf, type Shape, thingsOf } from './things';

export type Does = 'add' | 'remove' | 'change' | 'move';

export interface BoxGhost {
	id: string;
	does: Does;
	name: string;
	shape: Shape;
	box: Box;
}

export interface CurveGhost {
	id: string;
	does: Does;
	curve: Curve;
	middle: Point;
}

export interface JackGhost {
	id: string;
	does: Does;
	at: Point;
	/** Of what would be made or taken away; as seen from the jack. */
	label?: Jack['label'];
	rows: string[];
}

export interface Ghosts {
	boxes: BoxGhost[];
	curves: CurveGhost[];
	jacks: JackGhost[];
}

/** What going from `now`, as it is drawn, to `then` would make, take away, change and move. */
export function ghostsOf(now: Lab, then: Lab, drawn: Geometry): Ghosts {
	const next = computeGeometry(then, { before: drawn });
	const changed = new Set(
		differences(now, then).flatMap(({ does, on }) =>
			does === 'change' && on ? (drawnAs(then, on) ?? drawnAs(now, on) ?? []) : [],
		),
	);
	return {
		boxes: boxGhosts(now, then, drawn, next, changed),
		curves: curveGhosts(now, then, drawn, next),
		jacks: jackGhosts(now, then, drawn, next, changed),
	};
}

/** What is in one of two or in both. What goes is first, so that what comes in its place is drawn over it. */
function* pairs<V>(now: Map<string, V>, then: Map<string, V>): Generator<{ id: string; was?: V; is?: V }> {
	for (const [id, was] of now) if (!then.has(id)) yield { id, was };
	for (const [id, is] of then) {
		const was = now.get(id);
		yield was === undefined ? { id, is } : { id, was, is };
	}
}

function boxGhosts(now: Lab, then: Lab, drawn: Geometry, next: Geometry, changed: ReadonlySet<string>): BoxGhost[] {
	const things = (lab: Lab) => new Map(thingsOf(lab).map((t) => [t.id, t]));
	const found: BoxGhost[] = [];
	for (const { id, was, is } of pairs(things(now), things(then))) {
		const thing = is ?? was;
		const box = (is ? next : drawn).boxes[id];
		const does = !was
			? 'add'
			: !is
				? 'remove'
				: changed.has(id)
					? 'change'
					: isMoved(now, then, id)
						? 'move'
						: undefined;
		if (thing && box && does) found.push({ id, does, name: thing.name, shape: thing.shape, box });
	}
	return found;
}

function isMoved(now: Lab, then: Lab, id: string): boolean {
	const [was, is] = [now.places?.[id], then.places?.[id]];
	return was?.x !== is?.x || was?.y !== is?.y;
}

function curveGhosts(now: Lab, then: Lab, drawn: Geometry, next: Geometry): CurveGhost[] {
	const cables = (lab: Lab) => new Map(Object.entries(lab.cables));
	const found: CurveGhost[] = [];
	for (const { id, was, is } of pairs(cables(now), cables(then))) {
		const curve = (is ? next : drawn).curves[id];
		const does = !was ? 'add' : !is ? 'remove' : isPluggedElsewhere(now, then, is.ends) ? 'change' : undefined;
		if (curve && does) found.push({ id, does, curve, middle: pointOn(curve, 0.5) });
	}
	return found;
}

function isPluggedElsewhere(now: Lab, then: Lab, ends: readonly string[]): boolean {
	return ends.some((end) => {
		const [was, is] = [now.interfaces[end], then.interfaces[end]];
		return !was || !is || holderOf(now, was) !== holderOf(then, is);
	});
}

function jackGhosts(now: Lab, then: Lab, drawn: Geometry, next: Geometry, changed: ReadonlySet<string>): JackGhost[] {
	const jacks = (lab: Lab) => new Map(Object.entries(lab.interfaces).filter(([, i]) => hasJack(lab, i)));
	const found: JackGhost[] = [];
	for (const { id, was, is } of pairs(jacks(now), jacks(then))) {
		const at = (is ? next : drawn).jacks[id];
		if (!at) continue;
		if (is && !was) found.push({ id, does: 'add', at, label: at.label, rows: [is.name, ...is.addresses] });
		else if (was && !is) found.push({ id, does: 'remove', at, label: at.label, rows: [was.name, ...was.addresses] });
		else if (changed.has(id)) found.push({ id, does: 'change', at, rows: [] });
	}
	return found;
}
