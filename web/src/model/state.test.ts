import { beforeEach, describe, expect, test } from 'vitest';
import { compare, drawn } from '../../test/lab';
import type { Change, Edit, Lab, Message, Reply } from '../wire/types.gen';
import { applyEdits } from './edit';
import {
	addPending,
	addProbe,
	applyMessage,
	discardFailed,
	dropProbes,
	initialState,
	type LabState,
	markSeen,
} from './state';

const start = drawn('host: red blue');

function snapshot(lab: Lab, more: Partial<Message['snapshot'] & object> = {}): Message {
	return {
		snapshot: {
			id: 'lab',
			lab,
			live: {},
			status: { state: 'running', since: 0 },
			seq: 1,
			changes: [],
			terminals: [],
			...more,
		},
	};
}

/** The state as it is now, moved on by messages: tests read like what happens. */
let s: LabState;

beforeEach(() => {
	s = applyMessage(initialState, snapshot(start));
});

function hears(...messages: Message[]): void {
	for (const m of messages) s = applyMessage(s, m);
}

function draws(op: string, ...edits: Edit[]): void {
	s = addPending(s, { id: op, edits });
}

function change(seq: number, edits: Edit[], more: Partial<Change> = {}): Message {
	const after = applyEdits(s.confirmed, edits);
	const patch = compare(s.confirmed, after);
	const before = compare(after, s.confirmed);
	return { change: { seq, at: '', origin: 'canvas', sentence: '', patch, before, ...more } };
}

const reply = (request: string, more: Partial<Reply> = {}): Message => ({ reply: { request, ...more } });

const green: Edit = { addNode: { id: 'green', name: 'green', kind: 'namespace', in: 'host' } };
const orange: Edit = { addNode: { id: 'orange', name: 'orange', kind: 'namespace', in: 'host' } };
const refused = { code: 'refused', message: 'RTNETLINK answers: File exists', errno: 'EEXIST' } as const;

describe('an op of one’s own', () => {
	test('is drawn at once, as pending', () => {
		draws('o1', green);
		expect(s.lab.nodes.green?.name).toBe('green');
		expect(s.marks).toEqual({ green: 'pending', 'green.lo': 'pending' });
		expect(s.confirmed.nodes.green).toBeUndefined();
	});

	test.each([
		['change, then reply', ['change', 'reply']],
		['reply, then change', ['reply', 'change']],
	])('is confirmed by %s', (_, order) => {
		draws('o1', green);
		for (const what of order) {
			hears(what === 'change' ? change(2, [green], { op: 'o1' }) : reply('o1', { seq: 2 }));
			expect(s.lab.nodes.green?.name, 'it never flickers').toBe('green');
		}
		expect(s).toMatchObject({ pending: [], failed: [], marks: {} });
		expect(s.lab).toBe(s.confirmed);
	});

	test('is confirmed where it turned out to change nothing', () => {
		draws('o1', { updateNode: { id: 'red', name: 'red' } });
		hears(reply('o1', { seq: 1 }));
		expect(s.pending).toEqual([]);
	});

	test('leaves a ghost where it is refused, until it is discarded', () => {
		draws('o1', green);
		hears(reply('o1', { problem: refused }));
		expect(s.marks.green).toBe('failed');
		expect(s.failed).toEqual([{ id: 'o1', edits: [green], problem: refused }]);
		s = discardFailed(s, 'o1');
		expect(s.lab).toEqual(s.confirmed);
		expect(s.marks).toEqual({});
	});

	test('that is refused shows the kernel’s value again, not the one that was wanted', () => {
		draws('o1', { updateNode: { id: 'red', name: 'rouge' } });
		expect(s.lab.nodes.red?.name).toBe('rouge');
		hears(reply('o1', { problem: refused }));
		expect(s.lab.nodes.red?.name).toBe('red');
	});

	test('stands over what others do meanwhile', () => {
		draws('o1', green);
		hears(change(2, [orange], { author: 'Ben' }));
		expect(Object.keys(s.lab.nodes)).toEqual(['host', 'red', 'blue', 'orange', 'green']);
		expect(s.marks.orange).toBeUndefined();
	});

	test('draws nothing where others have made it impossible', () => {
		draws('o1', { updateNode: { id: 'red', name: 'rouge' } });
		hears(change(2, [{ delete: { id: 'red' } }], { author: 'Ben' }));
		expect(s.lab).toEqual(s.confirmed);
	});
});

