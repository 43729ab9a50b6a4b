// The picture that container networking is taught with, built by hand on the canvas.
import type { Page } from '@playwright/test';
import {
	drag,
	expect,
	expectAccessible,
	middleOf,
	newLab,
	openTerminal,
	ping,
	quickAdd,
	select,
	test,
} from './vethlab';

/** Drags a cable from the edge of one box to the middle of another, and sees both ends up. */
async function cable(page: Page, edge: string, to: string, name: string): Promise<void> {
	const from = await page.getByTestId(edge).boundingBox();
	if (!from) throw new Error(`${edge} is not on the screen`);
	const start = { x: from.x + from.width / 3, y: from.y + from.height / 2 };
	await drag(page, start, await middleOf(page.getByTestId(to)));
	await expect(page.getByTestId('cable-card')).toBeVisible();
	await page.keyboard.press('Escape');
	await expect(page.getByTestId(name)).toHaveAttribute('data-state', 'up');
}

/** Fills a line of the inspector, and sees it taken. */
async function line(page: Page, testid: string, text: string): Promise<void> {
	await page.getByTestId(testid).click();
	await page.getByTestId(`${testid}-input`).fill(text);
	await page.getByTestId(`${testid}-input`).press('Enter');
	await expect(page.getByTestId(`${testid}-input`)).toHaveCount(0);
}

const subjects = ['red', 'blue', 'green', 'orange'] as const;

test('four namespaces on a bridge, their host, a neighbour, NAT on the way out and in, and an internet', async ({
	home,
	server,
}) => {
	test.setTimeout(240_000);
	const page = await newLab(home);

	// Namespaces on a bridge, and host joined to them.
	await quickAdd(page, `ns ${subjects.join(' ')}`);
	await quickAdd(page, 'br v-net-0');
	await page.keyboard.press('Escape');
	for (const [at, name] of subjects.entries()) {
		await cable(page, `edge-${name}-bottom`, 'node-v-net-0', `cable-veth-${name}-veth-${name}-br`);
		await expect(page.getByTestId(`jack-${name}-veth-${name}`)).toContainText(`192.168.15.${at + 1}/24`);
	}
	await ping(page, 'red', '192.168.15.4', '1 received');
	await ping(page, 'host', '192.168.15.1', '0 received');
	await expect(page.getByTestId('probe-summary').filter({ hasText: '0 received' })).toHaveClass(/field-problem/);
	await page.getByTestId('node-v-net-0').locator('.node-name').click();
	await line(page, 'add-address-v-net-0', '192.168.15.5/24');
	await ping(page, 'host', '192.168.15.1', '1 received');

	// A LAN with an internet, host and a neighbour.
	await quickAdd(page, 'lan office');
	await quickAdd(page, 'internet');
	await quickAdd(page, 'machine neighbour');
	await page.keyboard.press('Escape');
	await page.keyboard.press('Shift+1');
	await cable(page, 'edge-internet-left', 'node-office', 'cable-eth0-port1');
	await cable(page, 'edge-host-bottom', 'node-office', 'cable-eth0-port2');
	await cable(page, 'edge-neighbour-bottom', 'node-office', 'cable-eth0-port3');
	await expect(page.getByTestId('jack-host-eth0')).toContainText('192.168.1.2/24');
	await expect(page.getByTestId('jack-neighbour-eth0')).toContainText('192.168.1.3/24');

	// Routes: out of the bridge through host, out of the office through the internet's edge.
	await select(page, 'red');
	await line(page, 'add-route', 'default via 192.168.15.5');
	for (const name of subjects.slice(1)) await quickAdd(page, `route ${name} default via 192.168.15.5`);
	await quickAdd(page, 'route host default via 192.168.1.1');
	await quickAdd(page, 'route neighbour default via 192.168.1.1');
	await page.keyboard.press('Escape');
	await ping(page, 'red', '192.168.1.2', '1 received'); // it is host's, too
	await ping(page, 'red', '192.168.1.3', '0 received');
	await select(page, 'host');
	await page.getByTestId('router-switch').click();
	await ping(page, 'red', '192.168.1.3', '0 received'); // it arrives; the answer goes to the internet

	// NAT on the way out.
	await page.getByTestId('firewall-fold').click();
	await line(page, 'add-rule', '-t nat -A POSTROUTING -s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE');
	for (const name of subjects) await ping(page, name, '192.168.1.3', '1 received');
	await ping(page, 'blue', '8.8.8.8', '1 received');
	await page.getByTestId('firewall-fold').click(); // so that the neighbour is in view again
	await select(page, 'neighbour');
	await line(page, 'add-service', 'http 80');
	const red = await openTerminal(page, 'red');
	await red.type('curl -sS -m5 192.168.1.3', /This is neighbour\..*You are 192\.168\.1\.2, port/s);
	await red.type('clear; curl -sS -m5 http://example.com', /This is example\.com\..*You are 192\.168\.1\.2, port/s);

	// And on the way in: the caller keeps its address, and calls another than it thinks.
	await select(page, 'blue');
	await line(page, 'add-service', 'http 80');
	const neighbour = await openTerminal(page, 'neighbour');
	await neighbour.type('curl -sS -m5 192.168.1.2:8080', 'Failed to connect');
	await select(page, 'host');
	await page.getByTestId('firewall-fold').click();
	await line(
		page,
		'add-rule',
		'-t nat -A PREROUTING -d 192.168.1.2 -p tcp --dport 8080 -j DNAT --to-destination 192.168.15.2:80',
	);
	await neighbour.type(
		'clear; curl -sS -m5 192.168.1.2:8080',
		/This is blue\..*You are 192\.168\.1\.3, port.*You called 192\.168\.15\.2:80/s,
	);
	await expect(page.getByTestId('rule-nat-PREROUTING-1').getByTestId('packets')).toHaveText(/^1 /);
	const flow = page.getByTestId('flow').filter({ hasText: '192.168.1.2:8080' });
	await expect(flow.locator('del')).toHaveText('192.168.1.2:8080');
	await expect(flow.locator('ins')).toHaveText('192.168.15.2:80');
	await expectAccessible(page);

	// All of it is in the file, in the words that were typed.
	const file = await server.document(page);
	for (const text of [
		'-t nat -A POSTROUTING -s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE',
		'-t nat -A PREROUTING -d 192.168.1.2 -p tcp --dport 8080 -j DNAT --to-destination 192.168.15.2:80',
		'net.ipv4.ip_forward: 1',
		'default via 192.168.15.5',
		'http 80',
	]) {
		expect(file).toContain(text);
	}
});
