// Rows of a table that the kernel changes: what is new, what has changed, what has gone.
import { useEffect, useRef, useState } from 'react';

interface ChangingRow<T> {
	key: string;
	value: T;
	className: string;
	sign: string;
}

const flashFor = 1200; // ms
const newFor = 5000;
const goneFor = 2000;

/**
 * Rows that wash once when they change, carry a + while new, and stay for a moment, struck through, where they were before
 * they went. What of a row only ticks is left out of its text.
 */
export function useChanging<T>(
	list: readonly T[],
	keyOf: (row: T) => string,
	textOf: (row: T) => string = JSON.stringify,
): ChangingRow<T>[] {
	const known = useRef(new Map<string, { value: T; text: string; changed: number; born: number; gone: number }>());
	const shown = useRef<string[]>([]); // keys, as they were shown last
	const first = useRef(true);
	const [, tick] = useState(0);
	const now = performance.now();
	const present = new Set<string>();
	for (const value of list) {
		const key = keyOf(value);
		const text = textOf(value);
		const old = known.current.get(key);
		present.add(key);
		if (!old || old.gone > 0) {
			known.current.set(key, { value, text, changed: first.current ? 0 : now, born: first.current ? 0 : now, gone: 0 });
		} else if (old.text !== text) {
			known.current.set(key, { ...old, value, text, changed: now - old.changed < 1000 ? old.changed : now });
		} else {
			old.value = value;
		}
	}
	for (const [key, k] of known.current) {
		if (present.has(key)) continue;
		if (k.gone === 0) k.gone = now;
		else if (now - k.gone > goneFor) known.current.delete(key);
	}
	// biome-ignore lint/correctness/useExhaustiveDependencies: each list starts the clocks of its changes
	useEffect(() => {
		first.current = false;
		const timers = [flashFor, goneFor, newFor].map((ms) => setTimeout(() => tick((n) => n + 1), ms + 30));
		return () => timers.forEach(clearTimeout);
	}, [list]);
	shown.current = withGone(shown.current, present, (key) => known.current.has(key));
	return shown.current.flatMap((key) => {
		const k = known.current.get(key);
		if (!k) return [];
		const flash = k.changed > 0 && now - k.changed < flashFor;
		const isNew = k.born > 0 && now - k.born < newFor && k.gone === 0;
		return [
			{
				key,
				value: k.value,
				className: `${flash ? 'is-flashing' : ''} ${k.gone > 0 ? 'is-gone' : ''}`,
				sign: isNew ? '+ ' : '',
			},
		];
	});
}

/** The rows that are there, in their order, each followed by those that have just gone from behind it. */
function withGone(before: readonly string[], present: ReadonlySet<string>, kept: (key: string) => boolean): string[] {
	const behind = new Map<string, string[]>();
	let last = '';
	for (const key of before) {
		if (present.has(key)) last = key;
		else if (kept(key)) behind.set(last, [...(behind.get(last) ?? []), key]);
	}
	if (behind.size === 0) return [...present];
	return [...(behind.get('') ?? []), ...[...present].flatMap((key) => [key, ...(behind.get(key) ?? [])])];
}
