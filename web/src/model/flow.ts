// A tracked connection, conntrack(8), as the page shows it: what NAT has made of it is where its two directions differ.
import type { Flow, FlowEnds } from '../wire/types.gen';

/** One end: "192.168.15.1:43210", or the address alone where there are no ports. */
export function endText(address: string, port: number | undefined): string {
	if (!port) return address;
	return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

const from = (e: FlowEnds) => endText(e.from, e.fromPort);
const to = (e: FlowEnds) => endText(e.to, e.toPort);

export interface FlowRow {
	key: string;
	/** "tcp ESTABLISHED", "icmp type=8 code=0 id=57". */
	what: string;
	timeout: number;
	/** No reply has come yet. */
	unseen: boolean;
	from: string;
	to: string;
	/** Where replies come from, and where they are sent to. */
	replyFrom: string;
	replyTo: string;
	/** SNAT, DNAT, both or neither. */
	source: boolean;
	destination: boolean;
}

export function flowRow(f: Flow): FlowRow {
	const { original, reply } = f;
	const detail = f.state ?? original.icmp ?? '';
	const row = { from: from(original), to: to(original), replyFrom: from(reply), replyTo: to(reply) };
	const protocol = /^\d/.test(f.protocol) ? `protocol ${f.protocol}` : f.protocol;
	return {
		key: `${f.protocol} ${row.from} ${row.to} ${original.icmp ?? ''}`,
		what: detail ? `${protocol} ${detail}` : protocol,
		timeout: f.timeout,
		unseen: f.unseen ?? false,
		...row,
		source: row.replyTo !== row.from,
		destination: row.replyFrom !== row.to,
	};
}

/** In an order that stays: the kernel's is that of its hash table. */
export function flowRows(flows: readonly Flow[]): FlowRow[] {
	return flows.map(flowRow).sort((a, b) => (a.key < b.key ? -1 : 1));
}
