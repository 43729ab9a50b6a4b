import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { drawn } from '../../test/lab';
import type { Change, Edit } from '../wire/types.gen';
import { aboutExample } from './example';
import { problemText } from './problem';
import { addAddress, quote, rename, setUp } from './shell';
import { addWords } from './things';
import { asSentence, entryOf, holderOfName, lostText, takenBackText, withName } from './wording';

const lab = drawn('host: red blue', 'red:veth-red -- blue:veth-blue');

function change(origin: Change['origin'], sentence: string, ...lines: string[]): Change {
	const commands = lines.map((line) => ({ machine: 'host', line }));
	return { seq: 1, at: '', origin, sentence, commands, patch: {}, before: {} };
}

describe('what was taken back', () => {
	const del = change('undo', 'Undo', 'ip link del br9');
	const typed = change('terminal', 'Add br9', 'ip link add br9 type bridge');
	test.each<[string, Change, Change[], string]>([
		['typed', del, [typed], 'Undid `ip link add br9 type bridge` by `ip link del br9`'],
		[
			'typed, at once with more',
			del,
			[typed, change('terminal', '', 'b', 'c')],
			'Undid `ip link add br9 type bridge`, `b` and 1 more by `ip link del br9`',
		],
		[
			'typed, and first seen without a command',
			del,
			[change('terminal', 'Add q0'), typed],
			'Undid `ip link add br9 type bridge` by `ip link del br9`',
		],
		['drawn', del, [change('canvas', 'Cable red to blue', 'a')], 'Undid “Cable red to blue” by `ip link del br9`'],
		['without commands', change('redo', 'Redo'), [change('canvas', 'Move red')], 'Redid “Move red”'],
		['long forgotten', del, [], 'Undid “Undo” by `ip link del br9`'],
	])('%s', (_, c, entry, want) => {
		expect(takenBackText(c, entry)).toBe(want);
	});

	test('is one change with all that joined it', () => {
		const changes = [1, 2, 3, 4].map((seq) => ({ ...typed, seq, joins: seq === 3 }));
		expect(entryOf(changes, 2).map((c) => c.seq)).toEqual([2, 3]);
		expect(entryOf(changes, 4).map((c) => c.seq)).toEqual([4]);
		expect(entryOf(changes, 9)).toEqual([]);
	});
});

describe('what was typed in vain', () => {
	const del = change('canvas', 'Delete green');
	test.each<[string, string, Change | undefined, string]>([
		['verde', 'by another', del, ': `verde` was not applied, because “Delete green” came first.'],
		[
			'verde',
			'in a terminal',
			{ ...del, origin: 'terminal' },
			': `verde` was not applied, because “Delete green” in a terminal came first.',
		],
		['v'.repeat(121), 'long', undefined, ': what was typed was not applied.'],
	])('%s, %s', (text, _, c, want) => {
		expect(lostText('New name of green', text, c)).toBe(`New name of green${want}`);
	});
});

describe('a name that is taken', () => {
	const cable: Edit = {
		addCable: { id: 'c', a: { id: 'x', node: 'red', name: 'veth-red' }, b: { id: 'y', node: 'blue', name: 'b' } },
	};
	test.each<[string, Edit, string, string | undefined]>([
		['of a new node', { addNode: { id: 'n', name: 'red', kind: 'namespace', in: 'host' } }, 'n', 'red'],
		['of a renamed node', { updateNode: { id: 'blue', name: 'red' } }, 'blue', 'red'],
		['of a cable’s end', cable, 'x', 'red:veth-red'],
		['of a renamed interface', { updateInterface: { id: 'n', node: 'red', name: 'veth-red' } }, 'n', 'red:veth-red'],
		['of something else', cable, 'z', undefined],
	])('%s is found, and can be another', (_, edit, id, holder) => {
		expect(holderOfName(lab, [edit], id)).toBe(holder);
		const [renamed] = withName([edit], id, 'free');
		expect(JSON.stringify(renamed).includes('free')).toBe(holder !== undefined);
	});
});

test.each([
	['host already has a namespace `red`.', 'host already has a namespace `red`.'], // a name stays as it is
	['the op has no edits.', 'The op has no edits.'],
	['`ip link add`: no.', '`ip link add`: no.'],
])('%s as a sentence: %s', (text, want) => {
	expect(asSentence(lab, text)).toBe(want);
});

test('a problem reads: the command, the kernel’s words, the errno, what to do', () => {
	const problem = { code: 'refused', message: 'RTNETLINK answers: File exists', errno: 'EEXIST' } as const;
	expect(problemText(problem)).toBe('RTNETLINK answers: File exists (EEXIST).');
	expect(problemText({ ...problem, command: 'ip link add a', hint: 'take another name' })).toBe(
		'`ip link add a`: RTNETLINK answers: File exists (EEXIST). Take another name.',
	);
});

test.each([
	['red', 'red'],
	['a b', "'a b'"],
	["it's", "'it'\\''s'"],
	['', "''"],
])('the shell takes %s as %s', (word, want) => {
	expect(quote(word)).toBe(want);
});

test('commands are typed on the machine, in its own namespace or with -n', () => {
	const of = (id: string) => lab.interfaces[id] ?? Object.values(lab.interfaces)[0];
	const red = of('red:veth-red');
	const lo = of('host.lo');
	if (!red || !lo) throw new Error('the lab has no such interface');
	expect(setUp(lab, red, false)).toBe('ip -n red link set dev veth-red down');
	expect(addAddress(lab, lo, '10.0.0.1/32')).toBe('ip addr add 10.0.0.1/32 dev lo');
	expect(rename(lab, red, 'a b')).toBe("ip -n red link set dev veth-red name 'a b'");
});

test.each([
	['# Title\n#\n# One sentence. Another\n# one.\n\nvethlab: 1', 'One sentence.'],
	['# Title\n#\n# Over two\n# lines.', 'Over two lines.'],
	['# Title\nvethlab: 1', ''],
	['vethlab: 1', ''],
])('%j is about "%s"', (document, want) => {
	expect(aboutExample(document)).toBe(want);
});

const examples = new URL('../../../examples/', import.meta.url);

test.each(readdirSync(examples).filter((name) => name.endsWith('.yaml')))(
	'%s says in a sentence what it is',
	(name) => {
		expect(aboutExample(readFileSync(new URL(name, examples), 'utf8'))).toMatch(/^[^#]{30,180}[.]$/);
	},
);

test.each([
	['namespace', 'Add a namespace'],
	['ovs', 'Add an OVS bridge'],
	['internet', 'Add the internet'],
] as const)('the tool for %s is called "%s"', (shape, want) => {
	expect(addWords(shape)).toBe(want);
});
