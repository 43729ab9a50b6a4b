// One lab's websocket. It connects again by itself, keeps what was asked until it is answered, and asks again after a
// break: an op has an id, and the engine carries out the same id once.
import { type Message, protocol, type Request } from '../wire/types.gen';

export type LinkStatus =
	| { kind: 'connecting'; since: number }
	| { kind: 'open' }
	| { kind: 'closed'; since: number; reason: 'network' | 'session' | 'protocol' | 'gone' };

export interface ConnectionEvents {
	message(m: Message): void;
	status(s: LinkStatus): void;
	/** What waits to be sent or answered, where that is a change. */
	waiting(count: number): void;
	/**
	 * A new connection begins: probes that ran over the old one are gone. `cutOff` where the server was there all the time:
	 * it lets go of a page that does not keep up.
	 */
	restarted(cutOff: boolean): void;
	roundTrip(ms: number): void;
}

const firstDelay = 250; // ms; doubled each time, with jitter
const maxDelay = 8000;

interface Kept {
	request: Request;
	sentOn: number; // the number of the connection that it was last sent on; 0 is none
	sentAt: number;
}

export class LabConnection {
	private socket: WebSocket | undefined;
	private kept = new Map<string, Kept>();
	private connectionNo = 0;
	private tries = 0; // since the last connection that opened
	private delay = firstDelay;
	private timer: ReturnType<typeof setTimeout> | undefined;
	private ended = false;
	private ready = false;
	private brokenSince: number | undefined; // ms, as performance.now()

	constructor(
		private readonly url: string,
		private readonly events: ConnectionEvents,
		/** Why a connection was refused before it opened: asked over HTTP, for a websocket does not say. */
		private readonly diagnose: () => Promise<'network' | 'session' | 'gone'>,
	) {
		this.connect();
		addEventListener('online', this.hurry);
	}

	send(request: Request): void {
		this.kept.set(request.id, { request, sentOn: 0, sentAt: 0 });
		this.flush();
		this.tell();
	}

	close(): void {
		this.ended = true;
		clearTimeout(this.timer);
		removeEventListener('online', this.hurry);
		this.socket?.close();
	}

	private hurry = (): void => {
		if (this.socket || this.ended) return;
		clearTimeout(this.timer);
		this.connect();
	};

	private connect(): void {
		this.connectionNo++;
		this.tries++;
		const socket = new WebSocket(this.url);
		this.socket = socket;
		let opened = false;
		socket.onopen = () => {
			opened = true;
		};
		socket.onmessage = (e) => this.receive(String(e.data));
		socket.onclose = () => {
			if (this.socket !== socket) return;
			this.socket = undefined;
			this.ready = false;
			if (!this.ended) void this.broken(opened);
		};
		if (this.brokenSince === undefined) this.events.status({ kind: 'connecting', since: performance.now() });
	}

	private async broken(hadOpened: boolean): Promise<void> {
		this.brokenSince ??= performance.now();
		const reason = hadOpened ? 'network' : await this.diagnose();
		if (this.ended) return;
		this.events.status({ kind: 'closed', since: this.brokenSince, reason });
		this.tell();
		if (reason === 'gone') return;
		const wait = reason === 'session' ? maxDelay : this.delay * (0.75 + Math.random() / 2);
		this.delay = Math.min(maxDelay, this.delay * 2);
		this.timer = setTimeout(() => this.connect(), wait);
	}

	private receive(text: string): void {
		const m = JSON.parse(text) as Message;
		if (m.hello && m.hello.protocol !== protocol) {
			this.ended = true;
			this.events.status({ kind: 'closed', since: performance.now(), reason: 'protocol' });
			this.socket?.close();
			return;
		}
		if (m.reply) this.answered(m.reply.request);
		if (m.snapshot) {
			this.events.message(m);
			this.opened();
			return;
		}
		this.events.message(m);
	}

	/** The lab is known again: what was not answered is asked again. */
	private opened(): void {
		if (this.ready) return; // a snapshot in mid-stream: this page fell behind
		this.ready = true;
		this.delay = firstDelay;
		this.brokenSince = undefined;
		this.events.status({ kind: 'open' });
		for (const [id, k] of this.kept) {
			// An undo has no id that the engine would know again, and a probe's answers went with the connection.
			if (k.sentOn !== 0 && !k.request.op) this.kept.delete(id);
		}
		if (this.connectionNo > 1) this.events.restarted(this.tries === 1);
		this.tries = 0;
		this.flush();
		this.tell();
	}

	private answered(id: string): void {
		const k = this.kept.get(id);
		if (!k) return;
		if (isChange(k.request)) this.events.roundTrip(performance.now() - k.sentAt);
		this.kept.delete(id);
		this.tell();
	}

	private flush(): void {
		if (!this.ready || !this.socket) return;
		for (const k of this.kept.values()) {
			if (k.sentOn === this.connectionNo) continue;
			k.sentOn = this.connectionNo;
			k.sentAt = performance.now();
			this.socket.send(JSON.stringify(k.request));
		}
	}

	private tell(): void {
		let count = 0;
		for (const k of this.kept.values()) if (isChange(k.request)) count++;
		this.events.waiting(count);
	}
}

/** A probe is answered when it ends; a change as soon as it can be. */
function isChange(r: Request): boolean {
	return r.op !== undefined || r.undo !== undefined || r.redo !== undefined;
}

export function socketURL(path: string): string {
	return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${path}`;
}
