import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeSocket, fakeBrowser, realBrowser } from '../../test/sockets';
import { TerminalConnection } from './terminal';

let heard: string[];

beforeEach(() => {
	fakeBrowser();
	heard = [];
});
afterEach(realBrowser);

function open(): TerminalConnection {
	return new TerminalConnection(
		{ lab: 'lab', node: 'red', id: 'tty1' },
		{ cols: 80, rows: 24 },
		{
			output: (bytes) => heard.push(new TextDecoder().decode(bytes)),
			attached: (hello, again) => heard.push(again ? `again, ${hello.skipped} skipped` : 'attached'),
			detached: () => heard.push('detached'),
			ended: (end) => heard.push(`ended: ${end.reason}`),
		},
	);
}

const hello = (offset: number, skipped = 0) => FakeSocket.newest.says({ id: 'tty1', offset, skipped });
const prints = (text: string) => FakeSocket.newest.says(new TextEncoder().encode(text));
const asked = () => new URL(FakeSocket.newest.url).searchParams;

test('it names its node and its token, and what it has seen', () => {
	open();
	expect(FakeSocket.newest.url).toBe('ws://vethlab/api/labs/lab/terminal?node=red&id=tty1&offset=0&cols=80&rows=24');
	hello(0);
	prints('# ');
	expect(heard).toEqual(['attached', '# ']);
});

test('keys typed before the shell is there are not lost', () => {
	const t = open();
	t.keys('ls\r');
	expect(FakeSocket.newest.sent).toEqual([]);
	hello(0);
	expect(FakeSocket.newest.sent).toEqual(['ls\r']);
});

test('a size that changes while it connects is told once it can be', () => {
	const t = open();
	t.resize({ cols: 100, rows: 30 });
	hello(0);
	t.resize({ cols: 100, rows: 30 }); // as it is
	expect(FakeSocket.newest.sent).toEqual([{ cols: 100, rows: 30 }]);
});

describe('after a break', () => {
	test('it goes on from the byte that it saw last, with what was typed meanwhile', () => {
		const t = open();
		hello(0);
		prints('twelve bytes');
		FakeSocket.newest.breaks();
		t.keys('x');
		vi.advanceTimersByTime(250);
		expect(asked().get('offset')).toBe('12');
		hello(20, 8);
		expect(FakeSocket.newest.sent).toEqual(['x']);
		expect(heard.slice(-2)).toEqual(['detached', 'again, 8 skipped']);
	});

	test('a lab that does not open it is asked six times', () => {
		open();
		for (let n = 0; n < 10; n++) {
			FakeSocket.newest.breaks();
			vi.advanceTimersByTime(5000);
		}
		expect(FakeSocket.all).toHaveLength(6);
		expect(heard).toEqual(['ended: the lab does not open this terminal; is the lab running?']);
	});
});

describe('after its end', () => {
	test('it stays ended until a new shell is asked for, which starts from nothing', () => {
		const t = open();
		hello(0);
		prints('exit');
		FakeSocket.newest.says({ status: 0, reason: 'the shell ended with status 0' });
		FakeSocket.newest.breaks();
		vi.advanceTimersByTime(5000);
		t.keys('lost');
		expect(FakeSocket.all).toHaveLength(1);
		expect(t.reopen()).toBe(true);
		expect(asked().get('offset')).toBe('0');
		hello(0);
		expect(FakeSocket.newest.sent).toEqual([]);
		expect(heard.at(-1)).toBe('attached');
	});

	test('one that lives needs none', () => {
		const t = open();
		hello(0);
		expect(t.reopen()).toBe(false);
		expect(FakeSocket.all).toHaveLength(1);
	});
});

test('closed, it lets go of the shell and stays away', () => {
	const t = open();
	hello(0);
	t.close();
	vi.advanceTimersByTime(5000);
	expect(FakeSocket.all).toHaveLength(1);
	expect(heard).toEqual(['attached']);
});
