// The first lab, drawn and typed: red and blue, a cable, a ping, and the frames that crossed it.
import type { Page } from '@playwright/test';
import { expect, test } from './vethlab';

async function newLab(home: Page): Promise<void> {
	await home.getByRole('button', { name: 'New lab' }).click();
	await expect(home.getByTestId('node-host')).toBeVisible();
	await expect(home.getByText('running').first()).toBeVisible();
}

/** Types into the quick add line. */
async function quickAdd(page: Page, line: string): Promise<void> {
	await page.getByTestId('canvas').focus();
	await page.keyboard.press('n');
	await page.keyboard.type(line);
	await page.keyboard.press('Enter');
	await page.keyboard.press('Escape');
}

/** Opens a node's terminal and types a command into it. */
async function typeIn(page: Page, node: string, command: string): Promise<void> {
	await page.getByTestId(`node-${node}`).dblclick({ position: { x: 40, y: 14 } });
	const terminal = page.locator('.xterm-rows').last();
	await expect(terminal).toContainText('#');
	await page.keyboard.type(`${command}\n`);
}

async function seesPing(page: Page): Promise<void> {
	await page.getByRole('tab', { name: 'Packets' }).click();
	for (const info of ['Who has', 'is at', 'request', 'reply']) {
		await expect(page.getByTestId('frame-row').filter({ hasText: info }).first()).toBeVisible();
	}
}

test('drawn: two namespaces, a cable, a ping', async ({ home }) => {
	await newLab(home);
	await quickAdd(home, 'ns red blue');
	await expect(home.getByTestId('node-red')).toBeVisible();
	await expect(home.getByTestId('node-blue')).toBeVisible();
	await quickAdd(home, 'red -- blue');
	await expect(
		home.locator('[data-testid^="cable-veth-red"], [data-testid^="cable-veth-blue"]').first(),
	).toBeAttached();
	await typeIn(home, 'red', 'ping -c2 192.168.15.2');
	await expect(home.locator('.xterm-rows').last()).toContainText('0% packet loss');
	await seesPing(home);
});

test('typed: the same in the terminal, and undone from the canvas', async ({ home }) => {
	await newLab(home);
	await typeIn(
		home,
		'host',
		'ip netns add red; ip netns add blue; ip link add veth-red netns red type veth peer name veth-blue netns blue; ' +
			'ip -n red addr add 192.168.15.1/24 dev veth-red; ip -n blue addr add 192.168.15.2/24 dev veth-blue; ' +
			'ip -n red link set veth-red up; ip -n blue link set veth-blue up',
	);
	await expect(home.getByTestId('node-red')).toBeVisible();
	await expect(home.getByTestId('node-blue')).toBeVisible();
	await expect(home.locator('[data-testid^="cable-"]').first()).toBeAttached();
	await home.keyboard.type('ip netns exec red ping -c1 192.168.15.2\n');
	await expect(home.locator('.xterm-rows').last()).toContainText('0% packet loss');
	await seesPing(home);
});
