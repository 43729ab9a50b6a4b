// One terminal's websocket. The page made its token; whoever knows it reattaches, from the byte that was seen last.
import type { TerminalEnd, TerminalHello, TerminalSize } from '../wire/types.gen';
import { socketURL } from './connection';

export interface TerminalEvents {
	output(bytes: Uint8Array): void;
	/** Attached; `again` where there was a connection before. */
	attached(hello: TerminalHello, again: boolean): void;
	detached(): void;
	ended(end: TerminalEnd): void;
}

export interface TerminalPlace {
	lab: string;
	node: string;
	id: string;
}

const firstDelay = 250; // ms
const maxDelay = 5000;
const maxRefusals = 6;

export class TerminalConnection {
	private socket: WebSocket | undefined;
	private offset = 0;
	private attachedOnce = false;
	private ended = false;
	private delay = firstDelay;
	private refusals = 0;
	private timer: ReturnType<typeof setTimeout> | undefined;
	private held: Uint8Array[] = [];
	private ready = false;

	constructor(
		private readonly place: TerminalPlace,
		private size: TerminalSize,
		private readonly events: TerminalEvents,
	) {
		this.connect();
	}

	keys(text: string): void {
		this.bytes(new TextEncoder().encode(text));
	}

	bytes(bytes: Uint8Array): void {
		if (this.ended) return;
		if (this.ready && this.socket) this.socket.send(bytes as Uint8Array<ArrayBuffer>);
		else if (this.held.length < 1000) this.held.push(bytes); // typed before the shell was there
	}

	resize(size: TerminalSize): void {
		if (size.cols === this.size.cols && size.rows === this.size.rows) return;
		this.size = size;
		if (this.ready) this.socket?.send(JSON.stringify(size));
	}

	/** After the end: a new shell under the same token. Says whether there was need of one. */
	reopen(): boolean {
		if (!this.ended || this.socket) return false;
		this.ended = false;
		this.offset = 0;
		this.attachedOnce = false;
		this.refusals = 0;
		this.delay = firstDelay;
		this.connect();
		return true;
	}

	/** Lets go of the shell; it lives on. */
	close(): void {
		this.ended = true;
		clearTimeout(this.timer);
		this.socket?.close();
	}

	private connect(): void {
		const { lab, node, id } = this.place;
		const query = new URLSearchParams({
			node,
			id,
			offset: String(this.offset),
			cols: String(this.size.cols),
			rows: String(this.size.rows),
		});
		const socket = new WebSocket(socketURL(`/api/labs/${encodeURIComponent(lab)}/terminal?${query}`));
		socket.binaryType = 'arraybuffer';
		this.socket = socket;
		const asked = { ...this.size };
		socket.onmessage = (e: MessageEvent<string | ArrayBuffer>) => {
			if (typeof e.data === 'string') this.text(e.data, asked);
			else {
				const bytes = new Uint8Array(e.data);
				this.offset += bytes.length;
				this.events.output(bytes);
			}
		};
		socket.onclose = () => {
			if (this.socket !== socket) return;
			this.socket = undefined;
			if (this.ended) return;
			if (this.ready) this.events.detached();
			else this.refusals++;
			this.ready = false;
			if (this.refusals >= maxRefusals) {
				this.ended = true;
				this.events.ended({ status: -1, reason: 'the lab does not open this terminal; is the lab running?' });
				return;
			}
			this.timer = setTimeout(() => this.connect(), this.delay);
			this.delay = Math.min(maxDelay, this.delay * 2);
		};
	}

	private text(data: string, asked: TerminalSize): void {
		const message = JSON.parse(data) as Partial<TerminalHello & TerminalEnd>;
		if (message.offset !== undefined) {
			this.offset = message.offset;
			this.ready = true;
			this.refusals = 0;
			this.delay = firstDelay;
			this.events.attached(message as TerminalHello, this.attachedOnce);
			this.attachedOnce = true;
			if (asked.cols !== this.size.cols || asked.rows !== this.size.rows) this.socket?.send(JSON.stringify(this.size));
			for (const bytes of this.held.splice(0)) this.socket?.send(bytes as Uint8Array<ArrayBuffer>);
		} else if (message.reason !== undefined) {
			this.ended = true;
			this.ready = false;
			this.held = [];
			this.events.ended({ status: message.status ?? 0, reason: message.reason });
		}
	}
}
