// Without a mouse, and with a screen reader.
import type { Page } from '@playwright/test';
import { expect, expectAccessible, expectContrast, newLab, openTerminal, quickAdd, test } from './vethlab';

test('two namespaces, a cable and a ping by keys alone', async ({ home }) => {
	const page = await newLab(home);
	const canvas = page.getByTestId('canvas');
	const keys = page.keyboard;
	await expect(canvas).toBeFocused(); // a new lab begins on the canvas, at its machine
	await expect(canvas).toHaveAttribute('aria-activedescendant', /.+/);

	await keys.press('n');
	await keys.type('ns red blue');
	await keys.press('Enter');
	await expect(page.getByTestId('node-blue')).not.toHaveClass(/is-pending/);
	await keys.press('c'); // from red, which has the focus
	await keys.type('blx');
	await keys.press('Backspace');
	await expect(page.locator('.pointer-note')).toHaveText('bl');
	await keys.press('Escape');
	await expect(page.locator('.namespace')).toHaveCount(2); // letters and Backspace were the cable's alone
	await keys.press('c');
	await keys.press('ArrowRight');
	await expect(page.getByTestId('node-blue')).toHaveClass(/is-target/);
	await keys.press('Enter');
	await expect(page.getByTestId('card-name-a')).toBeFocused();
	await keys.press('Escape');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'up');

	await keys.press('ArrowLeft');
	await expect(page.getByTestId('node-red')).toHaveClass(/is-focused/);
	await keys.press('j');
	await expect(page.getByTestId('jack-red-veth-red')).toHaveClass(/is-focused/);
	await keys.press('e');
	await expect(page.getByTestId('jack-blue-veth-blue')).toHaveClass(/is-focused/);
	await keys.press('u');
	await expect(page.getByTestId('jack-blue-veth-blue')).toHaveAttribute('data-state', 'down');
	await keys.press('u');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'up');

	await keys.press('Shift+ArrowUp');
	await keys.press('F2');
	await expect(page.getByTestId('rename-input')).toBeFocused();
	await keys.type('ns-blue');
	await keys.press('Enter');
	await expect(page.getByTestId('node-ns-blue')).toBeVisible();
	await keys.press('t');
	const screen = page.getByTestId('terminal-ns-blue').locator('.xterm-rows');
	await expect(screen).toContainText(/# *$/);
	await keys.type('ping -c1 192.168.15.1\n');
	await expect(screen).toContainText('1 received');
	await keys.press('Control+`');
	await expect(canvas).toBeFocused();

	// The outline is the same lab, with the same keys.
	await keys.press('o');
	const tree = page.getByRole('tree');
	await expect(tree.getByRole('treeitem', { name: 'ns-blue namespace' })).toBeFocused();
	await expectAccessible(page, 'with the outline');
	await keys.press('ArrowRight');
	await expect(tree.getByRole('treeitem', { name: /^veth-blue/ })).toBeFocused();
	await keys.press('Delete');
	await expect(page.locator('.cable')).toHaveCount(0);
	await keys.press('o');
	await expect(canvas).toBeFocused();
});

test('the canvas is one tab stop however much is on it, and what has the focus is in view', async ({ home }) => {
	const page = await newLab(home);
	await quickAdd(page, `ns ${Array.from({ length: 60 }, (_, at) => `n${at}`).join(' ')}`);
	const canvas = page.getByTestId('canvas');
	await canvas.focus();
	await page.keyboard.press('0'); // 100 %: most of it is not in view
	for (const key of [
		'ArrowDown',
		'ArrowDown',
		'ArrowDown',
		'ArrowDown',
		'ArrowRight',
		'ArrowRight',
		'ArrowRight',
		'ArrowRight',
	]) {
		await page.keyboard.press(key);
		expect(
			await page.evaluate(() => {
				const pane = document.getElementById('canvas');
				const active = document.getElementById(pane?.getAttribute('aria-activedescendant') ?? '');
				const [a, p] = [active?.getBoundingClientRect(), pane?.getBoundingClientRect()];
				return a && p && a.left >= p.left && a.right <= p.right && a.top >= p.top && a.bottom <= p.bottom;
			}),
			`after ${key}`,
		).toBe(true);
	}
	await page.keyboard.press('Tab');
	await expect(page.locator('#canvas *:focus')).toHaveCount(0);
	await expect(canvas).not.toBeFocused();
	await page.keyboard.press('Shift+Tab');
	await expect(canvas).toBeFocused();
	await page.keyboard.press('Shift+Tab');
	await expect(page.locator('#tools :focus')).toHaveCount(1);
});

/** The example, running, with a terminal and some packets. */
async function exampleWithAPing(page: Page): Promise<void> {
	await page.getByTestId('example-red-and-blue').click();
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'up');
	await openTerminal(page, 'red');
	await page.getByTestId('dock-probes').click();
	await page.getByTestId('probe-from').selectOption('red');
	await page.getByTestId('probe-to').fill('192.168.15.2');
	await page.getByTestId('ping').click();
	await expect(page.getByTestId('probe-summary')).toContainText('3 received');
}

test('axe finds nothing in any tab of the dock, light and dark', async ({ home }) => {
	test.slow(); // axe takes seconds each time
	await exampleWithAPing(home);
	for (const tab of ['terminals', 'packets', 'commands', 'probes', 'history', 'notes']) {
		await home.getByTestId(`dock-${tab}`).click();
		await home.emulateMedia({ colorScheme: 'light' });
		await expectAccessible(home, `${tab}, light`);
		await home.emulateMedia({ colorScheme: 'dark' });
		await expectContrast(home, `${tab}, dark`);
	}
});

test('axe finds nothing in what opens over the lab', async ({ home }) => {
	await exampleWithAPing(home);
	const canvas = home.getByTestId('canvas');
	await canvas.press('?');
	await expectAccessible(home, 'all keys');
	await home.keyboard.press('Escape');
	await canvas.press('n');
	await expectAccessible(home, 'quick add');
	await home.keyboard.press('Escape');
	await home.getByTestId('cable-veth-red-veth-blue').locator('.cable-hit').dblclick({ force: true });
	await expect(home.getByTestId('cable-card')).toBeVisible();
	await expectAccessible(home, 'a cable’s card');
});
