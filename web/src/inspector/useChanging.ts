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

/** Rows that wash once when they change, carry a + while new, and stay struck through for a moment once gone. */
export function useChanging<T>(list: readonly T[], keyOf: (row: T) => string): ChangingRow<T>[] {
	const known = useRef(new Map<string, { value: T; text: string; changed: number; born: number; gone: number }>());
	const first = useRef(true);
	const [, tick] = useState(0);
	const now = performance.now();
	const present = new Set<string>();
	for (const value of list) {
		const key = keyOf(value);
		const text = JSON.stringify(value);
		const old = known.current.get(key);
		present.add(key);
		if (!old || old.gone > 0) {
			known.current.set(key, { value, text, changed: first.current ? 0 : now, born: first.current ? 0 : now, gone: 0 });
		} else if (old.text !== text) {
			known.current.set(key, { ...old, value, text, changed: now - old.changed < 1000 ? old.changed : now });
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
	const order = [...present, ...[...known.current.keys()].filter((k) => !present.has(k))];
	return order.flatMap((key) => {
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
