// One history for hands and terminals, and everyone's own changes in it.
import { expect, expectAccessible, newLab, openTerminal, quickAdd, test } from './vethlab';

test('what is typed is drawn at once, marked, and taken back by Ctrl+Z', async ({ home }) => {
	const page = await newLab(home);
	const host = await openTerminal(page, 'host');

	// From the key to the picture, in the page's own time.
	await page.evaluate(() => {
		const times: number[] = [];
		Object.assign(window, { times });
		let pressed = 0;
		const note = (e: KeyboardEvent) => {
			if (e.key === 'Enter') pressed = performance.now();
		};
		addEventListener('keydown', note, true);
		new MutationObserver(() => {
			const marks = document.querySelectorAll('[data-testid^="node-br"] .mark-terminal').length;
			if (marks > times.length) times.push(performance.now() - pressed);
		}).observe(document.body, { childList: true, subtree: true });
	});
	for (const name of ['br7', 'br8', 'br9']) {
		await host.type(`ip link add ${name} type bridge`);
		await expect(page.getByTestId(`node-${name}`).locator('.mark-terminal')).toHaveText('>_');
		await page.waitForTimeout(350); // what happens in a namespace within 300 ms is one entry of the history
	}
	const times = await page.evaluate(() => (window as unknown as { times: number[] }).times);
	expect(times).toHaveLength(3);
	expect(Math.min(...times), 'ms from Enter to the drawing').toBeLessThan(100);
	expect(Math.max(...times), 'ms, on a busy machine').toBeLessThan(1000);

	await page.getByTestId('canvas').press('Control+z');
	await expect(page.getByTestId('toast')).toContainText(/Undid ip link add .*br9.* by ip link del .*br9/);
	await expect(page.getByTestId('node-br9')).toHaveCount(0);
	await host.type('echo "left: $(ip -br link | grep -o br[0-9] | xargs)."', 'left: br7 br8.');

	// Looked at, the marks go.
	await page.getByTestId('node-host').locator('.node-name').click();
	await expect(page.locator('.mark-terminal')).toHaveCount(0);
});

test('undo takes back one’s own, and all of it brings the document back byte by byte', async ({
	home,
	ben,
	server,
}) => {
	const page = await newLab(home);
	await ben.goto(page.url());
	await expect(ben.getByTestId('lab-state')).toContainText('running');
	const empty = await server.document(page);

	await quickAdd(page, 'ns red blue');
	await quickAdd(page, 'red 10.0.0.1/24 -- blue 10.0.0.2/24');
	await expect(ben.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'up');
	await quickAdd(ben, 'ns green');
	await expect(page.getByTestId('node-green')).toBeVisible();

	// Hers is the cable, though his is newer; she has nothing to do with green.
	await page.getByTestId('canvas').press('Control+z');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveCount(0);
	await expect(page.getByTestId('node-green')).toBeVisible();
	await page.getByTestId('canvas').press('Control+Shift+z');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'up');
	await ben.getByTestId('canvas').press('Control+z');
	await expect(page.getByTestId('node-green')).toHaveCount(0);
	await expect(page.getByTestId('node-red')).toBeVisible();

	await page.getByTestId('node-red').locator('.node-name').click();
	await page
		.getByTestId('interface-red-veth-red')
		.getByRole('button', { name: /take it down/ })
		.click();
	await expect(page.getByTestId('jack-red-veth-red')).toHaveAttribute('data-state', 'down');
	await page.getByTestId('canvas').press('m');
	await page.keyboard.press('Shift+ArrowDown');
	await page.keyboard.press('Enter');
	await expect(page.locator('.is-pending')).toHaveCount(0);
	const full = await server.document(page);

	const undo = page.getByTestId('undo');
	await page.getByTestId('dock-history').click();
	await expect(page.getByTestId('history-row').filter({ hasText: /^\d+.*canvas.*you/ })).toHaveCount(4);
	for (let n = 0; n < 4; n++) {
		await undo.click();
		await expect(page.getByTestId('history-row').filter({ hasText: 'undone' })).toHaveCount(n + 2); // Ben's is one
	}
	expect(await server.document(page)).toBe(empty);
	for (let n = 0; n < 4; n++) {
		await page.getByTestId('redo').click();
		await expect(page.getByTestId('history-row').filter({ hasText: 'undone' })).toHaveCount(4 - n);
	}
	expect(await server.document(page)).toBe(full);
});

test('what one types is told of, and not thrown away silently, where another deletes what it is about', async ({
	home,
	ben,
}) => {
	const page = await newLab(home);
	await quickAdd(page, 'ns red green');
	await ben.goto(page.url());
	await page.getByTestId('node-green').locator('.node-name').click();
	await page.getByTestId('canvas').press('F2');
	await page.getByTestId('rename-input').fill('red');
	await page.getByTestId('rename-input').press('Enter');
	// The refusal can be read: nothing is drawn over it.
	const refusal = page.getByRole('alert').filter({ hasText: 'host already has a namespace red' });
	await refusal.click({ trial: true });
	await page.getByTestId('rename-input').fill('verde');

	await ben.getByTestId('node-green').locator('.node-name').click();
	await ben.getByTestId('canvas').press('Delete');
	await expect(page.getByTestId('toast')).toContainText(
		'New name of green: verde was not applied, because “Delete green',
	);

	await page.getByRole('button', { name: 'Dismiss' }).click();
	await page.getByTestId('node-red').locator('.node-name').click();
	await page.getByTestId('add-route').click();
	await page.getByTestId('add-route-input').fill('default via 10.0.0.1');
	const host = await openTerminal(ben, 'host');
	await host.type('ip netns del red');
	await expect(page.getByTestId('toast')).toContainText('New route of red: default via 10.0.0.1 was not applied');
});

test('a revision is drawn over the lab while one looks at it, and restored by keys', async ({ home }) => {
	const page = await newLab(home);
	await quickAdd(page, 'ns red blue');
	await quickAdd(page, 'red 10.0.0.1/24 -- blue 10.0.0.2/24');
	await page.keyboard.press('Escape');
	await page.getByTestId('node-red').locator('.node-name').click();
	await page.getByTestId('canvas').press('Delete');
	await expect(page.getByTestId('node-red')).toHaveCount(0);
	await quickAdd(page, 'ns green');

	await page.getByTestId('dock-history').click();
	const [first, before] = [page.getByTestId('restore-0'), page.getByTestId('history-row').filter({ hasText: 'Cable' })];
	await before.hover();
	await expect(page.getByTestId('ghost-red')).toHaveAttribute('data-does', 'add');
	await expect(page.getByTestId('ghost-green')).toHaveAttribute('data-does', 'remove');
	await expect(page.getByTestId('ghost-cable')).toHaveAttribute('data-does', 'add');
	await expect(page.getByTestId('ghosts')).toContainText('10.0.0.1/24');
	await expect(page.getByTestId('history-preview')).toContainText('namespace red');
	await expectAccessible(page);
	await page.getByTestId('canvas').hover();
	await expect(page.getByTestId('ghosts')).toHaveCount(0);

	await before.getByRole('button').focus();
	await expect(page.getByTestId('ghost-red')).toBeVisible();
	await page.keyboard.press('Enter');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'up');
	await expect(page.getByTestId('node-green')).toHaveCount(0);
	await expect(page.getByTestId('ghosts').locator('.ghost')).toHaveCount(0); // it is the lab now
	await first.focus();
	await expect(page.getByTestId('ghost-red')).toHaveAttribute('data-does', 'remove');
	await page.getByTestId('dock-commands').click();
	await expect(page.getByTestId('ghosts')).toHaveCount(0);
});
