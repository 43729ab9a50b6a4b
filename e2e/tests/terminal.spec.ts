import { expect, expectAccessible, newLab, openTerminal, test } from './vethlab';

test('typed in a terminal: two namespaces, a cable, addresses, a ping, and its packets', async ({ home }) => {
	const page = await newLab(home);
	const host = await openTerminal(page, 'host');

	await host.type('ip netns add red');
	await expect(page.getByTestId('node-red')).toBeVisible();
	await host.type('ip netns add blue');
	await expect(page.getByTestId('node-blue')).toBeVisible();
	await expect(page.getByTestId('node-red')).toContainText('>_'); // changed in a terminal

	await host.type('ip link add veth-red type veth peer name veth-blue');
	await expect(page.getByTestId('jack-host-veth-red')).toBeVisible();
	await host.type('ip link set veth-red netns red; ip link set veth-blue netns blue');
	await expect(page.getByTestId('jack-red-veth-red')).toBeVisible();
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'down');
	await host.type('ip -n red addr add 192.168.15.1/24 dev veth-red; ip -n blue addr add 192.168.15.2/24 dev veth-blue');
	await expect(page.getByTestId('jack-red-veth-red')).toContainText('192.168.15.1/24');
	await host.type('ip -n red link set veth-red up');
	await expect(page.getByTestId('jack-red-veth-red')).toHaveAttribute('data-state', 'no carrier');
	await host.type('ip -n blue link set veth-blue up');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'up');

	await host.type('ip netns exec red ping -c 2 -i 0.2 192.168.15.2', '2 received, 0% packet loss');
	await page.getByTestId('dock-packets').click();
	const frames = page.getByTestId('frame-row');
	await expect(frames.filter({ hasText: 'Who has 192.168.15.2? Tell 192.168.15.1' }).first()).toBeVisible();
	await page.getByTestId('frame-filter').fill('icmp');
	await expect(frames.filter({ hasText: 'ICMP' })).toHaveCount(4);
	await frames.first().click();
	await expect(page.getByTestId('frame-details')).toBeVisible();
	await expectAccessible(page);

	await page.getByTestId('dock-terminals').click();
	await host.type('ip link del dev veth-red 2>/dev/null; ip -n red link del veth-red');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveCount(0);
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
	await host.type('ip netns add red; ANSWER=42');
	await expect(page.getByTestId('node-red')).toBeVisible();
	await server.kill('SIGKILL');
	await expect(page.getByTestId('banner')).toBeVisible();
	await server.start();
	await expect(page.getByTestId('banner')).toHaveCount(0);
	await host.type('echo the answer is $ANSWER', 'the answer is 42');
	await host.type('ip netns add blue');
	await expect(page.getByTestId('node-blue')).toBeVisible();
});

test('stopping ends the lab, starting makes it again as it was drawn', async ({ home }) => {
	await home.getByTestId('example-red-and-blue').click();
	const page = home;
	await expect(page.getByTestId('lab-state')).toContainText('running');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'up');
	await page.getByTestId('stop').click();
	await expect(page.getByTestId('lab-state')).toContainText('stopped');
	await expectAccessible(page);
	await page.getByTestId('start').click();
	await expect(page.getByTestId('lab-state')).toContainText('running');
	const red = await openTerminal(page, 'red');
	await red.type('ping -c 1 -W 2 192.168.15.2', '1 received');
});
