// Every test gets the real binary on a free port, with a state folder of its own, and ends all that it started.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
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

	/** Holds the server where it is: nothing is answered until it goes on. */
	freeze(): void {
		this.process?.kill('SIGSTOP');
	}

	goOn(): void {
		this.process?.kill('SIGCONT');
	}

	/** The document of the lab that a page shows, as the file has it. */
	async document(page: Page): Promise<string> {
		const answer = await this.call('GET', `/api${new URL(page.url()).pathname}`);
		return answer.text();
	}

	/** The processes of the labs that this server has started. */
	async labProcesses(): Promise<number[]> {
		const pid = this.process?.pid;
		const threads = await readdir(`/proc/${pid}/task`);
		const lists = await Promise.all(threads.map((t) => readFile(`/proc/${pid}/task/${t}/children`, 'utf8')));
		return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
	}

	/** Calls the API as a script does. */
	async call(method: string, path: string, body?: string): Promise<Response> {
		const yaml = 'application/yaml';
		return fetch(this.origin + path, {
			method,
			headers: { authorization: `Bearer ${this.token}`, accept: `${yaml}, application/json`, 'content-type': yaml },
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

/** Tests with a server, a page that is signed in to it and shows home, and one of somebody else, `ben`, who is too. */
export const test = base.extend<{ server: Server; home: Page; ben: Page }>({
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
		const errors = uncaught(page);
		await page.goto(server.loginURL);
		await expect(page.getByTestId('new-lab')).toBeVisible();
		await use(page);
		expect(errors, 'errors that nobody caught on the page').toEqual([]);
	},
	ben: async ({ server, browser }, use) => {
		const context = await browser.newContext();
		const page = await context.newPage();
		const errors = uncaught(page);
		await page.goto(server.origin);
		await page.getByLabel('Token').fill(server.token);
		await page.getByRole('button', { name: 'Sign in' }).click();
		await expect(page.getByTestId('new-lab')).toBeVisible();
		await use(page);
		expect(errors, 'errors that nobody caught on Ben’s page').toEqual([]);
		await context.close();
	},
});

function uncaught(page: Page): string[] {
	const errors: string[] = [];
	page.on('pageerror', (error) => errors.push(error.stack ?? error.message));
	return errors;
}

/** Makes a new lab with one machine, host, and waits until it runs. */
export async function newLab(home: Page): Promise<Page> {
	await home.getByTestId('new-lab').click();
	await expect(home.getByTestId('lab-state')).toContainText('running');
	await expect(home.getByTestId('node-host')).toBeVisible();
	return home;
}

/** Types a line into the quick add, and waits until the kernel has what it says. */
export async function quickAdd(page: Page, line: string): Promise<void> {
	await page.getByTestId('canvas').press('n');
	await page.getByTestId('quick-add-input').fill(line);
	await page.getByTestId('quick-add-input').press('Enter');
	await expect(page.getByTestId('quick-add')).toHaveCount(0);
	await expect(page.locator('.is-pending')).toHaveCount(0);
}

/** Makes a lab of a document, opens it and waits until it runs. */
export async function labOf(server: Server, page: Page, yaml: string): Promise<Page> {
	const { id } = (await (await server.call('POST', '/api/labs', yaml)).json()) as { id: string };
	await server.call('POST', `/api/labs/${id}/start`);
	await page.goto(`${server.origin}/labs/${id}`);
	await expect(page.getByTestId('lab-state')).toContainText('running');
	return page;
}

/** Pings once from the panel of probes, and waits for what it sums up to. */
export async function ping(page: Page, from: string, to: string, want: string): Promise<void> {
	await page.getByTestId('dock-probes').click();
	await page.getByTestId('probe-from').selectOption(from);
	await page.getByTestId('probe-to').fill(to);
	await page.locator('.probe-form input[type=number]').fill('1');
	const before = await page.getByTestId('probe-summary').count();
	await page.getByTestId('ping').click();
	await expect(page.getByTestId('probe-summary')).toHaveCount(before + 1);
	await expect(page.getByTestId('probe-summary').filter({ hasText: want }).first()).toBeVisible();
}

/** Selects a node, and waits for the inspector to show it. */
export async function select(page: Page, node: string): Promise<void> {
	await page.getByTestId(`node-${node}`).locator('.node-name').click();
	await expect(page.getByTestId('inspector').getByRole('heading', { level: 2 })).toContainText(node);
}

/** Where the pointer goes to be on something. */
export async function middleOf(target: Locator): Promise<{ x: number; y: number }> {
	const box = await target.boundingBox();
	if (!box) throw new Error(`${target} is not on the screen`);
	return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

type Point = { x: number; y: number };

/** Presses at one place and lets go at another. */
export async function drag(page: Page, from: Point, to: Point): Promise<void> {
	await page.mouse.move(from.x, from.y);
	await page.mouse.down();
	await page.mouse.move(to.x, to.y, { steps: 12 });
	await page.mouse.up();
}

/** Drags a cable from a node's edge to another node; its card is open afterwards. */
export async function drawCable(page: Page, from: string, side: string, to: Point): Promise<Locator> {
	const edge = await page.getByTestId(`edge-${from}-${side}`).boundingBox();
	if (!edge) throw new Error(`${from} is not on the screen`);
	await drag(page, { x: edge.x + edge.width / 4, y: edge.y + edge.height / 4 }, to); // its middle may have a jack
	const card = page.getByTestId('cable-card');
	await expect(card).toBeVisible();
	return card;
}

/** A cable by the names of its ends. A typed one has them in the order in which the kernel told of them. */
export function cableBetween(page: Page, a: string, b: string): Locator {
	return page.getByTestId(new RegExp(`^cable-(${a}-${b}|${b}-${a})$`));
}

/** The ops that a page sends from now on; it must be called before the page opens the lab. */
export function opsOf(page: Page): { edits: Record<string, unknown>[] }[] {
	const ops: { edits: Record<string, unknown>[] }[] = [];
	page.on('websocket', (socket) => {
		if (!socket.url().endsWith('/ws')) return;
		socket.on('framesent', ({ payload }) => {
			const request = JSON.parse(String(payload));
			if (request.op) ops.push(request.op);
		});
	});
	return ops;
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

	/** Brings it to the front, where another one or another panel is. */
	async show(): Promise<void> {
		if (await this.screen.isVisible()) return;
		await this.page.getByTestId('dock-terminals').click();
		if (!(await this.screen.isVisible())) await this.page.getByTestId(`terminal-tab-${this.node}`).click();
	}

	/** Types a line and waits for what it is to show. */
	async type(line: string, shows?: string | RegExp): Promise<void> {
		await this.show();
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

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Checks that axe finds nothing in what the page shows. What programs print in a terminal has their own colours. */
export async function expectAccessible(page: Page, what = 'what axe finds'): Promise<void> {
	await expectNothing(new AxeBuilder({ page }).withTags(rules), what);
}

/** The same of the colours alone: all that another theme changes. */
export async function expectContrast(page: Page, what: string): Promise<void> {
	await expectNothing(new AxeBuilder({ page }).withRules('color-contrast'), what);
}

async function expectNothing(axe: AxeBuilder, what: string): Promise<void> {
	const { violations } = await axe.analyze();
	const said = violations.flatMap((v) => {
		const nodes = v.nodes.filter((n) => v.id !== 'color-contrast' || !String(n.target).includes('xterm'));
		return nodes.map((n) => `${v.id}: ${v.help}\n  ${n.html}`);
	});
	expect(said, what).toEqual([]);
}

export { expect };
