import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyEdits, anyLab, compare, drawn, tryEdit } from '../../test/lab';
import { applyEdits } from './edit';
import { applyPatch, merge } from './patch';

test('a change and what was before it take each other back', () => {
	fc.assert(
		fc.property(anyLab, anyEdits, (before, edits) => {
			const after = edits.reduce(tryEdit, before);
			expect(applyPatch(before, compare(before, after))).toEqual(after);
			expect(applyPatch(after, compare(after, before))).toEqual(before);
		}),
	);
});

test('a patch that comes twice changes nothing the second time', () => {
	fc.assert(
		fc.property(anyLab, anyEdits, (before, edits) => {
			const patch = compare(before, edits.reduce(tryEdit, before));
			const once = applyPatch(before, patch);
			expect(applyPatch(once, patch)).toEqual(once);
		}),
	);
});

test('what a patch does not touch stays the same object', () => {
	const lab = drawn('host: red blue', 'red:a -- blue:b');
	const down = compare(lab, applyEdits(lab, [{ updateInterface: { id: 'red:a', up: false } }]));
	const after = applyPatch(lab, down);
	expect(after.nodes).toBe(lab.nodes);
	expect(after.cables).toBe(lab.cables);
	expect(after.interfaces['blue:b']).toBe(lab.interfaces['blue:b']);
	expect(after.interfaces['red:a']?.up).toBe(false);
});

test('null takes away, and nothing leaves the record as it is', () => {
	const now = { a: 1, b: 2 };
	expect(merge(now, { a: null, c: 3 })).toEqual({ b: 2, c: 3 });
	expect(merge(now, {})).toBe(now);
	expect(merge(now, undefined)).toBe(now);
});
