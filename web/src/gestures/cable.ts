// Drawing a cable, and plugging one of its ends elsewhere: one table of states. A press on a node's edge or with the cable
// tool starts it by drag; a click that does not move goes on by clicks; C goes on by keys. Each state can be cancelled.
import type { Geometry, Point } from '../model/geometry';
import { thingAt } from '../model/geometry';
import { canConnect } from '../model/suggest';
import { holderOf, thingOf, thingsOf } from '../model/things';
import type { CableGesture } from '../session/stores';
import type { Lab } from '../wire/types.gen';

export type CableEvent =
	| { type: 'press'; node: string; pointer: Point; end?: string }
	| { type: 'begin'; node: string; pointer: Point } // C
	| { type: 'move'; pointer: Point }
	| { type: 'release'; pointer: Point; moved: boolean }
	| { type: 'click'; pointer: Point }
	| { type: 'target'; node: string } // arrows
	| { type: 'type'; text: string }
	| { type: 'erase' } // the last letter
	| { type: 'enter' }
	| { type: 'cancel' };

export type CableResult =
	| { do: 'connect'; from: string; to: string }
	| { do: 'replug'; end: string; to: string }
	| { do: 'nowhere'; from: string; at: Point } // a cable dropped on nothing
	| { do: 'refused'; reason: string };

export interface World {
	lab: Lab;
	geometry: Geometry;
}

const idle: CableGesture = { at: 'idle' };

type Drawing = Extract<CableGesture, { at: 'drawing' }>;

export function cableGesture(
	state: CableGesture,
	e: CableEvent,
	world: World,
): { state: CableGesture; result?: CableResult } {
	if (e.type === 'cancel') return { state: idle };
	if (state.at === 'idle') {
		if (e.type === 'press') {
			const end = e.end ? { end: e.end } : {};
			return { state: { at: 'drawing', by: 'drag', from: e.node, pointer: e.pointer, ...end } };
		}
		if (e.type === 'begin') return { state: { at: 'drawing', by: 'keys', from: e.node, pointer: e.pointer } };
		return { state };
	}
	switch (e.type) {
		case 'press':
		case 'begin':
			return { state };
		case 'move':
			return { state: aim({ ...state, pointer: e.pointer }, thingAt(world.lab, world.geometry, e.pointer), world) };
		case 'release': {
			if (state.by !== 'drag') return { state };
			// Pressed and let go without moving: go on by clicks.
			if (!e.moved && !state.end) return { state: { ...state, by: 'clicks' } };
			return drop(state, e.pointer, world);
		}
		case 'click':
			return state.by === 'drag' ? { state } : drop(state, e.pointer, world);
		case 'target':
			return { state: { ...aim(state, e.node, world), by: 'keys', typed: '' } };
		case 'type':
			return { state: aimByName(state, (state.typed ?? '') + e.text, world) };
		case 'erase':
			return { state: aimByName(state, (state.typed ?? '').slice(0, -1), world) };
		case 'enter':
			return state.target ? finish(state, state.target, world) : { state };
	}
}

/** Points at a box, or at nothing, and says why it cannot be one if so. */
function aim(state: Drawing, target: string | undefined, world: World): Drawing {
	const { target: _, reason: __, ...rest } = state;
	if (target === undefined) return rest;
	const can = reach(state, target, world);
	return can.ok ? { ...rest, target } : { ...rest, target, reason: can.reason };
}

/** Points at the first box whose name begins so; at nothing if there is none. */
function aimByName(state: Drawing, typed: string, world: World): Drawing {
	const things = typed === '' ? [] : thingsOf(world.lab);
	const found = things.find((t) => t.id !== state.from && t.name.toLowerCase().startsWith(typed.toLowerCase()));
	return { ...aim(state, found?.id, world), by: 'keys', typed };
}

function reach(state: Drawing, target: string, world: World): { ok: true } | { ok: false; reason: string } {
	if (state.end) {
		const end = world.lab.interfaces[state.end];
		if (end && holderOf(world.lab, end) === target) return { ok: false, reason: `${end.name} is there already` };
		const node = thingOf(world.lab, target)?.node;
		const taken = Object.values(world.lab.interfaces).some((i) => i.node === node && i.name === end?.name);
		if (taken) return { ok: true }; // it gets a free name, or is there already
	}
	return canConnect(world.lab, state.from, target);
}

function drop(state: Drawing, pointer: Point, world: World): { state: CableGesture; result?: CableResult } {
	const target = thingAt(world.lab, world.geometry, pointer);
	if (target === undefined) {
		if (state.end) return { state: idle }; // back it goes
		return { state: idle, result: { do: 'nowhere', from: state.from, at: pointer } };
	}
	return finish(state, target, world);
}

function finish(state: Drawing, target: string, world: World): { state: CableGesture; result?: CableResult } {
	const can = reach(state, target, world);
	if (!can.ok) {
		// A drag that ends where it began was no cable: say nothing.
		return target === state.from || state.end
			? { state: idle }
			: { state: idle, result: { do: 'refused', reason: can.reason } };
	}
	if (state.end) return { state: idle, result: { do: 'replug', end: state.end, to: target } };
	return { state: idle, result: { do: 'connect', from: state.from, to: target } };
}
