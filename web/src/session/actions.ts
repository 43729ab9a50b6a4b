// What can be done to the open lab. Everything that changes it is an op; nothing waits for the answer.
import { applyEdits } from '../model/edit';
import { computeGeometry } from '../model/geometry';
import { newID } from '../model/lab';
import { afterDelete } from '../model/outline';
import { capital, ended, problemText, Refused, withoutExcerpt } from '../model/problem';
import {
	addPending,
	addProbe,
	applyMessage,
	discardFailed,
	dropProbes,
	type FailedOp,
	initialState,
	markSeen,
} from '../model/state';
import { isBridge, thingOf } from '../model/things';
import type { Crossing } from '../model/traffic';
import { asSentence, entryOf, holderOfName, restoredText, takenBackText, withName } from '../model/wording';
import { LabConnection, socketURL } from '../transport/connection';
import { api, ServerProblem } from '../transport/http';
import type { Change, Edit, Lab, Message, Problem, Reply } from '../wire/types.gen';
import { frameLog, type Toast, type ToastAction, traffic, useGeometry, useLab, useLink, useView } from './stores';
import { canvasView } from './viewport';

let connection: LabConnection | undefined;
let offer = ''; // the toast whose button undoes or redoes what it tells of
const undoing = new Map<string, 'undo' | 'redo' | 'restore'>(); // requests that are one, by id

export function openLab(id: string): () => void {
	useLab.setState({ ...initialState, id }, true);
	useView.setState({
		selection: new Set(),
		focus: undefined,
		gesture: { at: 'idle' },
		keyMove: { at: 'resting' },
		moving: {},
		card: undefined,
		preview: undefined,
		frame: undefined,
		toasts: [],
	});
	frameLog.clear();
	frameLog.restart();
	traffic.clear();
	const path = `/api/labs/${encodeURIComponent(id)}`;
	connection = new LabConnection(
		socketURL(`${path}/ws`),
		{
			message: receive,
			status: (status) => useLink.setState({ status }),
			waiting: (waiting) => useLink.setState({ waiting }),
			restarted: (cutOff) => {
				useLab.setState(dropProbes);
				if (cutOff) toast({ kind: 'info', text: 'This page fell behind and was refreshed from the lab.' });
			},
			roundTrip: (roundTrip) => useLink.setState({ roundTrip }),
		},
		() => whyClosed(path),
	);
	const mine = connection;
	return () => {
		mine.close();
		if (connection === mine) connection = undefined;
	};
}

async function whyClosed(path: string): Promise<'network' | 'session' | 'gone'> {
	try {
		const response = await fetch(path, { headers: { Accept: 'application/json' } });
		return response.status === 401 ? 'session' : response.status === 404 ? 'gone' : 'network';
	} catch {
		return 'network';
	}
}

function receive(m: Message): void {
	if (m.frames) {
		const fresh = frameLog.push(m.frames);
		const now = performance.now();
		traffic.push(fresh, now, locate);
		if (m.frames.rates) traffic.pushRates(m.frames.rates, now, locate);
		wakeTraffic();
		return;
	}
	if (m.snapshot) frameLog.restart();
	useLab.setState((s) => applyMessage(s, m));
	if (m.snapshot) forgetGone();
	if (m.change) afterChange();
	if (m.reply) answered(m.reply);
}

/** Selection, focus and what is open only ever name things that are there. */
function forgetGone(): void {
	const { lab } = useLab.getState();
	const there = (id: string) => lab.nodes[id] || lab.interfaces[id] || lab.cables[id];
	const v = useView.getState();
	const next: Partial<typeof v> = {};
	if ([...v.selection].some((id) => !there(id))) next.selection = new Set([...v.selection].filter(there));
	if (v.focus && !there(v.focus)) next.focus = undefined;
	if (v.card && !lab.cables[v.card]) next.card = undefined;
	if (v.renaming && !there(v.renaming)) next.renaming = undefined;
	if (Object.keys(next).length > 0) useView.setState(next);
}

function afterChange(): void {
	forgetGone();
	const { changes, author } = useLab.getState();
	const c = changes.at(-1);
	if (!c) return;
	const mine = !c.author || c.author === author; // undo and redo are of one's own, and of nobody's
	if (mine) dismiss(offer); // its button has another meaning now
	if (c.origin === 'terminal') announce(c.sentence);
	const text = tookBack(c, changes);
	if (!text) return;
	const again = c.origin === 'undo' ? { label: 'Redo', run: redo } : { label: 'Undo', run: undo };
	const id = newID('t');
	if (mine) offer = id;
	toast({ kind: 'info', text, ...(mine && { actions: [again] }) }, id);
}

