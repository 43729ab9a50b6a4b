// What the page knows of a lab, and how each message changes it. Three layers: the lab as the engine confirmed it, the
// ops that wait for an answer, and those that failed and wait for the user. What is drawn is all three.
import type {
	Advice,
	Change,
	Conntrack,
	Counters,
	Edit,
	Feature,
	Firewall,
	Interface,
	Lab,
	Link,
	Live,
	Message,
	NodeState,
	ProbeEvent,
	Problem,
	Reply,
	Request,
	Snapshot,
	Status,
	Terminal,
} from '../wire/types.gen';
import { applyEdits } from './edit';
import { emptyLab } from './lab';
import { applyPatch, merge } from './patch';
import { Refused } from './problem';
import { settled } from './settled';

export interface PendingOp {
	id: string;
	edits: Edit[];
	/** Set when the engine has answered but the change itself has not come yet. */
	seq?: number;
}

export interface FailedOp {
	id: string;
	edits: Edit[];
	problem: Problem;
}

export interface Probe {
	id: string;
	kind: 'ping' | 'arp';
	/** The node, or for an ARP probe the interface, that it starts from. */
	from: string;
	to: string;
	count: number;
	events: ProbeEvent[];
	reply?: Reply;
}

export interface LabState {
	id: string;
	protocol: number | undefined;
	author: string;
	version: string;
	confirmed: Lab;
	/** `confirmed` with pending and failed ops over it: what is drawn. */
	lab: Lab;
	pending: PendingOp[];
	failed: FailedOp[];
	/** Ids of things that only a pending op, or only a failed one, has made or changed. */
	marks: Record<string, 'pending' | 'failed'>;
	links: Record<string, Link>;
	nodeStates: Record<string, NodeState>;
	/** Rules, what they count, and tracked connections: by node. */
	firewalls: Record<string, Firewall>;
	counters: Record<string, Counters>;
	conntrack: Record<string, Conntrack>;
	status: Status;
	/** What the kernel of a running lab has, by the word of the document. */
	features: Record<string, Feature>;
	seq: number;
	changes: Change[];
	terminals: Terminal[];
	/** Things that a terminal changed and that have not been looked at since, with the number of the change. */
	touched: Record<string, number>;
	probes: Probe[];
	/** What is surely not meant in the lab, as of a moment ago. */
	advice: Advice[];
	/** Whether a snapshot has come. */
	loaded: boolean;
}

const nothingLive = { links: {}, nodeStates: {}, firewalls: {}, counters: {}, conntrack: {} };

export const initialState: LabState = {
	id: '',
	protocol: undefined,
	author: '',
	version: '',
	confirmed: emptyLab,
	lab: emptyLab,
	pending: [],
	failed: [],
	marks: {},
	...nothingLive,
	status: { state: 'stopped', since: 0 },
	features: {},
	seq: 0,
	changes: [],
	terminals: [],
	touched: {},
	probes: [],
	advice: [],
	loaded: false,
};

const keptChanges = 2000;
const keptProbes = 50;

export function applyMessage(s: LabState, m: Message): LabState {
	if (m.hello) return { ...s, protocol: m.hello.protocol, version: m.hello.version, author: m.hello.author ?? '' };
	if (m.snapshot) return applySnapshot(s, m.snapshot);
	if (m.status) return applyStatus(s, m.status);
	if (m.change) return applyChange(s, m.change);
	if (m.live) return inKernel(s.status) ? applyLive(s, m.live) : s; // else it comes too late
	if (m.probe) return applyProbe(s, m.probe);
	if (m.reply) return applyReply(s, m.reply);
	if (m.terminals) return { ...s, terminals: m.terminals.terminals ?? [] };
	if (m.features) return { ...s, features: m.features.features ?? {} };
	if (m.advice) return { ...s, advice: m.advice.advice ?? [] };
	return s; // frames go to the frame log
}

function applySnapshot(s: LabState, snapshot: Snapshot): LabState {
	const next: LabState = {
		...s,
		id: snapshot.id,
		confirmed: cleanLab(snapshot.lab),
		...nothingLive,
		status: snapshot.status,
		features: snapshot.features ?? {},
		seq: snapshot.seq,
		changes: snapshot.changes ?? [],
		terminals: snapshot.terminals ?? [],
		advice: snapshot.advice ?? [],
		loaded: true,
	};
	return redraw(settle(applyLive(next, snapshot.live ?? {})));
}

function applyStatus(s: LabState, status: Status): LabState {
	return inKernel(status) ? { ...s, status } : { ...s, status, ...nothingLive };
}

/** Whether there is something of the lab in the kernel, and it is to stay. */
function inKernel(status: Status): boolean {
	return status.state === 'running' || status.state === 'starting';
}

function applyChange(s: LabState, c: Change): LabState {
	if (c.seq <= s.seq) return s;
	let changes = [...s.changes, c];
	if (c.takes !== undefined) changes = markUndone(changes, c.takes, c.origin === 'undo');
	const touched = c.origin === 'terminal' ? { ...s.touched } : s.touched;
	if (c.origin === 'terminal') for (const id of touchedIDs(c)) touched[id] = c.seq;
	const next = {
		...s,
		confirmed: applyPatch(s.confirmed, cleanPatch(c.patch)),
		seq: c.seq,
		changes: changes.slice(-keptChanges),
		touched,
		pending: s.pending.filter((p) => p.id !== c.op),
	};
	return redraw(settle(next));
}

/** Marks a change, and those that belong to its entry, as undone or not, as the engine's journal does. */
function markUndone(changes: Change[], seq: number, undone: boolean): Change[] {
	let inEntry = false;
	return changes.map((c) => {
		inEntry = c.seq === seq || (inEntry && c.joins === true);
		return inEntry ? { ...c, undone } : c;
	});
}

