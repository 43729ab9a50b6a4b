// A websocket that tests hold by both ends.
import { vi } from 'vitest';

export class FakeSocket {
	/** Those that were opened, oldest first. */
	static all: FakeSocket[] = [];

	static get newest(): FakeSocket {
		const socket = FakeSocket.all.at(-1);
		if (!socket) throw new Error('no socket was opened');
		return socket;
	}

	binaryType = '';
	onopen: (() => void) | undefined;
	onclose: (() => void) | undefined;
	onmessage: ((e: { data: unknown }) => void) | undefined;
	readonly sent: unknown[] = [];

	constructor(readonly url: string) {
		FakeSocket.all.push(this);
	}

	send(data: unknown): void {
		this.sent.push(typeof data === 'string' ? JSON.parse(data) : new TextDecoder().decode(data as Uint8Array));
	}

	close(): void {
		this.onclose?.();
	}

	/** The server says something: JSON as text, bytes as they are. */
	says(message: object | Uint8Array): void {
		this.onmessage?.({ data: message instanceof Uint8Array ? message.buffer : JSON.stringify(message) });
	}

	/** The server accepts the connection. */
	opens(): void {
		this.onopen?.();
	}

	/** The connection is lost. */
	breaks(): void {
		this.onclose?.();
	}
}

/** Puts the fake in the browser's place, with the little else that connections use of a browser. */
export function fakeBrowser(): void {
	FakeSocket.all = [];
	vi.stubGlobal('WebSocket', FakeSocket);
	vi.stubGlobal('addEventListener', () => {});
	vi.stubGlobal('removeEventListener', () => {});
	vi.stubGlobal('location', { protocol: 'http:', host: 'vethlab' });
	vi.useFakeTimers();
}

export function realBrowser(): void {
	vi.unstubAllGlobals();
	vi.useRealTimers();
}
