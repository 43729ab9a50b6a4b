import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Problem } from '../wire/types.gen';
import { canonicalImpairment, impairmentMark, needsNetem } from './impair';
import { problemOf } from './problem';
import { parseRoute } from './route';
import { parseRule, ruleText } from './rule';
import { parseService } from './service';
import { canonicalSwitchPort } from './switchport';
import { canonicalVLANs } from './vlans';

interface Case {
	text: string;
	is?: string;
	problem?: Problem;
}

// The same cases judge the engine (labengine/wiring_test.go).
const golden = JSON.parse(
	readFileSync(new URL('../../../labengine/testdata/wiring.json', import.meta.url), 'utf8'),
) as {
	routes: Case[];
	impairments: Case[];
	rules: Case[];
	services: Case[];
	vlans: Case[];
	switchPorts: Case[];
};

const reads: Record<keyof typeof golden, (text: string) => string> = {
	routes: (text) => parseRoute(text).text,
	impairments: canonicalImpairment,
	rules: (text) => ruleText(parseRule(text)),
	services: (text) => parseService(text).text,
	vlans: canonicalVLANs,
	switchPorts: canonicalSwitchPort,
};

describe.each(Object.entries(reads))('as the engine reads %s', (what, read) => {
	test.each(golden[what as keyof typeof golden].map((c) => [c.text, c] as const))('“%s”', (_, c) => {
		let is: string | undefined;
		expect(problemOf(() => (is = read(c.text)))).toEqual(c.problem);
		expect(is).toBe(c.is);
	});
});

test.each([
	['rate 1mbit', '1 mbit', false],
	['delay 100ms loss 2%', '100 ms 2 %', true],
	['delay 100ms 10ms loss 2% rate 1mbit', '100 ms 10 ms 2 % 1 mbit', true],
	['cut', '✕', false],
])('%s is marked %s', (text, mark, netem) => {
	expect(impairmentMark(text)).toBe(mark);
	expect(needsNetem(text)).toBe(netem);
});
