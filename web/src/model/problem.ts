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

/** A problem as one line: the command that was refused, the message, the errno, and what to do about it. */
export function problemText(p: Problem): string {
	const command = p.command ? `\`${p.command}\`: ` : '';
	const errno = p.errno ? ` (${p.errno})` : '';
	const hint = p.hint ? `. ${capital(p.hint)}` : '';
	return `${command}${p.message}${errno}${hint}.`;
}
