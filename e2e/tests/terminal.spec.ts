import type { Page } from '@playwright/test';
import { cableBetween, expect, expectAccessible, newLab, openTerminal, test } from './vethlab';

test('typed in a terminal: two namespaces, a cable, addresses, a ping, and its packets', async ({ home }) => {
	const page = await newLab(home);
	const host = await openTerminal(page, 'host');
	const cable = cableBetween(page, 'veth-red', 'veth-blue');

	await host.type('ip netns add red');
	await expect(page.getByTestId('node-red')).toBeVisible();
	await host.type('ip netns add blue');
	await expect(page.getByTestId('node-blue')).toBeVisible();
	await expect(page.getByTestId('node-red')).toContainText('>_'); // changed in a terminal

	await host.type('ip link add veth-red type veth peer name veth-blue');
	await expect(page.getByTestId('jack-host-veth-red')).toBeVisible();
	await host.type('ip link set veth-red netns red; ip link set veth-blue netns blue');
	await expect(page.getByTestId('jack-red-veth-red')).toBeVisible();
	await expect(cable).toHaveAttribute('data-state', 'down');
	await host.type('ip -n red addr add 192.168.15.1/24 dev veth-red; ip -n blue addr add 192.168.15.2/24 dev veth-blue');
	await expect(page.getByTestId('jack-red-veth-red')).toContainText('192.168.15.1/24');
	await host.type('ip -n red link set veth-red up');
	await expect(page.getByTestId('jack-red-veth-red')).toHaveAttribute('data-state', 'no carrier');
	await host.type('ip -n blue link set veth-blue up');
	await expect(cable).toHaveAttribute('data-state', 'up');

	await host.type('ip netns exec red ping -c 2 -i 0.2 192.168.15.2', '2 received, 0% packet loss');
	await page.getByTestId('dock-packets').click();
	const frames = page.getByTestId('frame-row');
	await page.getByTestId('frame-filter').fill('arp');
	await expect(frames.filter({ hasText: 'Who has 192.168.15.2? Tell 192.168.15.1' }).first()).toBeVisible();
	await page.getByTestId('frame-filter').fill('icmp');
	await expect(frames.filter({ hasText: 'ICMP' })).toHaveCount(4);
	await frames.first().click();
	await expect(page.getByTestId('frame-details')).toBeVisible();

	await page.getByTestId('dock-terminals').click();
	await host.type('ip link del dev veth-red 2>/dev/null; ip -n red link del veth-red');
	await expect(cable).toHaveCount(0);
	// The same in one line, both ends where they belong from the start.
	await host.type('ip link add veth-red netns red type veth peer name veth-blue netns blue');
	await expect(cable).toHaveAttribute('data-state', 'down');
	await host.type('ip netns del red; ip netns del blue');
	await expect(page.locator('.namespace')).toHaveCount(0);
	await page.getByTestId('undo').click(); // what was typed can be taken back, too
	await expect(page.getByTestId('node-blue')).toBeVisible();
});

test('a namespace that only a process holds is shown, and is not saved', async ({ home }) => {
	const page = await newLab(home);
	const host = await openTerminal(page, 'host');
	await host.type('unshare -n sleep 1000 &');
	const held = page.locator('.namespace.is-unsaved');
	await expect(held).toContainText('held by');
	await host.type('kill %1');
	await expect(held).toHaveCount(0);
});

test('the server is killed and started again: the page, the terminal and its shell go on', async ({ home, server }) => {
	const page = await newLab(home);
	const host = await openTerminal(page, 'host');
	await host.type('ip netns add red; BEFORE=$$');
	await expect(page.getByTestId('node-red')).toBeVisible();
	await page.evaluate(() => Object.assign(window, { same: 'page' }));
	await server.kill('SIGKILL');
	await expect(page.getByTestId('banner')).toHaveText('Reconnecting. Your lab goes on.');
	await page.getByTestId('canvas').press('n');
	await page.getByTestId('quick-add-input').fill('ns green');
	await page.getByTestId('quick-add-input').press('Enter');
	await expect(page.getByTestId('banner')).toHaveText('Reconnecting. Your lab goes on. 1 change waits.');
	await expect(page.getByTestId('node-green')).toContainText('sending');
	await server.start();
	await expect(page.getByText('reattached, nothing lost')).toBeVisible();
	await expect(page.getByTestId('banner')).toHaveCount(0);
	await expect(page.getByTestId('node-green')).not.toHaveClass(/is-pending/);
	await host.type('[ $BEFORE = $$ ] && echo the same shell; ip netns | xargs', /the same shell.*green red/);
	await host.type('ip netns add blue');
	await expect(page.getByTestId('node-blue')).toBeVisible();
	expect(await page.evaluate(() => (window as unknown as { same?: string }).same)).toBe('page');
});

