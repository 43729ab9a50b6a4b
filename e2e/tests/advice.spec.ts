import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { expect, expectAccessible, newLab, openTerminal, ping, quickAdd, type Server, test } from './vethlab';

/** The example with two machines on a LAN, without neighbour's way back; running. */
async function withoutWayBack(server: Server, page: Page): Promise<void> {
	const example = await readFile(new URL('../../examples/lan.yaml', import.meta.url), 'utf8');
	const document = example.replace(', routes: [192.168.15.0/24 via 192.168.1.2]', '');
	expect(document).not.toBe(example);
	const made = await server.call('POST', '/api/labs', document);
	const id = /id: (\S+)/.exec(await made.text())?.[1] ?? made.headers.get('location')?.split('/').at(-1);
	const started = await server.call('POST', `/api/labs/${id}/start`);
	expect(started.status).toBe(200);
	await page.goto(`${server.origin}/labs/${id}`);
	await expect(page.getByTestId('lab-state')).toContainText('running');
}

const sentence =
	'neighbour has no route back to 192.168.15.0/24: what red sends through host arrives, and the answer is lost.';

test('a missing way back is marked, told, and mended by a press; undo brings it back', async ({
	server,
	home: page,
}) => {
	await withoutWayBack(server, page);
	const marks = page.getByTestId('note-mark');
	await expect(marks).toHaveCount(1);
	await ping(page, 'red', '192.168.1.3', '0 received');
	await page.getByTestId('probe-notes').click();
	await expect(page.getByTestId('dock-notes')).toHaveAttribute('aria-selected', 'true');

	await marks.hover();
	await expect(marks.locator('.note-bubble')).toHaveText(sentence);
	await expect(page.getByTestId('node-neighbour')).toHaveAccessibleName(/note: neighbour has no route back/);
	await marks.click();
	const notes = page.getByTestId('inspector').getByTestId('notes');
	await expect(notes).toContainText(sentence);
	await expect(notes).toContainText('ip route add 192.168.15.0/24 via 192.168.1.2');
	await expectAccessible(page);

	await notes.getByRole('button', { name: 'Add the route' }).click();
	await expect(marks).toHaveCount(0);
	await expect(notes).toHaveCount(0);
	await ping(page, 'red', '192.168.1.3', '1 received');
	await expect(page.getByTestId('probe-notes')).toHaveCount(0);

	await page.getByTestId('canvas').press('Control+z');
	await expect(marks).toHaveCount(1);
	await ping(page, 'red', '192.168.1.3', '0 received');
	await page.getByTestId('canvas').press('Control+Shift+z');
	await expect(marks).toHaveCount(0);
});

test('the list of notes by keys: what was typed is told, leads to its place, and is mended', async ({
	server,
	home: page,
}) => {
	await withoutWayBack(server, page);
	await expect(page.getByTestId('notes-count')).toHaveText('1 note');
	const neighbour = await openTerminal(page, 'neighbour');
	await neighbour.type('ip route add 192.168.15.0/24 via 192.168.1.2');
	await expect(page.getByTestId('notes-count')).toHaveCount(0);
	const host = await openTerminal(page, 'host');
	await host.type('sysctl -w net.ipv4.ip_forward=0');
	await expect(page.getByTestId('notes-count')).toHaveText('1 note');
	await page.getByTestId('canvas').press('Escape');

	await page.getByTestId('notes-count').press('Enter');
	const row = page.getByTestId('note-row');
	const about = row.getByRole('button').first();
	await expect(about).toBeFocused();
	await expect(row).toContainText('send through host, which drops what is not for itself: net.ipv4.ip_forward is 0.');
	await expectAccessible(page);
	await page.keyboard.press('Enter');
	await expect(page.getByTestId('node-host')).toHaveClass(/is-selected/);
	await page.keyboard.press('Tab');
	await expect(row.getByRole('button', { name: 'Let host forward' })).toBeFocused();
	await page.keyboard.press('Enter');
	await expect(row).toHaveCount(0);
	await expect(page.getByTestId('canvas')).toBeFocused();
	await ping(page, 'red', '192.168.1.3', '1 received');
});

test('a lab that is half drawn is not wrong', async ({ home }) => {
	const page = await newLab(home);
	// From here on it is noted down which marks are ever seen.
	await page.evaluate(() => {
		const seen = new Set<string>();
		new MutationObserver(() => {
			for (const mark of document.querySelectorAll('.note-mark')) seen.add(mark.getAttribute('aria-label') ?? '');
			document.body.dataset.seen = [...seen].join('|');
		}).observe(document.getElementById('canvas') ?? document.body, { childList: true, subtree: true });
	});
	const lines = [
		'ns red blue',
		'br v-net-0',
		'red blue -- v-net-0',
		'machine other',
		'lan office',
		'host other -- office',
	];
	for (const line of lines) {
		await quickAdd(page, line);
		await page.keyboard.press('Escape');
	}
	await page.getByTestId('node-v-net-0').locator('.node-name').click();
	await page.getByTestId('add-address-v-net-0').click();
	await page.getByTestId('add-address-v-net-0-input').fill('192.168.15.9/24');
	await page.getByTestId('add-address-v-net-0-input').press('Enter');
	await expect(page.getByTestId('node-v-net-0')).toContainText('192.168.15.9/24');

	const host = await openTerminal(page, 'host');
	await host.type('ip link add va type veth peer name vb netns red');
	await host.type('ip addr add 10.9.0.1/24 dev va; ip -n red addr add 10.9.0.2/24 dev vb');
	await expect(page.getByTestId('jack-red-vb')).toContainText('10.9.0.2/24');
	await host.type('ip link set va up; ip -n red link set vb up');
	await expect(page.getByTestId('jack-red-vb')).toHaveAttribute('data-state', 'up');
	await host.type('ip link set v-net-0 down');
	const mark = page.getByTestId('note-mark');
	await expect(mark).toHaveAccessibleName(/^Note: v-net-0 of host is down/);
	expect(await page.evaluate(() => document.body.dataset.seen?.split('|').length), 'marks that were ever seen').toBe(1);
	await host.type('ip link set v-net-0 up');
	await expect(mark).toHaveCount(0);
});