/** What there is to say of a change that goes back in the history. */
function tookBack(c: Change, changes: readonly Change[]): string | undefined {
	if (c.origin === 'restore') return `${restoredText(c)}.`;
	return c.origin === 'undo' || c.origin === 'redo' ? takenBackText(c, entryOf(changes, c.takes)) : undefined;
}

function answered(reply: Reply): void {
	const kind = undoing.get(reply.request);
	const outcome = outcomes.get(reply.request);
	undoing.delete(reply.request);
	outcomes.delete(reply.request);
	if (!reply.problem) {
		outcome?.done?.();
		return;
	}
	const text = asSentence(useLab.getState().lab, problemText(reply.problem));
	if (kind) {
		toast({ kind: reply.problem.code === 'nothing-to-undo' ? 'info' : 'error', text });
		return;
	}
	const failed = useLab.getState().failed.find((f) => f.id === reply.request);
	if (!failed) return;
	if (outcome?.refused) {
		discard(failed.id);
		outcome.refused(`${text} Nothing was changed.`);
		return;
	}
	const words = `${text} Nothing was changed.`;
	if (failed.edits.some((e) => e.addNode || e.addCable))
		announce(words.replaceAll('`', '')); // said beside its ghost
	else toast({ kind: 'error', text: words, actions: afterFailure(failed) }, failed.id);
}

/** What can be done about an op that was refused. */
export function afterFailure(failed: FailedOp): ToastAction[] {
	return [
		...waysOut(failed.problem, failed.edits, () => discard(failed.id)),
		{ label: 'Retry', run: () => retry(failed.id) },
		{ label: 'Discard', run: () => discard(failed.id) },
	];
}

// ---------------------------------------------------------------- changing the lab

/** Who asked for an op and wants to deal with its end; a refusal that nobody deals with is shown as a toast. */
export interface Outcome {
	refused?: (words: string) => void;
	done?: () => void;
}

const outcomes = new Map<string, Outcome>(); // by op

/** Sends one gesture as one op, and says whether it could be one. */
export function edit(edits: Edit[], outcome: Outcome = {}): boolean {
	if (edits.length === 0) {
		outcome.done?.();
		return true;
	}
	try {
		applyEdits(useLab.getState().lab, edits);
		if (edits.some(places)) edits = [...edits, ...pins(edits)];
	} catch (err) {
		if (!(err instanceof Refused)) throw err;
		const text = asSentence(useLab.getState().lab, problemText(err.problem));
		if (outcome.refused) outcome.refused(text);
		else toast({ kind: 'error', text, actions: waysOut(err.problem, edits) });
		return false;
	}
	const op = { id: newID('o'), edits };
	outcomes.set(op.id, outcome);
	useLab.setState((s) => addPending(s, op));
	connection?.send({ id: op.id, op });
	return true;
}

const places = (e: Edit) => (e.place ?? e.addNode?.place ?? e.addInterface?.place) !== undefined;

/** Who puts a thing somewhere does so with the others in view: those that have no place yet are to stay where they are drawn. */
function pins(edits: Edit[]): Edit[] {
	const { lab } = useLab.getState();
	const given = new Set(edits.map((e) => e.place?.id));
	return Object.entries(useGeometry.getState().places).flatMap(([id, at]) =>
		lab.places[id] || given.has(id) || !thingOf(lab, id) ? [] : [{ place: { id, x: at.x, y: at.y } }],
	);
}

/** What one can do about a name that is taken: take the free one, or look at what has it. */
function waysOut(problem: Problem, edits: Edit[], before = () => {}): ToastAction[] {
	if (problem.code !== 'exists' || problem.field !== 'name') return [];
	const { lab } = useLab.getState();
	const free = /^`(.+)` is free$/.exec(problem.hint ?? '')?.[1];
	const other = holderOfName(lab, edits, problem.on ?? '');
	const ways: ToastAction[] = [];
	if (free !== undefined) {
		const use = () => {
			before();
			edit(withName(edits, problem.on ?? '', free));
		};
		ways.push({ label: `Use ${free}`, run: use });
	}
	if (other) ways.push({ label: 'Show it', run: () => show(other) });
	return ways;
}