test('copying, pasting and searching, also where the browser has no clipboard to give', async ({ home }) => {
	// Workshops are on plain http, where navigator.clipboard is not there.
	await home.addInitScript(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
	await home.reload();
	const page = await newLab(home);
	const host = await openTerminal(page, 'host');
	const pane = page.getByTestId('terminal-host');

	// Ctrl+C copies what is selected and lets go of it; again, it interrupts.
	await host.type('clear; echo some-word; sleep 1000');
	await expect(host.screen).toContainText(/some-word *$/);
	await pane.locator('.xterm-screen').dblclick({ position: { x: 20, y: 8 } }); // the word in the first line
	await expect(pane.locator('.xterm-selection > div')).not.toHaveCount(0);
	await page.keyboard.press('Control+c');
	await expect(pane.locator('.xterm-selection > div')).toHaveCount(0);
	await expect(host.screen).not.toContainText('^C');
	await page.keyboard.press('Control+c');
	await expect(host.screen).toContainText(/\^C.*# *$/);
	await host.type('echo go; cat', /cat *go/); // its line is its own from here on
	await page.keyboard.press('Control+v');
	await expect(host.screen).toContainText(/go *some-word/);
	await page.keyboard.press('Enter');
	await expect(host.screen).toContainText(/go *some-word *some-word/);

	// Several lines for a program that runs each at once are shown first; under bracketed paste they are not.
	await paste(page, 'one\ntwo\n');
	const preview = page.getByTestId('paste-preview');
	await expect(preview).toContainText('2 lines');
	await preview.getByRole('button', { name: 'Line by line' }).click();
	await expect(preview).toContainText('1 line');
	await expectAccessible(page, 'with the preview');
	await preview.getByRole('button', { name: 'Paste', exact: true }).click();
	await expect(preview).toHaveCount(0);
	await expect(host.screen).toContainText(/one *one *two *two/);
	await page.keyboard.press('Control+d');
	await host.type("bind 'set enable-bracketed-paste on'; clear; echo ready", /ready.*# *$/);
	await paste(page, 'echo three\necho four\n');
	await expect(preview).toHaveCount(0);
	await page.keyboard.press('Control+c');

	await page.keyboard.press('Control+f');
	const search = page.getByRole('textbox', { name: 'Search in the terminal' });
	await search.fill('ready');
	await expect(page.getByText('not found')).toHaveCount(0);
	await search.fill('never printed');
	await expect(page.getByText('not found')).toBeVisible();
	await search.press('Escape');

	// An ended shell says so, and Enter opens a new one.
	await host.type('exit 3', 'the shell ended with status 3. Enter opens a new shell.');
	await page.keyboard.press('Enter');
	await expect(host.screen).toContainText(/new shell.\].*# *$/);
	await page.reload(); // the tabs come back, with their shells
	await expect(host.screen).toContainText(/# *$/);
});

/** As the browser's own menu pastes. */
async function paste(page: Page, text: string): Promise<void> {
	await page.evaluate((pasted) => {
		const clipboardData = new DataTransfer();
		clipboardData.setData('text', pasted);
		const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
		document.activeElement?.dispatchEvent(event);
	}, text);
}

test('stopping ends the lab, starting makes it again as it was drawn', async ({ home }) => {
	await home.getByTestId('example-red-and-blue').click();
	const page = home;
	await expect(page.getByTestId('lab-state')).toContainText('running');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'up');
	const blue = await openTerminal(page, 'blue');
	await page.getByTestId('stop').click();
	await expect(page.getByTestId('lab-state')).toContainText('stopped');
	await expect(blue.screen).toContainText('Enter opens a new shell.');
	await expectAccessible(page);
	await page.getByTestId('canvas').press('n');
	await page.getByTestId('quick-add-input').fill('ns green');
	await page.getByTestId('quick-add-input').press('Enter'); // a stopped lab is a drawing, and can be changed
	await page.getByTestId('start').click();
	await expect(page.getByTestId('lab-state')).toContainText('running');
	await expect(page.getByTestId('node-green')).toBeVisible();
	await blue.type('ping -c 1 -W 2 192.168.15.1', '1 received'); // its new shell came by itself
});
