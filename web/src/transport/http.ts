// The server's HTTP API. A refusal is a ServerProblem with the server's own words.
import type { Example, HTTPProblem, LabSummary, NewLab, Session } from '../wire/types.gen';

export class ServerProblem extends Error {
	constructor(
		readonly status: number,
		readonly problem: Partial<HTTPProblem>,
	) {
		super(problem.detail || problem.title || `the server answered ${status}`);
	}
}

async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
	let response: Response;
	try {
		response = await fetch(path, { ...init, headers: { Accept: 'application/json', ...init.headers } });
	} catch {
		throw new ServerProblem(0, { title: 'the server does not answer', hint: 'is `vethlab serve` still running?' });
	}
	const text = await response.text();
	if (!response.ok) {
		let problem: Partial<HTTPProblem> = {};
		try {
			problem = JSON.parse(text);
		} catch {
			problem = { title: text.slice(0, 200) };
		}
		throw new ServerProblem(response.status, problem);
	}
	if (!(response.headers.get('content-type') ?? '').includes('json')) return text as T;
	return JSON.parse(text) as T;
}

const json = (method: string, body?: unknown): RequestInit => ({
	method,
	...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
});

// The lab's websocket tells how it goes (RFC 7240).
const atOnce = (): RequestInit => ({ method: 'POST', headers: { Prefer: 'respond-async' } });

const at = (id: string, rest = '') => `/api/labs/${encodeURIComponent(id)}${rest}`;

export const api = {
	session: () => ask<Session>('/api/session'),
	labs: async () => (await ask<LabSummary[] | null>('/api/labs')) ?? [],
	examples: async () => (await ask<Example[] | null>('/api/examples')) ?? [],
	create: (lab: NewLab) => ask<LabSummary>('/api/labs', json('POST', lab)),
	document: (id: string) => ask<string>(at(id), { headers: { Accept: 'application/yaml' } }),
	remove: (id: string) => ask<unknown>(at(id), json('DELETE')),
	start: (id: string) => ask<unknown>(at(id, '/start'), atOnce()),
	stop: (id: string) => ask<unknown>(at(id, '/stop'), atOnce()),
	/** Where the browser finds the lab as a file. */
	exported: (id: string, to: 'yaml' | 'sh') => at(id, `/export?to=${to}`),
};
