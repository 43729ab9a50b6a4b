// What drawing does to the lab, and what it does not do.
import type { Page } from '@playwright/test';
import { drag, drawCable, expect, middleOf, newLab, openTerminal, opsOf, quickAdd, test } from './vethlab';

/** The header of a machine's box: its body lies under what is in it. */
const headerOf = (page: Page, machine: string) =>
	middleOf(page.getByTestId(`node-${machine}`).locator('.node-kind').first());

test('a cable is one message; its names, addresses and jacks are its own; a bad name goes nowhere', async ({
	home,
}) => {
	const ops = opsOf(home);
	const page = await newLab(home);
	await quickAdd(page, 'ns red blue');
	await page.keyboard.press('Escape');

	ops.length = 0;
	await drawCable(page, 'red', 'bottom', await headerOf(page, 'host'));
	await expect(page.getByTestId('cable-veth-red-veth-red-h')).toHaveAttribute('data-state', 'up');
	expect(ops).toHaveLength(1);
	await page.keyboard.press('Escape');
	const host = await openTerminal(page, 'host');
	await host.type(
		'ip -br link show veth-red-h; ip -n red -br link show veth-red',
		/veth-red-h@\S+\s+UP[\s\S]*veth-red@\S+\s+UP/,
	);

	await drawCable(page, 'red', 'bottom', await headerOf(page, 'host'));
	await expect(page.getByTestId('cable-veth-red2-veth-red2-h')).toHaveAttribute('data-state', 'up');
	const [first, second] = [
		await middleOf(page.getByTestId('jack-red-veth-red').locator('.jack-hit')),
		await middleOf(page.getByTestId('jack-red-veth-red2').locator('.jack-hit')),
	];
	expect(Math.hypot(first.x - second.x, first.y - second.y)).toBeGreaterThanOrEqual(22);

	ops.length = 0;
	const name = page.getByTestId('card-name-a');
	await name.fill('veth-neighbour-b');
	await expect(page.getByTestId('cable-card').getByRole('alert')).toHaveText(
		'veth-neighbour-b is 16 bytes; the kernel allows 15 (IFNAMSIZ)',
	);
	await name.press('Enter');
	await page.keyboard.press('Escape');
	await name.waitFor({ state: 'detached' });
	expect(ops).toEqual([]);

	await quickAdd(page, 'red -- blue');
	await page.keyboard.press('Escape');
	expect(await covered(page), 'labels that lie over each other or over a node').toEqual([]);
	await page.setViewportSize({ width: 1280, height: 720 });
	expect(await covered(page), 'the same in a small window').toEqual([]);
});

/** Labels of cable ends that cannot be read: covered by another's or by a node, or smaller than 11 px. */
function covered(page: Page): Promise<string[]> {
	return page.evaluate(() => {
		const rows = [...document.querySelectorAll('.jack-label tspan')].filter((row) => row.textContent?.trim());
		const areas = rows.map((row) => ({ text: row.textContent ?? '', box: row.getBoundingClientRect() }));
		const nodes = [...document.querySelectorAll('.namespace')].map((n) => ({
			text: n.id,
			box: n.getBoundingClientRect(),
		}));
		const meets = (a: DOMRect, b: DOMRect) =>
			a.left + 1 < b.right && b.left + 1 < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom; // 3 px of leading
		return areas.flatMap((a, at) => {
			const over = [...areas.slice(at + 1), ...nodes]
				.filter((b) => meets(a.box, b.box))
				.map((b) => `${a.text} / ${b.text}`);
			return a.box.height < 11 ? [...over, `${a.text} is ${a.box.height} px high`] : over;
		});
	});
}

