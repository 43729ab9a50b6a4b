import { drawCable, expect, expectAccessible, labOf, middleOf, newLab, openTerminal, quickAdd, test } from './vethlab';

test('drawn on the canvas: two namespaces, a cable, addresses, a ping, and its packets', async ({ home }) => {
	const page = await newLab(home);
	// Its panels scroll; the page has no way to.
	expect(await page.evaluate(() => document.documentElement.scrollHeight - window.innerHeight)).toBe(0);

	for (const name of ['red', 'blue']) {
		await page.getByTestId('palette-namespace').click();
		const rename = page.getByTestId('rename-input');
		await expect(rename).toBeFocused();
		await rename.fill(name);
		await rename.press('Enter');
		await expect(page.getByTestId(`node-${name}`)).not.toHaveClass(/is-pending/);
	}

	// A name that the kernel refuses is refused here, in its words, before anything is sent.
	await page.getByTestId('palette-namespace').click();
	await page.getByTestId('rename-input').fill('a/b');
	await expect(page.getByText(/contains a slash/)).toBeVisible();
	await page.getByTestId('rename-input').press('Escape');
	await page.keyboard.press('Delete');
	await expect(page.locator('.namespace')).toHaveCount(2);

	const card = await drawCable(page, 'red', 'right', await middleOf(page.getByTestId('node-blue')));
	await card.getByTestId('card-name-a').fill('veth-red');
	await card.getByTestId('card-address-a').fill('192.168.15.1/24');
	await card.getByTestId('card-name-b').fill('veth-blue');
	await card.getByTestId('card-address-b').fill('192.168.15.2/24');
	await card.getByTestId('card-address-b').press('Enter');
	await page.keyboard.press('Escape');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'up');
	await expect(page.getByTestId('jack-red-veth-red')).toContainText('192.168.15.1/24');

	await page.getByTestId('dock-probes').click();
	await page.getByTestId('probe-from').selectOption('red');
	await page.getByTestId('probe-to').fill('192.168.15.2');
	await page.getByTestId('ping').click();
	await expect(page.getByTestId('probe-event').first()).toContainText(
		/seq 1: from 192\.168\.15\.2 ttl 64 time [\d.]+ ms/,
	);
	await expect(page.getByTestId('probe-summary')).toContainText('3 packets transmitted, 3 received');

	await page.getByTestId('dock-packets').click();
	const frames = page.getByTestId('frame-row');
	await page.getByTestId('frame-filter').fill('arp'); // else later frames push these out of sight
	await expect(frames.filter({ hasText: 'Who has 192.168.15.2? Tell 192.168.15.1' }).first()).toBeVisible();
	await expect(frames.filter({ hasText: /192\.168\.15\.2 is at/ }).first()).toBeVisible();
	await page.getByTestId('frame-filter').fill('icmp');
	await expect(frames.filter({ hasText: 'ICMP' })).toHaveCount(6); // three requests, three replies, each crossing once

	await page.getByTestId('node-red').locator('.node-name').click();
	await expect(page.getByTestId('inspector').getByTestId('neighbour-row')).toContainText('192.168.15.2');
	await expect(page.getByTestId('inspector').getByTestId('routes')).toContainText('192.168.15.0/24');
	await expectAccessible(page);

	// The kernel has what was drawn, and a terminal says so.
	const red = await openTerminal(page, 'red');
	await red.type('ip -br addr show veth-red', /veth-red@\S+\s+UP\s+192\.168\.15\.1\/24/);
});

test('undo takes the drawing back in the kernel too, and redo brings it again', async ({ home }) => {
	const page = await newLab(home);
	await quickAdd(page, 'ns red blue');
	const host = await openTerminal(page, 'host');
	await host.type('ip netns | sort | xargs echo have:', /have: blue.* red/);
	await page.getByTestId('undo').click();
	await expect(page.getByTestId('node-red')).toHaveCount(0);
	await host.type('clear; ip netns | wc -l', /^0/m);
	await page.getByTestId('redo').click();
	await expect(page.getByTestId('node-red')).toBeVisible();
	await host.type('clear; ip netns | sort | xargs echo again:', /again: blue.* red/);
});

test('the commands of what was drawn run as they stand in the terminal', async ({ home }) => {
	const page = await newLab(home);
	await quickAdd(page, 'ns red');
	await page.getByTestId('dock-commands').click();
	const line = page.getByTestId('command-line').filter({ hasText: 'ip netns add red' });
	await expect(line.first()).toBeVisible();
	await page.getByTestId('undo').click();
	await expect(page.getByTestId('node-red')).toHaveCount(0);
	await page.getByTestId('dock-terminals').click();
	const host = await openTerminal(page, 'host');
	await host.type('ip netns add red');
	await expect(page.getByTestId('node-red')).toBeVisible();
});

test('a lab of 200 namespaces on a bridge is seen whole, and works as a small one does', async ({ home, server }) => {
	const numbers = Array.from({ length: 200 }, (_, n) => n);
	const page = await labOf(
		server,
		home,
		[
			'vethlab: 1',
			'name: Many',
			'quiet: true',
			'nodes:',
			'  - {name: host, kind: machine}',
			...numbers.map((n) => `  - {name: n${n}, kind: namespace, in: host}`),
			'  - {name: br0, kind: bridge, in: host, addresses: [10.0.0.1/16]}',
			'cables:',
			...numbers.map((n) => `  - [n${n}:eth0 10.0.1.${n + 1}/16, br0:h${n}]`),
		].join('\n'),
	);
	const machine = await page.getByTestId('node-host').boundingBox();
	expect(machine?.width).toBeGreaterThan(300);
	expect((machine?.width ?? 0) / (machine?.height ?? 1)).toBeLessThan(3);
	await page.getByTestId('node-n150').click();
	await expect(page.getByTestId('inspector')).toContainText('n150');
	await expect(page.getByTestId('canvas')).toHaveClass(/is-far/);
	await page.getByTestId('canvas').press('F2');
	expect((await page.getByTestId('rename-input').boundingBox())?.height).toBeGreaterThanOrEqual(24); // at any zoom
	await page.getByTestId('rename-input').press('Escape');
	await page.keyboard.press('ControlOrMeta+k');
	await page.keyboard.type('10.0.1.33');
	await page.keyboard.press('Enter');
	await expect(page.getByTestId('inspector')).toContainText('n32');
	await expect(page.getByTestId('canvas')).not.toHaveClass(/is-far/); // what is found is large enough to be seen
	await expect(page.getByTestId('jack-n32-eth0')).toBeInViewport();
	await quickAdd(page, 'ns extra in host');
	await expect(page.getByTestId('node-extra')).not.toHaveClass(/is-pending/);
	await page.keyboard.press('ControlOrMeta+k');
	await page.keyboard.type('layout');
	await page.keyboard.press('Enter');
	await expect(page.getByTestId('node-n199')).toBeInViewport();
	await expect(page.getByTestId('node-n0')).toBeInViewport();
});
