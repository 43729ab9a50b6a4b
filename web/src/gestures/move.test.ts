import { expect, test } from 'vitest';
import { type MoveEvent, type MoveGesture, moveGesture, moveKey, placesOf } from './move';

const begin: MoveEvent = { type: 'begin', from: { red: { x: 40, y: 64 }, blue: { x: 400, y: 64 } } };

function play(...events: (MoveEvent | undefined)[]): MoveGesture {
	return events.reduce<MoveGesture>((state, e) => (e ? moveGesture(state, e) : state), { at: 'resting' });
}

test('arrows move all that was chosen, Shift further', () => {
	const state = play(begin, moveKey('ArrowRight', false), moveKey('ArrowDown', true), moveKey('ArrowUp', false));
	expect(placesOf(state)).toEqual({ red: { x: 48, y: 96 }, blue: { x: 408, y: 96 } });
});

test.each([
	['Enter', { type: 'down' }],
	['Escape', { type: 'cancel' }],
	['a', undefined],
])('%s means %j', (key, want) => {
	expect(moveKey(key, false)).toEqual(want);
});

test('it ends either way, and does not begin with nothing', () => {
	for (const key of ['Enter', 'Escape']) expect(play(begin, moveKey(key, false))).toEqual({ at: 'resting' });
	expect(play({ type: 'begin', from: {} })).toEqual({ at: 'resting' });
	expect(play(moveKey('ArrowLeft', false))).toEqual({ at: 'resting' });
	expect(placesOf({ at: 'resting' })).toEqual({});
});