test('dragging a namespace to another machine changes its `in:`, plugging a cable elsewhere keeps its end, a click moves nothing', async ({
	home,
	server,
}) => {
	const ops = opsOf(home);
	const page = await newLab(home);
	await quickAdd(page, 'ns red blue green');
	await quickAdd(page, 'red -- blue');
	await quickAdd(page, 'machine neighbour');
	await page.getByTestId('canvas').press('1');

	// A click, and one that trembles.
	ops.length = 0;
	const place = await page.getByTestId('node-red').boundingBox();
	const { x, y } = await middleOf(page.getByTestId('node-red').locator('.node-name'));
	await page.mouse.click(x, y);
	await drag(page, { x, y }, { x: x + 2, y: y + 2 });
	await expect(page.getByTestId('inspector')).toContainText('network namespace in host');
	expect(await page.getByTestId('node-red').boundingBox()).toEqual(place);
	expect(ops).toEqual([]);

	const macOf = async (document: string) => /red:veth-red[^,]*/.exec(document)?.[0];
	const before = await server.document(page);
	await drag(page, { x, y }, await headerOf(page, 'neighbour').then((p) => ({ x: p.x + 60, y: p.y + 60 })));
	await expect(page.getByRole('dialog')).toHaveCount(0);
	await expect(page.getByTestId('inspector')).toContainText('network namespace in neighbour');
	await expect(page.locator('.is-pending')).toHaveCount(0);
	expect(await server.document(page)).toMatch(/name: red,.*in: neighbour/);
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'up'); // its cable went along
	await page.getByTestId('canvas').press('Control+z');
	await expect(page.getByTestId('inspector')).toContainText('network namespace in host');
	expect(await server.document(page)).toBe(before);

	// The cable's end in red is plugged into green.
	const [interfaceBefore] = [await inspected(page, 'red', 'veth-red')];
	await drag(
		page,
		await middleOf(page.getByTestId('jack-red-veth-red').locator('.jack-hit')),
		await middleOf(page.getByTestId('node-green')),
	);
	await expect(page.getByTestId('jack-green-veth-red')).toHaveAttribute('data-state', 'up');
	expect(await inspected(page, 'green', 'veth-red')).toEqual(interfaceBefore);
	expect(await macOf(await server.document(page))).toBeUndefined();
});

/** Name, MAC, MTU and addresses of an interface, as the inspector has them. */
async function inspected(page: Page, node: string, name: string): Promise<string[]> {
	await page.getByTestId(`node-${node}`).locator('.node-name').click();
	const part = page.getByTestId(`interface-${node}-${name}`);
	await expect(part).toBeVisible();
	return part.locator('[data-editable]').allTextContents();
}

test('up, down, no carrier and pending look different without colour', async ({ home, server }) => {
	const page = await newLab(home);
	await quickAdd(page, 'ns red blue');
	await quickAdd(page, 'red -- blue');
	const canvas = page.getByTestId('canvas');
	for (let n = 0; n < 2; n++) await canvas.press('l'); // no labels: the marks alone
	await canvas.press('Escape');
	await page.addStyleTag({ content: 'html { filter: grayscale(1) } .tokens { visibility: hidden }' });
	const red = await middleOf(page.getByTestId('jack-red-veth-red').locator('.jack-hit'));
	const clip = { x: red.x - 16, y: red.y - 16, width: 64, height: 32 };
	const pictures: Record<string, Buffer> = {};
	const look = async (state: string) => {
		await page.mouse.move(5, 300); // nothing is hovered
		pictures[state] = await page.screenshot({ clip });
	};
	const setUp = async (end: string, up: boolean) => {
		await page.getByTestId(`node-${end}`).locator('.node-name').click();
		await page
			.getByTestId(`interface-${end}-veth-${end}`)
			.getByRole('button', { name: up ? /take it up/ : /take it down/ })
			.click();
		await page.keyboard.press('Escape');
		await canvas.press('Escape');
	};

	await look('up');
	await setUp('blue', false);
	await expect(page.getByTestId('jack-red-veth-red')).toHaveAttribute('data-state', 'no carrier');
	await look('no carrier');
	await setUp('red', false);
	await expect(page.getByTestId('jack-red-veth-red')).toHaveAttribute('data-state', 'down');
	await look('down');
	await page.getByTestId('cable-veth-red-veth-blue').locator('.cable-hit').click({ force: true });
	await canvas.press('Delete');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveCount(0);
	server.freeze();
	await page.getByTestId('canvas').press('n');
	await page.getByTestId('quick-add-input').fill('red -- blue');
	await page.getByTestId('quick-add-input').press('Enter');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toContainText('sending');
	await canvas.press('Escape');
	await look('pending');
	server.goOn();
	await expect(page.locator('.is-pending')).toHaveCount(0);

	const states = Object.keys(pictures);
	for (const [at, one] of states.entries()) {
		for (const other of states.slice(at + 1)) {
			expect(await difference(page, pictures[one], pictures[other]), `${one} and ${other}`).toBeGreaterThan(40);
		}
	}
});

