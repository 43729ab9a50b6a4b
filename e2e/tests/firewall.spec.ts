import type { Page } from '@playwright/test';
import { expect, expectAccessible, labOf, openTerminal, ping, select, test } from './vethlab';

test.describe.configure({ timeout: 180_000 }); // pings that get no answer take their time

const natted = (iptables: string[] = []) => `
vethlab: 1
name: NAT to be drawn
nodes:
  - name: host
    kind: machine
    sysctls: {net.ipv4.ip_forward: 1}
    iptables: ${JSON.stringify(iptables)}
  - {name: red, kind: namespace, in: host, routes: [default via 192.168.15.5]}
  - {name: blue, kind: namespace, in: host, routes: [default via 192.168.15.5]}
  - {name: v-net-0, kind: bridge, in: host, addresses: [192.168.15.5/24]}
  - {name: office, kind: lan}
  - {name: neighbour, kind: machine}
cables:
  - [red:veth-red 192.168.15.1/24, v-net-0:veth-red-br]
  - [blue:veth-blue 192.168.15.2/24, v-net-0:veth-blue-br]
  - [host:eth0 192.168.1.2/24, office]
  - [neighbour:eth0 192.168.1.3/24, office]
`;
const masquerade = '-t nat -A POSTROUTING -s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE';

async function openFirewall(page: Page, node: string): Promise<void> {
	await select(page, node);
	const fold = page.getByTestId('firewall-fold');
	if ((await fold.getAttribute('aria-expanded')) === 'false') await fold.click();
	await expect(page.getByTestId('rules')).toBeVisible();
}

async function addRule(page: Page, line: string): Promise<void> {
	await page.getByTestId('add-rule').click();
	await page.getByTestId('add-rule-input').fill(line);
	await page.getByTestId('add-rule-input').press('Enter');
	await expect(page.getByTestId('add-rule-input')).toHaveCount(0);
}

const rule = (page: Page, chain: string, number: number) => page.getByTestId(`rule-${chain}-${number}`);

test('a rule typed on the page lets red out; it counts, and conntrack shows what it rewrites', async ({
	home,
	server,
}) => {
	const page = await labOf(server, home, natted());
	await ping(page, 'host/red', '192.168.1.3', '0 received');
	await openFirewall(page, 'host');
	await page.getByTestId('add-rule').click();
	const line = page.getByTestId('add-rule-input');
	await line.fill('-t natt -A POSTROUTING -j MASQUERADE');
	await expect(page.getByTestId('firewall').getByRole('alert')).toContainText('Did you mean nat?');
	await line.fill(`iptables ${masquerade}`);
	await expect(page.getByTestId('firewall').locator('.will-run')).toHaveText(`iptables ${masquerade}`);
	await line.press('Escape');
	await expect(line).toHaveCount(0);
	await expect(rule(page, 'nat-POSTROUTING', 1)).toHaveCount(0);
	await addRule(page, `iptables ${masquerade}`);
	const row = rule(page, 'nat-POSTROUTING', 1);
	await expect(row.locator('.rule-text')).toHaveText('-s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE');
	await ping(page, 'host/red', '192.168.1.3', '1 received');

	await expect(row.getByTestId('packets')).toHaveText(/^[1-9]/);
	await expect(row.getByTestId('delta')).toHaveText(/^\+[1-9]/);
	const counted = Number.parseInt((await row.getByTestId('packets').textContent()) ?? '', 10);
	await page.getByTestId('zero-delta').click();
	await expect(row.getByTestId('delta')).toHaveText(/^0/);
	await ping(page, 'host/red', '192.168.1.3', '1 received');
	await expect
		.poll(async () => Number.parseInt((await row.getByTestId('packets').textContent()) ?? '', 10))
		.toBeGreaterThan(counted);
	await expect(row.getByTestId('delta')).toHaveText(/^\+1 /); // one flow more: NAT looks at its first packet alone
	const flow = page.getByTestId('flow').filter({ hasText: 'icmp type=8' }).first();
	await expect(flow.locator('del')).toHaveText('192.168.15.1');
	await expect(flow.locator('ins')).toHaveText('192.168.1.2');
	await expectAccessible(page);
	expect(await server.document(page)).toContain(masquerade);

	// It stays open from node to node, but not where there are no rules: it would cover the picture for nothing.
	const fold = page.getByTestId('firewall-fold');
	await select(page, 'red');
	await expect(fold).toHaveAttribute('aria-expanded', 'false');
	await select(page, 'host');
	await expect(fold).toHaveAttribute('aria-expanded', 'true');

	const host = await openTerminal(page, 'host');
	await host.type('iptables -t nat -S POSTROUTING', `-A POSTROUTING -s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE`);
});

