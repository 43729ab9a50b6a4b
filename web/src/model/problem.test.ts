import { describe, expect, test } from 'vitest';
import { type Problem, problemText } from './problem';

describe('a problem as one line', () => {
	test('has its command, errno and hint', () => {
		const p: Problem = {
			code: 'internal',
			message: 'exists',
			command: 'ip netns add red',
			errno: 'EEXIST',
			hint: 'call it blue',
		};
		expect(problemText(p)).toBe('`ip netns add red`: exists (EEXIST). Call it blue.');
	});
	test('shows no line of the file that it is about', () => {
		const message = 'document:6:12: host has a node red already\n\n   6 |   - {name: red}\n     |             ^';
		expect(problemText({ code: 'bad-file', message, hint: 'did you mean blue?' })).toBe(
			'document:6:12: host has a node red already. Did you mean blue?',
		);
	});
});
