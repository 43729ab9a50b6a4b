import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compare } from '../../test/lab';
import type { Edit, Lab, Patch, Problem } from '../wire/types.gen';
import { applyEdits } from './edit';
import { emptyLab } from './lab';
import { problemOf } from './problem';

interface Case {
	name: string;
	edits: Edit[];
	patch?: Patch;
	problem?: Problem;
}

// The same cases judge the engine (labengine/edit_test.go).
const golden = JSON.parse(readFileSync(new URL('../../../labengine/testdata/edits.json', import.meta.url), 'utf8')) as {
	lab: Edit[];
	cases: Case[];
};

const lab = applyEdits({ ...emptyLab, name: 'Red and blue' }, golden.lab);

/** The page leaves it to the engine to derive a MAC where none was given. */
function withoutDerivedMACs(wanted: Patch, got: Patch): Patch {
	const interfaces = Object.entries(wanted.interfaces ?? {}).map(([id, i]) => {
		if (!i || got.interfaces?.[id]?.mac) return [id, i];
		const { mac: _, ...rest } = i;
		return [id, rest];
	});
	return interfaces.length === 0 ? wanted : { ...wanted, interfaces: Object.fromEntries(interfaces) };
}

test.each(golden.cases.map((c) => [c.name, c] as const))('as the engine edits: %s', (_, c) => {
	const before = structuredClone(lab);
	let after: Lab = lab;
	const problem = problemOf(() => {
		after = applyEdits(lab, c.edits);
	});
	expect(lab, 'the lab that was edited').toEqual(before);
	expect(problem).toEqual(c.problem);
	if (c.patch) {
		const got = compare(lab, after);
		expect(got).toEqual(withoutDerivedMACs(c.patch, got));
	}
});
