import { describe, expect, test } from 'vitest';
import { drawn } from '../../test/lab';
import { center, computeGeometry, type Point } from '../model/geometry';
import type { CableGesture } from '../session/stores';
import { type CableEvent, type CableResult, cableGesture } from './cable';

const lab = drawn('host: red blue green', 'red:a -- blue:b');
const world = { lab, geometry: computeGeometry(lab) };
const nowhere: Point = { x: 5000, y: 5000 };
const over = (node: string): Point => {
	const box = world.geometry.boxes[node];
	return box ? center(box) : nowhere;
};

/** Plays events from idle: the state they end in, and what came of them. */
function play(...events: CableEvent[]): { state: CableGesture; results: CableResult[] } {
	let state: CableGesture = { at: 'idle' };
	const results: CableResult[] = [];
	for (const e of events) {
		const next = cableGesture(state, e, world);
		state = next.state;
		if (next.result) results.push(next.result);
	}
	return { state, results };
}

const press: CableEvent = { type: 'press', node: 'red', pointer: over('red') };
const begin: CableEvent = { type: 'begin', node: 'red', pointer: over('red') };
const plug: CableEvent = { type: 'press', node: 'blue', end: 'red:a', pointer: over('red') };
const moveTo = (node: string): CableEvent => ({ type: 'move', pointer: over(node) });
const letGo = (pointer: Point, moved = true): CableEvent => ({ type: 'release', pointer, moved });
const type = (text: string): CableEvent[] => [...text].map((c) => ({ type: 'type', text: c }));

describe('a cable', () => {
	const joins: CableResult = { do: 'connect', from: 'red', to: 'green' };
	test.each<[string, CableEvent[], CableResult[]]>([
		['is dragged from node to node', [press, moveTo('green'), letGo(over('green'))], [joins]],
		['is drawn by two clicks', [press, letGo(over('red'), false), { type: 'click', pointer: over('green') }], [joins]],
		['is drawn by arrows and Enter', [begin, { type: 'target', node: 'green' }, { type: 'enter' }], [joins]],
		['is drawn by typing a name', [begin, ...type('gr'), { type: 'enter' }], [joins]],
		['goes nowhere by Enter without a target', [begin, { type: 'enter' }], []],
		['dropped on nothing asks what to add', [press, letGo(nowhere)], [{ do: 'nowhere', from: 'red', at: nowhere }]],
		['let go where it began is none', [press, moveTo('green'), letGo(over('red'))], []],
	])('%s', (_, events, want) => {
		expect(play(...events).results).toEqual(want);
	});
});

describe('a cable’s end', () => {
	test.each<[string, Point, CableResult[]]>([
		['is plugged elsewhere', over('green'), [{ do: 'replug', end: 'red:a', to: 'green' }]],
		['dropped on nothing goes back', nowhere, []],
		['dropped where it is stays', over('red'), []],
	])('%s', (_, pointer, want) => {
		expect(play(plug, letGo(pointer))).toEqual({ state: { at: 'idle' }, results: want });
	});
});

describe('while it is in the hand', () => {
	test('it says why it cannot end where it points', () => {
		expect(play(press, moveTo('red')).state).toMatchObject({ target: 'red', reason: 'both ends would be in red' });
		expect(play(plug, moveTo('red')).state).toMatchObject({ reason: 'a is there already' });
		expect(play(press, moveTo('green')).state).not.toHaveProperty('reason');
	});

	test('letters narrow, and can be taken back', () => {
		expect(play(begin, ...type('bl')).state).toMatchObject({ target: 'blue', typed: 'bl' });
		expect(play(begin, ...type('GREEN')).state).toMatchObject({ target: 'green' });
		expect(play(begin, ...type('x')).state).not.toHaveProperty('target');
		expect(play(begin, ...type('bx'), { type: 'erase' }).state).toMatchObject({ target: 'blue', typed: 'b' });
		expect(play(begin, ...type('b'), { type: 'erase' }).state).not.toHaveProperty('target');
	});
});

test.each<[string, CableEvent[]]>([
	['idle', []],
	['dragging', [press, moveTo('green')]],
	['between two clicks', [press, letGo(over('red'), false)]],
	['by keys', [begin, ...type('gr')]],
	['plugging', [plug, moveTo('green')]],
])('%s, it can be cancelled', (_, events) => {
	expect(play(...events, { type: 'cancel' })).toEqual({ state: { at: 'idle' }, results: [] });
});