describe('the connection', () => {
	test('that comes back with a snapshot keeps what waits, over the new lab', () => {
		draws('o1', green);
		hears(snapshot(applyEdits(start, [orange]), { seq: 7 }));
		expect(s.pending.map((p) => p.id)).toEqual(['o1']);
		expect(s.marks).toMatchObject({ green: 'pending' });
		expect(s.lab.nodes.orange).toBeDefined();
	});

	test('that broke between change and reply confirms once', () => {
		draws('o1', green);
		hears(snapshot(applyEdits(start, [green]), { seq: 2 })); // the engine had done it
		expect(s.marks).toEqual({});
		hears(reply('o1', { seq: 2 })); // asked again, it says so
		expect(s.pending).toEqual([]);
	});

	test('that repeats a change does nothing', () => {
		hears(change(2, [green]));
		const once = s;
		hears({ change: { ...(s.changes[0] as Change) } });
		expect(s).toBe(once);
	});

	test('takes running probes with it', () => {
		s = addProbe(s, { id: 'p1', ping: { from: 'red', to: '10.0.0.2', count: 3 } });
		hears({ probe: { request: 'p1', seq: 1, rtt: 0.05 } });
		s = dropProbes(s);
		expect(s.probes[0]?.reply?.problem?.code).toBe('gone');
		expect(dropProbes(s)).toBe(s);
	});
});

describe('what the kernel says', () => {
	test('is merged by id, and gone with null', () => {
		const link = { index: 2, carrier: true, operState: 'UP', addresses: [] };
		hears({ live: { links: { a: link, b: link } } }, { live: { links: { a: null } } });
		expect(s.links).toEqual({ b: link });
	});

	test('is forgotten when the lab stops', () => {
		const live = { links: { a: { index: 2, carrier: true, operState: 'UP', addresses: [] } } };
		hears({ live });
		hears({ status: { state: 'stopped', since: 0 } });
		expect(s.links).toEqual({});
		hears({ live }); // which was on its way
		expect(s.links).toEqual({});
		expect(s.lab).toBe(s.confirmed);
	});

	test('was typed: it is marked until it is looked at', () => {
		hears(change(2, [green], { origin: 'terminal' }));
		expect(s.touched).toEqual({ green: 2 });
		const other = s;
		expect(markSeen(s, ['red'])).toBe(other);
		s = markSeen(s, ['green']);
		expect(s.touched).toEqual({});
	});
});

test('an undo marks its entry, with all that joins it, as undone; a redo the other way', () => {
	hears(change(2, [green]), change(3, [orange], { joins: true }));
	hears(change(4, [{ delete: { id: 'orange' } }, { delete: { id: 'green' } }], { origin: 'undo', takes: 2 }));
	expect(s.changes.map((c) => c.undone ?? false)).toEqual([true, true, false]);
	hears(change(5, [green, orange], { origin: 'redo', takes: 2 }));
	expect(s.changes.map((c) => c.undone ?? false)).toEqual([false, false, false, false]);
});

test('a probe collects what it saw, and its end', () => {
	s = addProbe(s, { id: 'p1', ping: { from: 'red', to: '10.0.0.2', count: 2 } });
	hears({ probe: { request: 'p1', seq: 1, rtt: 0.1 } }, { probe: { request: 'p1', seq: 2, error: 'timeout' } });
	hears(reply('p1', { text: '2 packets transmitted' }));
	expect(s.probes[0]).toMatchObject({ events: [{ seq: 1 }, { seq: 2 }], reply: { text: '2 packets transmitted' } });
});

test('lists that Go left out are empty, not missing', () => {
	const bare = { name: 'x', nodes: null, interfaces: { i: { id: 'i', addresses: null } }, cables: null, places: null };
	hears(snapshot(bare as unknown as Lab));
	expect(s.lab).toMatchObject({ nodes: {}, cables: {}, places: {}, interfaces: { i: { addresses: [] } } });
});

test('advice is replaced by the next, and comes with a snapshot', () => {
	const odd = { code: 'forwarding-off' as const, on: ['host'], message: 'host is odd' };
	hears({ advice: { advice: [odd] } });
	expect(s.advice).toEqual([odd]);
	hears(snapshot(start, { advice: [{ ...odd, minor: true }] }));
	expect(s.advice).toEqual([{ ...odd, minor: true }]);
	hears(snapshot(start));
	expect(s.advice).toEqual([]);
});
