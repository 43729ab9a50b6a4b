// Which advice is shown. It waits until the hand rests: a lab that is half drawn is not wrong. It goes at once.
import { create } from 'zustand';
import { type Busy, major, marksOf, settled, stillHeld } from '../model/advice';
import { touchedIDs } from '../model/state';
import type { Advice, Change } from '../wire/types.gen';
import { announce } from './actions';
import { useLab, useView } from './stores';

export interface Notes {
	list: readonly Advice[];
	/** By the boxes, jacks and cables that are marked. */
	marks: Readonly<Record<string, readonly Advice[]>>;
}

export const useNotes = create<Notes>()(() => ({ list: [], marks: {} }));

/** Opens the list of notes, with the focus on the first. */
export function showNotes(): void {
	useView.setState((v) => ({ dock: { ...v.dock, open: true, tab: 'notes' } }));
	requestAnimationFrame(() => document.querySelector<HTMLElement>('.note-about')?.focus());
}

const settleFor = 500; // ms; what comes and goes faster than that was on the way to something else
const typedFor = 5000; // ms from one command to the next, `ip addr add` to `ip link set up`

let waiting = false;
const typed = new Map<string, number>(); // things that a terminal has changed, and when that was

function busy(): Busy {
	const { pending } = useLab.getState();
	const { gesture, keyMove, moving, quickAdd, renaming, card } = useView.getState();
	const carries = keyMove.at !== 'resting' || Object.keys(moving).length > 0;
	const draws = gesture.at !== 'idle' || quickAdd !== undefined || renaming !== undefined;
	return { all: carries || draws || pending.length > 0, cable: card, typed: new Set(typed.keys()) };
}

function show(list: readonly Advice[]): void {
	const was = useNotes.getState().list;
	if (list.length === was.length && list.every((a, at) => a === was[at])) return;
	useNotes.setState({ list, marks: marksOf(useLab.getState().lab, list) });
}

function look(): void {
	const { advice, confirmed } = useLab.getState();
	const { list } = useNotes.getState();
	show(stillHeld(list, advice));
	const fresh = settled(confirmed, advice, busy()).some((a) => !useNotes.getState().list.includes(a));
	if (!fresh || waiting) return;
	waiting = true;
	setTimeout(settle, settleFor);
}

function settle(): void {
	waiting = false;
	const { advice, confirmed } = useLab.getState();
	const { list } = useNotes.getState();
	const fresh = settled(confirmed, advice, busy());
	const next = advice.filter((a) => list.includes(a) || fresh.includes(a));
	const [first] = major(next.filter((a) => !list.includes(a)));
	show(next);
	if (first) announce(`Note: ${first.message.replaceAll('`', '')}`);
}

function hear(c: Change): void {
	if (c.origin !== 'terminal') return;
	if (typed.size === 0) setTimeout(lapse, typedFor);
	for (const id of touchedIDs(c)) typed.set(id, performance.now());
}

function lapse(): void {
	const until = performance.now() - typedFor;
	for (const [id, at] of typed) if (at <= until) typed.delete(id);
	const next = Math.min(...typed.values());
	if (typed.size > 0) setTimeout(lapse, next - until);
	look();
}

useLab.subscribe((s, before) => {
	const last = s.changes.at(-1);
	if (last && s.seq !== before.seq && s.id === before.id && before.loaded) hear(last);
	if (s.advice !== before.advice || s.pending !== before.pending) look();
});
useView.subscribe((v, before) => {
	const keys = ['gesture', 'keyMove', 'moving', 'quickAdd', 'renaming', 'card'] as const;
	if (keys.some((k) => v[k] !== before[k])) look();
});
