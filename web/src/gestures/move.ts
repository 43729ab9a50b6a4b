// Moving nodes by keys: M begins, arrows move, Enter puts them down, Esc puts them back.
import type { Point } from '../model/geometry';
import type { Places } from '../model/places';

export type MoveGesture = { at: 'resting' } | { at: 'moving'; from: Places; by: Point };

export type MoveEvent =
	| { type: 'begin'; from: Places }
	| { type: 'step'; by: Point }
	| { type: 'down' }
	| { type: 'cancel' };

const resting: MoveGesture = { at: 'resting' };

export function moveGesture(state: MoveGesture, e: MoveEvent): MoveGesture {
	switch (e.type) {
		case 'begin':
			return Object.keys(e.from).length > 0 ? { at: 'moving', from: e.from, by: { x: 0, y: 0 } } : state;
		case 'step':
			if (state.at === 'resting') return state;
			return { ...state, by: { x: state.by.x + e.by.x, y: state.by.y + e.by.y } };
		case 'down':
		case 'cancel':
			return resting;
	}
}

/** Where the nodes are while they move. */
export function placesOf(state: MoveGesture): Places {
	if (state.at === 'resting') return {};
	const { from, by } = state;
	return Object.fromEntries(Object.entries(from).map(([id, p]) => [id, { x: p.x + by.x, y: p.y + by.y }]));
}

const near = 8; // px
const wide = 40; // px, with Shift

const directions: Readonly<Record<string, Point>> = {
	ArrowLeft: { x: -1, y: 0 },
	ArrowRight: { x: 1, y: 0 },
	ArrowUp: { x: 0, y: -1 },
	ArrowDown: { x: 0, y: 1 },
};

/** What a key means while nodes move. */
export function moveKey(key: string, shift: boolean): MoveEvent | undefined {
	if (key === 'Enter') return { type: 'down' };
	if (key === 'Escape') return { type: 'cancel' };
	const d = directions[key];
	const step = shift ? wide : near;
	return d && { type: 'step', by: { x: d.x * step, y: d.y * step } };
}