/** What a change touched that is still there. Interfaces stand for their cables too. */
export function touchedIDs(c: Change): string[] {
	const ids: string[] = [];
	for (const [id, v] of Object.entries(c.patch.nodes ?? {})) if (v) ids.push(id);
	for (const [id, v] of Object.entries(c.patch.interfaces ?? {})) if (v && v.kind !== 'loopback') ids.push(id);
	for (const [id, v] of Object.entries(c.patch.cables ?? {})) if (v) ids.push(id);
	return ids;
}

function applyLive(s: LabState, live: Live): LabState {
	return {
		...s,
		links: merge(s.links, live.links),
		nodeStates: merge(s.nodeStates, live.nodes),
		firewalls: merge(s.firewalls, live.firewalls),
		counters: merge(s.counters, live.counters),
		conntrack: merge(s.conntrack, live.conntrack),
	};
}

function applyProbe(s: LabState, event: ProbeEvent): LabState {
	const probes = s.probes.map((p) => (p.id === event.request ? { ...p, events: [...p.events, event] } : p));
	return { ...s, probes };
}

function applyReply(s: LabState, reply: Reply): LabState {
	if (s.probes.some((p) => p.id === reply.request)) {
		return { ...s, probes: s.probes.map((p) => (p.id === reply.request ? { ...p, reply } : p)) };
	}
	const op = s.pending.find((p) => p.id === reply.request);
	if (!op) return s;
	if (reply.problem) {
		const failed: FailedOp = { id: op.id, edits: op.edits, problem: reply.problem };
		return redraw({ ...s, pending: s.pending.filter((p) => p !== op), failed: [...s.failed, failed].slice(-20) });
	}
	return redraw(settle({ ...s, pending: s.pending.map((p) => (p === op ? { ...p, seq: reply.seq ?? 0 } : p)) }));
}

/** Lets go of ops whose change has come. */
function settle(s: LabState): LabState {
	const pending = s.pending.filter((p) => p.seq === undefined || p.seq > s.seq);
	return pending.length === s.pending.length ? s : { ...s, pending };
}

/** An op that is on its way: drawn as pending from now on. */
export function addPending(s: LabState, op: { id: string; edits: Edit[] }): LabState {
	return redraw({ ...s, pending: [...s.pending, op], failed: s.failed.filter((f) => f.id !== op.id) });
}

export function discardFailed(s: LabState, id: string): LabState {
	return redraw({ ...s, failed: s.failed.filter((f) => f.id !== id) });
}

export function addProbe(s: LabState, request: Request): LabState {
	const { id, ping, arp } = request;
	if (!ping && !arp) return s;
	const probe: Probe = ping
		? { id, kind: 'ping', from: ping.from, to: ping.to, count: ping.count, events: [] }
		: { id, kind: 'arp', from: arp?.from ?? '', to: arp?.to ?? '', count: 1, events: [] };
	return { ...s, probes: [...s.probes, probe].slice(-keptProbes) };
}

/** Probes that the connection took with it get no reply any more. */
export function dropProbes(s: LabState): LabState {
	if (s.probes.every((p) => p.reply)) return s;
	const problem: Problem = { code: 'gone', message: 'the connection was lost while this ran' };
	return { ...s, probes: s.probes.map((p) => (p.reply ? p : { ...p, reply: { request: p.id, problem } })) };
}

export function markSeen(s: LabState, ids: Iterable<string>): LabState {
	const seen = [...ids].filter((id) => s.touched[id] !== undefined);
	if (seen.length === 0) return s;
	const touched = { ...s.touched };
	for (const id of seen) delete touched[id];
	return { ...s, touched };
}

/** Works out what is drawn. An op that no longer fits over the confirmed lab draws nothing. */
function redraw(s: LabState): LabState {
	const marks: LabState['marks'] = {};
	let lab = s.confirmed;
	for (const op of s.pending) {
		const after = tryEdits(lab, op.edits);
		markDifferences(lab, after, marks, 'pending');
		lab = after;
	}
	for (const f of s.failed) {
		const made = f.edits.filter((e) => e.addNode || e.addCable || e.addInterface);
		if (made.length === 0) continue;
		const after = tryEdits(lab, made);
		markDifferences(lab, after, marks, 'failed');
		lab = after;
	}
	return { ...s, lab: settled(lab), marks };
}

function tryEdits(lab: Lab, edits: Edit[]): Lab {
	if (edits.length === 0) return lab;
	try {
		return applyEdits(lab, edits);
	} catch (err) {
		if (err instanceof Refused) return lab;
		throw err;
	}
}

function markDifferences(before: Lab, after: Lab, marks: LabState['marks'], mark: 'pending' | 'failed'): void {
	if (before === after) return;
	for (const part of ['nodes', 'interfaces', 'cables'] as const) {
		for (const [id, v] of Object.entries(after[part])) if (before[part][id] !== v) marks[id] = mark;
	}
}

/** Go writes a list that is not there as null. */
function cleanLab(lab: Lab): Lab {
	const interfaces: Record<string, Interface> = {};
	for (const [id, i] of Object.entries(lab.interfaces ?? {})) interfaces[id] = cleanInterface(i);
	return { ...lab, nodes: lab.nodes ?? {}, interfaces, cables: lab.cables ?? {}, places: lab.places ?? {} };
}

function cleanPatch(p: Change['patch']): Change['patch'] {
	if (!p.interfaces) return p;
	const interfaces: Record<string, Interface | null> = {};
	for (const [id, i] of Object.entries(p.interfaces)) interfaces[id] = i && cleanInterface(i);
	return { ...p, interfaces };
}

function cleanInterface(i: Interface): Interface {
	return i.addresses ? i : { ...i, addresses: [] };
}
