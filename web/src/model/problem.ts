import type { Problem } from '../wire/types.gen';

export type { Problem };

/** What the rules of the model refuse: the same value as the engine would reply with. */
export class Refused extends Error {
	constructor(readonly problem: Problem) {
		super(problem.message);
	}
}

export function refuse(code: Problem['code'], message: string, more: Partial<Problem> = {}): never {
	throw new Refused({ code, message, ...more });
}

/** The problem that `check` refuses with, or undefined. */
export function problemOf(check: () => unknown): Problem | undefined {
	try {
		check();
		return undefined;
	} catch (err) {
		if (err instanceof Refused) return err.problem;
		throw err;
	}
}

export function capital(text: string): string {
	return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** With a full stop, unless it ends as a sentence does. */
export function ended(text: string): string {
	return /[.?!]$/.test(text) ? text : `${text}.`;
}

/** A message without the lines of a file that it shows. */
export function withoutExcerpt(message: string): string {
	return message.split('\n\n')[0] ?? message;
}

/** A problem as one line: the command that was refused, the message, the errno, and what to do about it. */
export function problemText(p: Problem): string {
	const command = p.command ? `\`${p.command}\`: ` : '';
	const errno = p.errno ? ` (${p.errno})` : '';
	const hint = p.hint ? `. ${capital(p.hint)}` : '';
	return ended(`${command}${withoutExcerpt(p.message)}${errno}${hint}`);
}

/** A word as a message has it: in backquotes, or escaped where it could play tricks; not endless. */
export function shown(word: string): string {
	const letters = [...word];
	const short = letters.length > 80 ? `${letters.slice(0, 79).join('')}…` : word;
	return /[\p{C}\p{Zl}\p{Zp}]/u.test(short) ? JSON.stringify(short) : `\`${short}\``;
}

/**
 * The candidate that a mistyped word was probably meant to be, else '': two edits away, or one if the word is of four
 * letters or fewer. Two letters the wrong way round are one edit.
 */
export function nearest(word: string, candidates: readonly string[]): string {
	let [best, least] = ['', (word.length <= 4 ? 1 : 2) + 1];
	for (const c of candidates) {
		const d = editDistance(word, c);
		if (d < least && d < word.length) [best, least] = [c, d];
	}
	return best;
}

/** The optimal string alignment distance: Levenshtein's, and swaps of neighbours. */
function editDistance(a: string, b: string): number {
	let before: number[] = [];
	let last: number[] = [];
	let row = Array.from({ length: b.length + 1 }, (_, at) => at);
	for (let i = 0; i < a.length; i++) {
		[before, last, row] = [last, row, [i + 1]];
		for (let j = 0; j < b.length; j++) {
			const cost = a[i] === b[j] ? 0 : 1;
			let d = Math.min((last[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1, (last[j] ?? 0) + cost);
			if (i > 0 && j > 0 && a[i] === b[j - 1] && a[i - 1] === b[j]) d = Math.min(d, (before[j - 1] ?? 0) + 1);
			row[j + 1] = d;
		}
	}
	return row[b.length] ?? 0;
}

/** Says which object a refusal of a value is about. */
export function about<T>(on: string, check: () => T): T {
	try {
		return check();
	} catch (err) {
		if (err instanceof Refused && !err.problem.on) throw new Refused({ ...err.problem, on });
		throw err;
	}
}
