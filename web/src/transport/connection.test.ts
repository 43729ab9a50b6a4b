import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeSocket, fakeBrowser, realBrowser } from '../../test/sockets';
import { type Message, protocol, type Request } from '../wire/types.gen';
import { LabConnection, type LinkStatus } from './connection';

let statuses: LinkStatus[];
let waiting: number;
let restarts: boolean[];
let roundTrips: number[];
let reason: 'network' | 'session' | 'gone';

beforeEach(() => {
	fakeBrowser();
	statuses = [];
	waiting = 0;
	restarts = [];
	roundTrips = [];
	reason = 'network';
});
afterEach(realBrowser);

function connect(): LabConnection {
	return new LabConnection(
		'ws://vethlab/ws',
		{
			message: () => {},
			status: (s) => statuses.push(s),
			waiting: (count) => {
				waiting = count;
			},
			restarted: (cutOff) => restarts.push(cutOff),
			roundTrip: (ms) => roundTrips.push(ms),
		},
		async () => reason,
	);
}

/** The server lets the page in: the first messages of each connection. */
function letIn(): void {
	FakeSocket.newest.opens();
	FakeSocket.newest.says({ hello: { protocol, version: 'test' } } satisfies Message);
	FakeSocket.newest.says({ snapshot: {} });
}

const op = (id: string): Request => ({ id, op: { id, edits: [] } });
const kind = () => statuses.at(-1)?.kind;

describe('what is asked', () => {
	test('waits for the snapshot, and then for its answer', () => {
		const c = connect();
		c.send(op('o1'));
		expect(FakeSocket.newest.sent).toEqual([]);
		expect(waiting).toBe(1);
		letIn();
		expect(FakeSocket.newest.sent).toEqual([op('o1')]);
		FakeSocket.newest.says({ reply: { request: 'o1' } });
		expect(waiting).toBe(0);
	});

	test('is asked again after a break, in its order, once on each connection', () => {
		const c = connect();
		letIn();
		c.send(op('o1'));
		c.send(op('o2'));
		FakeSocket.newest.breaks();
		vi.advanceTimersByTime(400);
		letIn();
		FakeSocket.newest.says({ snapshot: {} }); // another, in mid-stream
		expect(FakeSocket.newest.sent).toEqual([op('o1'), op('o2')]);
	});

	test('is not asked again where the engine would not know it: an undo, a probe', () => {
		const c = connect();
		letIn();
		c.send({ id: 'u1', undo: {} });
		c.send({ id: 'p1', ping: { from: 'red', to: '10.0.0.1', count: 1 } });
		c.send(op('o1'));
		FakeSocket.newest.breaks();
		vi.advanceTimersByTime(400);
		letIn();
		expect(FakeSocket.newest.sent).toEqual([op('o1')]);
		expect(waiting).toBe(1);
	});

	test('but is, where it never left', () => {
		const c = connect();
		c.send({ id: 'u1', undo: {} });
		letIn();
		expect(FakeSocket.newest.sent).toEqual([{ id: 'u1', undo: {} }]);
	});

	test('tells the round trip if it is a change; a ping takes as long as it takes', () => {
		const c = connect();
		letIn();
		c.send({ id: 'p1', ping: { from: 'red', to: '10.0.0.1', count: 3 } });
		FakeSocket.newest.says({ reply: { request: 'p1' } });
		expect(roundTrips).toEqual([]);
		c.send(op('o1'));
		FakeSocket.newest.says({ reply: { request: 'o1' } });
		expect(roundTrips).toHaveLength(1);
	});
});

describe('a connection that breaks', () => {
	/** How long it is until the next try, to a millisecond. */
	async function nextTry(): Promise<number> {
		const tries = FakeSocket.all.length;
		FakeSocket.newest.breaks();
		for (let ms = 1; ms < 20_000; ms++) {
			await vi.advanceTimersByTimeAsync(1);
			if (FakeSocket.all.length > tries) return ms;
		}
		return Number.POSITIVE_INFINITY;
	}

	test('is tried again, later each time, up to 8 s', async () => {
		connect();
		const delays: number[] = [];
		for (let n = 0; n < 8; n++) delays.push(await nextTry());
		for (const [n, delay] of delays.entries()) {
			const base = Math.min(8000, 250 * 2 ** n);
			expect(delay).toBeGreaterThanOrEqual(Math.floor(base * 0.75));
			expect(delay).toBeLessThanOrEqual(Math.ceil(base * 1.25) + 1);
		}
		letIn();
		expect(kind()).toBe('open');
		expect(await nextTry(), 'soon again, once it was open').toBeLessThanOrEqual(314);
	});

	test('says since when, over all tries', async () => {
		connect();
		letIn();
		await nextTry();
		await nextTry();
		const since = statuses.flatMap((s) => (s.kind === 'closed' ? [s.since] : []));
		expect(new Set(since).size).toBe(1);
	});

	test('was cut off, where the first try gets in again', async () => {
		connect();
		letIn();
		await nextTry();
		letIn();
		await nextTry();
		await nextTry(); // the server was away
		letIn();
		expect(restarts).toEqual([true, false]);
	});

	test.each([
		['session', 'goes on, slowly: signing in elsewhere mends it', 8000],
		['gone', 'is not tried again', Number.POSITIVE_INFINITY],
	] as const)('because of %s %s', async (why, _, want) => {
		reason = why;
		connect();
		expect(await nextTry()).toBe(want);
		expect(statuses.at(-1)).toMatchObject({ kind: 'closed', reason: why });
	});
});

test('a server of another protocol is left', async () => {
	connect();
	FakeSocket.newest.opens();
	FakeSocket.newest.says({ hello: { protocol: protocol + 1, version: 'later' } });
	expect(statuses.at(-1)).toMatchObject({ kind: 'closed', reason: 'protocol' });
	await vi.advanceTimersByTimeAsync(20_000);
	expect(FakeSocket.all).toHaveLength(1);
});

test('closed, it stays closed', async () => {
	const c = connect();
	letIn();
	c.close();
	await vi.advanceTimersByTimeAsync(20_000);
	expect(FakeSocket.all).toHaveLength(1);
	expect(kind()).toBe('open'); // nobody listens any more
});
