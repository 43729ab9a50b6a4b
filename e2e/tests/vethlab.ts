// Every test gets the real binary on a free port, with a state folder of its own, and ends all that it started.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { AxeBuilder } from '@axe-core/playwright';
import { test as base, expect, type Locator, type Page } from '@playwright/test';

const binary = process.env.VETHLAB ?? new URL('../../vethlab', import.meta.url).pathname;

/** A running server. */
export class Server {
	readonly token = 'token-of-the-browser-tests';
	/** What it prints: it signs in one browser, once. */
	loginURL = '';
	private process: ChildProcess | undefined;
	private log = '';

	constructor(readonly state: string) {}

	get origin(): string {
		return new URL(this.loginURL).origin;
	}

	/** Starts the server; a second time on the same port, so that pages find it again. */
	async start(): Promise<void> {
		const port = this.loginURL ? new URL(this.loginURL).port : 0;
		const child = spawn(binary, ['serve', '--listen', `127.0.0.1:${port}`, '--state', this.state], {
			env: { ...process.env, VETHLAB_TOKEN: this.token, DISPLAY: '', WAYLAND_DISPLAY: '' },
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		this.process = child;
		child.stderr.on('data', (text) => {
			this.log += text;
		});
		const ended = once(child, 'exit').then(() => Promise.reject(new Error(`vethlab serve ended:\n${this.log}`)));
		const printed = new Promise<string>((resolve) => {
			createInterface({ input: child.stdout }).on('line', (line) => {
				if (line.startsWith('http://')) resolve(line);
			});
		});
		this.loginURL = await Promise.race([printed, ended]);
		ended.catch(() => {}); // later, it ends because it is told to
	}

	/** Ends the server and leaves its labs running, as a crash would. */
	async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
		const child = this.process;
		if (!child || child.exitCode !== null || child.signalCode !== null) return;
		const exit = once(child, 'exit');
		child.kill(signal);
		await exit;
	}

	/** Calls the API as a script does. */
	async call(method: string, path: string, body?: string): Promise<Response> {
		return fetch(this.origin + path, {
			method,
			headers: { authorization: `Bearer ${this.token}`, ...(body ? { 'content-type': 'application/yaml' } : {}) },
			body,
		});
	}

	/** Stops all labs and the server, and removes its state. */
	async end(): Promise<void> {
		try {
			const labs = (await (await this.call('GET', '/api/labs')).json()) as { id: string; state?: string }[];
			for (const lab of labs) {
				await this.call('POST', `/api/labs/${lab.id}/stop`);
			}
		} finally {
			await this.kill('SIGTERM');
			await rm(this.state, { recursive: true, force: true });
		}
	}
}

/** Tests with a server, and a page that is signed in to it and shows home. */
export const test = base.extend<{ server: Server; home: Page }>({
	// biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names from the pattern
	server: async ({}, use) => {
		const server = new Server(await mkdtemp(join(tmpdir(), 'vethlab-e2e-')));
		await server.start();
		try {
			await use(server);
		} finally {
			await server.end();
		}
	},
	home: async ({ server, page }, use) => {
		const errors: string[] = [];
		page.on('pageerror', (error) => errors.push(error.stack ?? error.message));
		await page.goto(server.loginURL);
		await use(page);
		expect(errors, 'errors that nobody caught on the page').toEqual([]);
	},
});

/** Makes a new lab with one machine, host, and waits until it runs. */
export async function newLab(home: Page): Promise<Page> {
	await home.getByTestId('new-lab').click();
	await expect(home.getByTestId('lab-state')).toContainText('running');
	await expect(home.getByTestId('node-host')).toBeVisible();
	return home;
}

/** A terminal, as somebody sits before it. */
export class Terminal {
	constructor(
		readonly page: Page,
		readonly node: string,
	) {}

	get screen(): Locator {
		return this.page.getByTestId(`terminal-${this.node}`).locator('.xterm-rows');
	}

	/** Types a line and waits for what it is to show. */
	async type(line: string, shows?: string | RegExp): Promise<void> {
		await this.page.getByTestId(`terminal-${this.node}`).locator('textarea').focus();
		await this.page.keyboard.type(line);
		await this.page.keyboard.press('Enter');
		if (shows) await expect(this.screen).toContainText(shows);
	}
}

/** Opens a terminal in a node by a double click, and waits for its prompt. */
export async function openTerminal(page: Page, node: string): Promise<Terminal> {
	await page.getByTestId(`node-${node}`).locator('.node-name').dblclick();
	const terminal = new Terminal(page, node);
	await expect(terminal.screen).toContainText(/[#$] *$/);
	return terminal;
}

/** Checks that axe finds nothing serious in what the page shows. */
export async function expectAccessible(page: Page): Promise<void> {
	const { violations } = await new AxeBuilder({ page }).analyze();
	const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
	const said = serious.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((n) => n.html).join('\n  ')}`);
	expect(said, 'what axe finds').toEqual([]);
}

export { expect };