test('rules typed in a terminal are there at once; refused ones leave nothing; order, policies and undo', async ({
	home,
	server,
}) => {
	const page = await labOf(server, home, natted([masquerade]));
	const host = await openTerminal(page, 'host');
	await openFirewall(page, 'host');
	await host.type('iptables -A FORWARD -s 10.9.9.9 -j DROP');
	await expect(rule(page, 'filter-FORWARD', 1)).toContainText('-s 10.9.9.9/32 -j DROP', { timeout: 1500 });

	// As it was authored, and as iptables prints it.
	await page.getByTestId('add-rule-filter-FORWARD').click();
	const inChain = page.getByTestId('add-rule-filter-FORWARD-input');
	await expect(inChain).toHaveValue('-A FORWARD ');
	await inChain.fill('-A FORWARD -p tcp --dport 80 -j ACCEPT');
	await inChain.press('Enter');
	const second = rule(page, 'filter-FORWARD', 2);
	await expect(second.locator('button.editable')).toHaveText('-p tcp --dport 80 -j ACCEPT');
	await expect(second.locator('.printed')).toContainText('-p tcp -m tcp --dport 80 -j ACCEPT');

	// A refusal stays below the line, in the kernel's words.
	await page.getByTestId('add-rule').click();
	const line = page.getByTestId('add-rule-input');
	await line.fill('-A FORWARD --dport 81 -j ACCEPT');
	await line.press('Enter');
	const refusal = page.getByTestId('firewall').getByRole('alert');
	await expect(refusal).toContainText(
		/unknown option "--dport".*write -p tcp or -p udp before it.*Nothing was changed/i,
	);
	await expect(line).toHaveValue('-A FORWARD --dport 81 -j ACCEPT');
	await line.press('Escape');
	await second.locator('button.editable').click();
	const edited = second.getByRole('textbox');
	await expect(edited).toHaveValue('-A FORWARD -p tcp --dport 80 -j ACCEPT');
	await edited.fill('-A INPUT -j MASQUERADE'); // out of its chain, and into one that does not take it
	await expect(second.locator('.will-run')).toHaveText('iptables -D FORWARD 2 && iptables -A INPUT -j MASQUERADE');
	await edited.press('Enter');
	await expect(refusal).toContainText(/addresses are translated in table nat.*Nothing was changed/i);
	await edited.press('Escape');
	await expect(second.locator('button.editable')).toHaveText('-p tcp --dport 80 -j ACCEPT');
	await host.type(
		'clear; iptables -S FORWARD; iptables -S INPUT',
		/10\.9\.9\.9\/32 -j DROP.*--dport 80 -j ACCEPT.*-P INPUT ACCEPT/s,
	);

	// Edited in place, moved, deleted, and brought back.
	await second.locator('button.editable').click();
	await edited.fill('-A FORWARD -p tcp --dport 8080 -j ACCEPT');
	await edited.press('Enter');
	await expect(second.locator('button.editable')).toHaveText('-p tcp --dport 8080 -j ACCEPT');
	await second.hover();
	await second.getByRole('button', { name: 'Move rule 2 of FORWARD up' }).click();
	await expect(rule(page, 'filter-FORWARD', 1)).toContainText('--dport 8080');
	await host.type('clear; iptables -S FORWARD', /--dport 8080 -j ACCEPT.*10\.9\.9\.9\/32 -j DROP/s);
	await rule(page, 'filter-FORWARD', 2).hover();
	await page.getByRole('button', { name: 'Delete rule 2 of FORWARD' }).click();
	await expect(rule(page, 'filter-FORWARD', 2)).toHaveCount(0);
	await page.getByTestId('undo').click();
	await expect(rule(page, 'filter-FORWARD', 2)).toContainText('-s 10.9.9.9/32 -j DROP');
	await page.getByTestId('undo').click();
	await expect(rule(page, 'filter-FORWARD', 1)).toContainText('10.9.9.9');

	await page.getByTestId('policy-filter-FORWARD').selectOption('DROP');
	await host.type('clear; iptables -S FORWARD', '-P FORWARD DROP');
	await ping(page, 'host/red', '192.168.1.3', '0 received');
	await addRule(page, 'ip6tables -A INPUT -p icmpv6 -j ACCEPT');
	await expect(page.getByTestId('firewall-ipv6')).toHaveAttribute('aria-pressed', 'true');
	await expect(rule(page, 'filter-INPUT', 1)).toContainText('-p icmpv6 -j ACCEPT');
	await host.type('clear; ip6tables -S INPUT', '-A INPUT -p ipv6-icmp -j ACCEPT');

	await host.type(
		"clear; nft add table inet mine; nft 'add chain inet mine in { type filter hook input priority 0; }'",
	);
	await expect(page.getByTestId('firewall-native')).toContainText('table inet mine');
	await expect(page.getByTestId('firewall-native')).toContainText('not saved');
	await expectAccessible(page);
	expect(await server.document(page)).not.toContain('mine');
});

