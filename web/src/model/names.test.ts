import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { canonicalAddress, canonicalMAC, checkInterfaceName, checkMTU, checkNodeName } from './names';
import { Refused } from './problem';

interface Case {
	fn: string;
	input: string;
	ok: boolean;
	value?: string;
	code?: string;
}

// The same cases judge the engine (labengine/names_test.go).
const cases = JSON.parse(
	readFileSync(new URL('../../../labengine/testdata/names.json', import.meta.url), 'utf8'),
) as Case[];

function judge(c: Case): { ok: boolean; value?: string; code?: string } {
	const value = (check: () => unknown): string => {
		const result = check();
		return typeof result === 'string' ? result : c.input;
	};
	try {
		switch (c.fn) {
			case 'interfaceName':
				return { ok: true, value: value(() => checkInterfaceName(c.input)) };
			case 'nodeName:namespace':
				return { ok: true, value: value(() => checkNodeName('namespace', c.input)) };
			case 'nodeName:machine':
				return { ok: true, value: value(() => checkNodeName('machine', c.input)) };
			case 'address':
				return { ok: true, value: value(() => canonicalAddress(c.input)) };
			case 'mac':
				return { ok: true, value: value(() => canonicalMAC(c.input)) };
			case 'mtu':
				return { ok: true, value: value(() => checkMTU(Number(c.input))) };
			default:
				throw new Error(`the cases have a function that this test does not know: ${c.fn}`);
		}
	} catch (err) {
		if (err instanceof Refused) return { ok: false, code: err.problem.code };
		throw err;
	}
}

describe('names, addresses and MACs are judged as the engine judges them', () => {
	test.each(cases.map((c) => [`${c.fn} ${JSON.stringify(c.input)}`, c] as const))('%s', (_, c) => {
		const { fn: _fn, input: _input, ...want } = c;
		expect(judge(c)).toMatchObject(want);
	});
});