/** Selects a thing and brings it into view, as large as it takes to see it. */
export function show(id: string): void {
	select([id]);
	useView.setState({ focus: id });
	canvasView.find(id);
}

export function retry(id: string): void {
	const failed = useLab.getState().failed.find((f) => f.id === id);
	if (!failed) return;
	discard(id);
	edit(failed.edits);
}

export function discard(id: string): void {
	useLab.setState((s) => discardFailed(s, id));
	dismiss(id);
}

export function undo(): void {
	takeBack('undo');
}

export function redo(): void {
	takeBack('redo');
}

function takeBack(kind: 'undo' | 'redo'): void {
	const id = newID('u');
	undoing.set(id, kind);
	connection?.send({ id, [kind]: {} });
}

/** Makes the lab again what it was right after a change; 0 is before the first. */
export function restore(seq: number): void {
	const id = newID('u');
	undoing.set(id, 'restore');
	connection?.send({ id, restore: { seq } });
}

export function select(ids: Iterable<string>, more = false): void {
	const selection = new Set(more ? [...useView.getState().selection, ...ids] : ids);
	useView.setState({ selection });
	seen(selection);
}

/** Looked at: the mark of a terminal's change goes, also from both ends of a cable. */
function seen(ids: Iterable<string>): void {
	const { lab } = useLab.getState();
	const all = new Set(ids);
	for (const id of [...all]) {
		for (const end of lab.cables[id]?.ends ?? []) all.add(end);
		if (lab.nodes[id]) {
			for (const i of Object.values(lab.interfaces)) if (i.node === id) all.add(i.id);
			for (const c of Object.values(lab.cables))
				if (c.ends.some((end) => lab.interfaces[end]?.node === id)) all.add(c.id);
		}
	}
	useLab.setState((s) => markSeen(s, all));
}

/** Deletes what is selected as one op, and moves the focus to the next sibling, else to the parent. */
export function deleteThings(ids: readonly string[]): void {
	const { lab } = useLab.getState();
	const edits: Edit[] = [];
	let after = lab;
	const nodesFirst = [...ids].sort((a, b) => Number(!!lab.nodes[b]) - Number(!!lab.nodes[a]));
	for (const id of nodesFirst) {
		if (!after.nodes[id] && !after.cables[id] && !after.interfaces[id]) continue; // went with another
		const e: Edit = { delete: { id } };
		try {
			after = applyEdits(after, [e]);
		} catch (err) {
			if (!(err instanceof Refused)) throw err;
			toast({ kind: 'error', text: asSentence(lab, problemText(err.problem)) });
			return;
		}
		edits.push(e);
	}
	const focus = afterDelete(lab, after, ids[0] ?? '');
	if (edit(edits)) {
		offerCables(lab, ids);
		useView.setState({ selection: new Set(), focus, card: undefined });
		forgetGone();
	}
}

/** Ports outlive their bridge, as they do in the kernel; here is a way to be rid of their cables as well. */
function offerCables(lab: Lab, deleted: readonly string[]): void {
	const bridges = deleted.flatMap((id) => (isBridge(lab.interfaces[id]?.kind ?? '') ? (lab.interfaces[id] ?? []) : []));
	const ports = new Set(
		Object.values(lab.interfaces).flatMap((i) => (bridges.some((b) => b.id === i.master) ? i.id : [])),
	);
	const left = useLab.getState().lab.cables; // but of what went along with the rest
	const cables = Object.values(lab.cables).filter((c) => left[c.id] && c.ends.some((end) => ports.has(end)));
	if (cables.length === 0) return;
	const names = bridges.map((b) => `\`${b.name}\``).join(', ');
	toast({
		kind: 'info',
		text: `${names} is deleted; its ${cables.length === 1 ? 'port stays' : `${cables.length} ports stay`}, as in the kernel.`,
		actions: [
			{
				label: cables.length === 1 ? 'Delete its cable too' : 'Delete their cables too',
				run: () => {
					const now = useLab.getState().lab;
					const there = cables.filter((c) => now.cables[c.id]);
					const isBack = bridges.some((b) => now.interfaces[b.id]); // its deletion was undone
					if (!isBack && there.length > 0) edit(there.map((c) => ({ delete: { id: c.id } })));
				},
			},
		],
	});
}

