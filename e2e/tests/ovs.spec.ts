import { expect, expectAccessible, newLab, openTerminal, quickAdd, test } from './vethlab';

test('an OVS bridge is drawn, tags keep apart, and what is typed and learnt is seen', async ({ home }) => {
	const page = await newLab(home);
	await quickAdd(page, 'ns red blue');
	await page.getByTestId('palette-ovs').click();
	const rename = page.getByTestId('rename-input');
	await expect(rename).toBeFocused();
	await rename.press('Enter');
	const bridge = page.getByTestId('node-br0');
	await expect(bridge).toContainText('OVS');
	await expect(bridge).not.toHaveClass(/is-pending/);
	await quickAdd(page, 'red blue -- br0');
	await expect(page.locator('.is-pending')).toHaveCount(0);

	const red = await openTerminal(page, 'red');
	await red.type('ping -c1 -W3 192.168.15.2', ' 0% packet loss');

	await bridge.locator('.node-name').click();
	await expect(page.getByTestId('switch-flows')).toContainText('actions=NORMAL');
	await expect(page.getByTestId('fdb-row').filter({ hasText: 'veth-red-br' })).toHaveCount(1);
	await expectAccessible(page);

	await page.getByTestId('ports').getByRole('button', { name: 'veth-red-br' }).click();
	await page.getByTestId('tag-veth-red-br').click();
	const tag = page.getByRole('textbox', { name: 'tag of veth-red-br' });
	await tag.fill('4095');
	await expect(page.getByTestId('inspector')).toContainText('0 to 4094');
	await tag.fill('10');
	await expect(page.getByTestId('inspector')).toContainText('ovs-vsctl set port veth-red-br tag=10');
	await tag.press('Enter');
	await expect(page.getByTestId('tag-veth-red-br')).toHaveText('10');
	await red.type('ping -c1 -W1 192.168.15.2', '100% packet loss');

	const host = await openTerminal(page, 'host');
	await host.type('ovs-vsctl set port veth-red-br tag=20');
	await bridge.locator('.node-name').click();
	await expect(page.getByTestId('ports')).toContainText('tag 20');
	await host.type('ovs-vsctl del-br br0');
	await expect(bridge).toHaveCount(0);
});