/** How many pixels of two pictures differ by an eighth of the brightness or more. */
async function difference(page: Page, one?: Buffer, other?: Buffer): Promise<number> {
	return page.evaluate(
		async (pictures) => {
			const pixels = await Promise.all(
				pictures.map(async (base64) => {
					const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
					const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
					const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
					canvas?.drawImage(bitmap, 0, 0);
					return canvas?.getImageData(0, 0, bitmap.width, bitmap.height).data ?? new Uint8ClampedArray();
				}),
			);
			const [a = new Uint8ClampedArray(), b = new Uint8ClampedArray()] = pixels;
			let count = 0;
			for (let at = 0; at < a.length; at += 4) if (Math.abs((a[at] ?? 0) - (b[at] ?? 0)) > 32) count++;
			return count;
		},
		[one, other].map((picture) => picture?.toString('base64') ?? ''),
	);
}

test('what the kernel refuses is said in its words, and nothing of it stays', async ({ home }) => {
	const page = await newLab(home);
	await quickAdd(page, 'ns red blue');
	const red = await openTerminal(page, 'red');
	await red.type('sysctl -w net.ipv6.conf.default.disable_ipv6=1', 'disable_ipv6 = 1');

	const canvas = page.getByTestId('canvas');
	await canvas.press('n');
	await page.getByTestId('quick-add-input').fill('red 2001:db8::1/64 -- blue');
	await page.getByTestId('quick-add-input').press('Enter');
	const failure = page.getByTestId('failure');
	await expect(failure).toContainText(
		/ip -n red addr add 2001:db8::1\/64 dev veth-red: (RTNETLINK answers|Error): .* \(E[A-Z]+\)/,
	);
	await expect(failure).toContainText('Nothing was changed.');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveClass(/is-failed/);
	await red.type('clear; ip -br link | grep -c veth', /^0/m); // what was done of it is undone

	await red.type('sysctl -w net.ipv6.conf.default.disable_ipv6=0', 'disable_ipv6 = 0');
	await failure.getByRole('button', { name: 'Retry' }).click();
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveAttribute('data-state', 'up');
	await expect(page.getByTestId('cable-veth-red-veth-blue')).not.toHaveClass(/is-failed/);
	await expect(failure).toHaveCount(0);
	await red.type('clear; ip -br addr show veth-red', '2001:db8::1/64');

	// In the inspector the refusal stays below the line, and the line keeps its text.
	await red.type('ip link set veth-red mtu 1000');
	await page.getByTestId('node-red').locator('.node-name').click();
	await page.getByTestId('add-address-veth-red').click();
	await page.getByTestId('add-address-veth-red-input').fill('2001:db8::2/64');
	await expect(page.locator('.will-run')).toHaveText('ip -n red addr add 2001:db8::2/64 dev veth-red');
	await page.getByTestId('add-address-veth-red-input').press('Enter');
	await expect(page.locator('.editing').getByRole('alert')).toContainText(/RTNETLINK answers|Error: /);
	await expect(page.getByTestId('add-address-veth-red-input')).toHaveValue('2001:db8::2/64');
});