// ---------------------------------------------------------------- probes

export function ping(from: string, to: string, count = 3): string {
	const request = { id: newID('p'), ping: { from, to, count } };
	useLab.setState((s) => addProbe(s, request));
	connection?.send(request);
	return request.id;
}

export function arpProbe(from: string, to: string): string {
	const request = { id: newID('p'), arp: { from, to } };
	useLab.setState((s) => addProbe(s, request));
	connection?.send(request);
	return request.id;
}

export function cancelProbe(id: string): void {
	connection?.send({ id: newID('x'), cancel: { request: id } });
}

export function closeTerminal(id: string): void {
	connection?.send({ id: newID('x'), close: { terminal: id } });
}

// ---------------------------------------------------------------- starting and stopping

export async function startLab(): Promise<void> {
	await overHTTP(() => api.start(useLab.getState().id));
}

export async function stopLab(): Promise<void> {
	await overHTTP(() => api.stop(useLab.getState().id));
}

/** Has the browser save the lab as a file, under the lab's name. */
export function exportLab(to: 'yaml' | 'sh'): void {
	const link = document.createElement('a');
	link.href = api.exported(useLab.getState().id, to);
	link.download = '';
	link.click();
}

export async function overHTTP<T>(call: () => Promise<T>): Promise<T | undefined> {
	try {
		return await call();
	} catch (err) {
		if (!(err instanceof ServerProblem)) throw err;
		const hint = err.problem.hint ? ` ${ended(capital(err.problem.hint))}` : '';
		const text = err.status === 401 ? sessionEnded : `${ended(capital(withoutExcerpt(err.message)))}${hint}`;
		toast({ kind: 'error', text });
		return undefined;
	}
}

export const sessionEnded = 'Your session ended. Open the URL that `vethlab serve` printed.';

// ---------------------------------------------------------------- words for the user

const shownToasts = 3;
const toastFor = 8000; // ms; errors stay until dismissed

export function toast(t: Omit<Toast, 'id'>, id = newID('t')): void {
	const same = useView.getState().toasts.filter((other) => other.text !== t.text);
	useView.setState({ toasts: [...same, { ...t, id }].slice(-shownToasts) });
	announce(t.text.replaceAll('`', ''));
	if (t.kind !== 'error') expire(id);
}

function expire(id: string): void {
	setTimeout(() => {
		if (document.getElementById(`toast-${id}`)?.matches(':hover, :focus-within')) expire(id);
		else dismiss(id);
	}, toastFor);
}

export function dismiss(id: string): void {
	useView.setState((v) => ({ toasts: v.toasts.filter((t) => t.id !== id) }));
}

export function announce(announcement: string): void {
	useView.setState({ announcement });
}

// ---------------------------------------------------------------- what follows from the lab

function redraw(): void {
	const { moving, labels } = useView.getState();
	const extraRows = labels === 3 ? 2 : 0; // the MAC and a link-local address
	useGeometry.setState(computeGeometry(useLab.getState().lab, { moving, before: useGeometry.getState(), extraRows }));
}

useLab.subscribe((s, before) => {
	if (s.lab !== before.lab) redraw();
});
useView.subscribe((v, before) => {
	if (v.moving !== before.moving || v.labels !== before.labels) redraw();
});

/** Which cable a frame crossed, by the interface that it arrived at. */
let crossings: { lab: object; byEnd: Map<string, Crossing> } | undefined;

export function locate(to: string): Crossing | undefined {
	const { lab } = useLab.getState();
	if (crossings?.lab !== lab.cables) {
		const byEnd = new Map<string, Crossing>();
		for (const c of Object.values(lab.cables)) {
			const [a, b] = [lab.interfaces[c.ends[0]], lab.interfaces[c.ends[1]]];
			if (!a || !b) continue;
			byEnd.set(b.id, { cable: c.id, forward: true, fromNode: a.node, toNode: b.node });
			byEnd.set(a.id, { cable: c.id, forward: false, fromNode: b.node, toNode: a.node });
		}
		crossings = { lab: lab.cables, byEnd };
	}
	return crossings.byEnd.get(to);
}

let wake: (() => void) | undefined;

/** The animation registers itself here; it sleeps while nothing travels. */
export function onTraffic(start: () => void): () => void {
	wake = start;
	return () => {
		if (wake === start) wake = undefined;
	};
}

function wakeTraffic(): void {
	wake?.();
}
