// Advice as the page shows it: what is legal in a lab and surely not meant, marked on what it is about.
import type { Advice, Lab } from '../wire/types.gen';
import { hasJack, isBox } from './things';

/** What a hand is at: of this nothing new is said until it is let go. */
export interface Busy {
	/** Something is drawn, carried or on its way to the lab. */
	all: boolean;
	/** The cable whose names and addresses are being filled in. */
	cable: string | undefined;
	/** What somebody has just changed in a terminal: the next command may be about it too. */
	typed: ReadonlySet<string>;
}

/** What is said and was shown already, in its newest words. */
export function stillHeld(shown: readonly Advice[], said: readonly Advice[]): Advice[] {
	const key = (a: Advice) => `${a.code} ${a.on[0]}`;
	const known = new Set(shown.map(key));
	return said.filter((a) => known.has(key(a)));
}

/** What is said and not about what a hand is at. */
export function settled(lab: Lab, said: readonly Advice[], busy: Busy): Advice[] {
	if (busy.all) return [];
	const ends = lab.cables[busy.cable ?? '']?.ends ?? [];
	const held = new Set([busy.cable, ...ends, ...ends.map((end) => lab.interfaces[end]?.node), ...busy.typed]);
	return said.filter((a) => !a.on.some((id) => held.has(id)));
}

/** The box, jack or cable that shows a thing; undefined once it has gone. */
export function drawnAs(lab: Lab, id: string): string | undefined {
	if (lab.nodes[id] || lab.cables[id]) return id;
	const i = lab.interfaces[id];
	if (!i) return undefined;
	return isBox(lab, i) || hasJack(lab, i) ? id : lab.nodes[i.node] && i.node;
}

/** Where an advice is marked: where to look first; and where that is an interface, at each that it is about. */
export function markedAt(lab: Lab, a: Advice): string[] {
	const [first] = a.on;
	const about = lab.interfaces[first ?? ''] ? a.on.filter((id) => lab.interfaces[id]) : first ? [first] : [];
	return [...new Set(about.flatMap((id) => drawnAs(lab, id) ?? []))];
}

/** What each marked thing says. Minor advice is not marked. */
export function marksOf(lab: Lab, shown: readonly Advice[]): Record<string, Advice[]> {
	const marks: Record<string, Advice[]> = {};
	for (const a of major(shown)) {
		for (const id of markedAt(lab, a)) {
			marks[id] ??= [];
			marks[id].push(a);
		}
	}
	return marks;
}

export function major(said: readonly Advice[]): Advice[] {
	return said.filter((a) => !a.minor);
}

/** What is said of a thing, or of what one sees of it: a node's interfaces, a cable's ends. */
export function concerning(lab: Lab, said: readonly Advice[], id: string): Advice[] {
	const ends = lab.cables[id]?.ends;
	const isPart = (on: string) => on === id || lab.interfaces[on]?.node === id || (ends?.includes(on) ?? false);
	return said.filter((a) => a.on.some(isPart));
}

/** What a screen reader says of a thing that is marked. */
export function withNotes(spoken: string, notes: readonly Advice[] = []): string {
	return [spoken, ...notes.map((a) => `note: ${a.message.replaceAll('`', '')}`)].join('. ');
}

/** "3 notes". */
export function count(notes: number): string {
	return notes === 1 ? '1 note' : `${notes} notes`;
}