test('ten thousand rules are scrolled and edited as ten are', async ({ home, server }) => {
	const many = Array.from(
		{ length: 10_000 },
		(_, n) => `-A INPUT -s 10.${Math.floor(n / 250)}.${n % 250}.1 -p tcp --dport ${n + 1} -j ACCEPT`,
	);
	const page = await labOf(server, home, natted(many));
	await openFirewall(page, 'host');
	await expect(rule(page, 'filter-INPUT', 1).locator('.printed')).toContainText('-s 10.0.0.1/32'); // the kernel has them
	const rows = page.locator('.rules-scroll .rule-row');
	expect(await rows.count()).toBeLessThan(80);
	const scroller = page.getByTestId('rules');
	const end = async () => {
		await scroller.evaluate((e) => e.scrollTo(0, e.scrollHeight));
		return rule(page, 'filter-INPUT', 10_000).count();
	};
	await expect.poll(end).toBe(1);
	expect(await rows.count()).toBeLessThan(80);
	await rule(page, 'filter-INPUT', 10_000).hover();
	await page.getByRole('button', { name: 'Move rule 10000 of INPUT up' }).click();
	await expect(rule(page, 'filter-INPUT', 9999)).toContainText('--dport 10000');
	await addRule(page, '-A INPUT -j LOG');
	const host = await openTerminal(page, 'host');
	await host.type('iptables -S INPUT | tail -3', /--dport 10000.*--dport 9999.*-A INPUT -j LOG/s);
});

test('services, sockets, a container by both its numbers, and the internet', async ({ home, server }) => {
	const page = await labOf(
		server,
		home,
		`
vethlab: 1
name: Who runs where
nodes:
  - {name: host, kind: machine, sysctls: {net.ipv4.ip_forward: 1}, routes: [default via 192.168.1.1]}
  - {name: web, kind: container, in: host, command: sleep 1234, routes: [default via 192.168.15.5]}
  - {name: v-net-0, kind: bridge, in: host, addresses: [192.168.15.5/24]}
  - {name: internet, kind: internet}
cables:
  - [web:eth0 192.168.15.1/24, v-net-0:veth-web]
  - [host:eth0 192.168.1.2/24, internet:lan 192.168.1.1/24]
`,
	);
	await select(page, 'web');
	const sleeping = page.getByTestId('process').filter({ hasText: 'sleep 1234' });
	const [outer, inner] = (await sleeping.locator('td').allTextContents()) as [string, string];
	expect(outer).not.toBe(inner);
	await expect(page.getByTestId('node-web')).toContainText(`pid ${outer}, inside ${inner}`);
	await expect(page.getByTestId('node-web')).toContainText('sleep 1234');
	const host = await openTerminal(page, 'host');
	await host.type(`ps -o args= -p ${outer}`, 'sleep 1234');
	const web = await openTerminal(page, 'web');
	await web.type(`ps -o args= -p ${inner}; echo $(ps ax | grep -c '[m]achine') of host`, /sleep 1234.*0 of host/s);

	await page.getByTestId('add-service').click();
	const line = page.getByTestId('add-service-input');
	await line.fill('htp 80');
	await expect(page.getByTestId('services').getByRole('alert')).toContainText('Did you mean http?');
	await line.fill('http 80');
	await line.press('Enter');
	await expect(page.getByTestId('service')).toContainText('http 80');
	await expect(page.getByTestId('socket').filter({ hasText: ':80' }).first()).toBeVisible();
	await host.type('clear; curl -sS 192.168.15.1', /192\.168\.15\.5/);
	await expectAccessible(page);
	await page.getByRole('button', { name: 'Delete the service http 80' }).click();
	await expect(page.getByTestId('service')).toHaveCount(0);
	await expect(page.getByTestId('socket')).toHaveCount(0);

	await page.getByTestId('container-command').click();
	await page.getByTestId('container-command-input').fill('busybox httpd -f -p 8080');
	await expect(page.getByTestId('container')).toContainText('web is made anew');
	await page.getByTestId('container-command-input').press('Enter');
	await expect(page.getByTestId('node-web')).toContainText(/pid \d+, inside \d+.*busybox httpd/);
	await expect(page.getByTestId('socket').filter({ hasText: ':8080' })).toContainText('busybox (');

	await ping(page, 'host/web', '8.8.8.8', '0 received');
	await select(page, 'internet');
	await expect(page.getByTestId('public-host').filter({ hasText: 'dns.google' })).toContainText('8.8.8.8');
	await expect(page.getByTestId('dropped')).toContainText(/[1-9]\d* packets? dropped.*NAT on the way out/);
	await expectAccessible(page);
});
