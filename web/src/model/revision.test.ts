import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyEdits, anyLab, compare, drawn, tryEdit } from '../../test/lab';
import type { Change, Edit, Lab, Patch } from '../wire/types.gen';
import { applyEdits } from './edit';
import { differences, labAt } from './revision';

/** Edits as the changes that an engine would tell of. */
function history(start: Lab, steps: readonly Edit[][]): { lab: Lab; changes: Change[]; labs: Lab[] } {
	const changes: Change[] = [];
	const labs = [start];
	let lab = start;
	for (const [at, edits] of steps.entries()) {
		const after = edits.reduce(tryEdit, lab);
		const patch: Patch = compare(lab, after);
		const before: Patch = compare(after, lab);
		changes.push({ seq: at + 1, at: '', origin: 'canvas', sentence: '', patch, before });
		labs.push(after);
		lab = after;
	}
	return { lab, changes, labs };
}

test('any revision is what it was, from what changed since', () => {
	fc.assert(
		fc.property(anyLab, fc.array(anyEdits, { maxLength: 8 }), (start, steps) => {
			const { lab, changes, labs } = history(start, steps);
			for (const [seq, was] of labs.entries()) {
				const then = labAt(lab, changes, seq);
				expect(then && compare(was, then)).toEqual(changes.length === 0 && seq > 0 ? undefined : {});
			}
		}),
		{ numRuns: 40 },
	);
});

test('what is not held is not known', () => {
	const { lab, changes } = history(drawn('host: red'), [[{ delete: { id: 'red' } }], [{ delete: { id: 'host' } }]]);
	expect(labAt(lab, changes.slice(1), 0)).toBeUndefined();
	expect(labAt(lab, changes, 3)).toBeUndefined();
});

test('what going back would do is said in words', () => {
	const before = drawn('host: red =br0', 'lan office', 'red:a 10.0.0.1/24 -- br0:b');
	const after = applyEdits(before, [
		{ delete: { id: 'office' } },
		{ addNode: { id: 'g', name: 'green', kind: 'namespace', in: 'host' } },
		{ addRoute: { node: 'red', route: 'default via 10.0.0.5' } },
		{ setSysctl: { node: 'host', name: 'net.ipv4.ip_forward', value: '1' } },
		{ updateInterface: { id: 'br0:b', master: '', impair: 'cut' } },
		{ updateInterface: { id: 'br0', options: 'stp_state 1' } },
		{ addInterface: { id: 'd', node: 'red', name: 'd0', kind: 'dummy' } },
		{ addInterface: { id: 'o', node: 'host', name: 'ovs0', kind: 'ovs' } },
		{ addNode: { id: 'i', name: 'internet', kind: 'internet' } },
	]);
	const words = differences(after, before).map((d) => `${d.does} ${d.what}`);
	expect(words.toSorted()).toEqual([
		'add LAN office',
		'change br0: default options',
		'change host: − setting net.ipv4.ip_forward=1',
		'change host:b: a port of br0',
		'change host:b: sends as it can',
		'change red: − route default via 10.0.0.5',
		'remove OVS bridge ovs0 in host',
		'remove dummy d0 in red',
		'remove namespace green',
		'remove the internet',
	]);
	expect(differences(before, before)).toEqual([]);
	const moved = applyEdits(before, [{ place: { id: 'red', x: 1, y: 2 } }]);
	expect(differences(before, moved)).toEqual([{ does: 'change', what: 'where things are drawn' }]);
});
