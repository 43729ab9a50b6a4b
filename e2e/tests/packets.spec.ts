// Frames: in the list, on their cables, and at rest.
import type { Page } from '@playwright/test';
import { expect, newLab, openTerminal, quickAdd, test } from './vethlab';

/** Counts the frames that the page asks the browser to draw. */
async function countDrawing(page: Page): Promise<void> {
	await page.addInitScript(() => {
		const real = window.requestAnimationFrame.bind(window);
		let drawn = 0;
		window.requestAnimationFrame = (callback) => {
			drawn++;
			return real(callback);
		};
		Object.defineProperty(window, 'drawn', { get: () => drawn });
	});
}

/** How many frames the page draws within some ms. */
function drawnWithin(page: Page, ms: number): Promise<number> {
	return page.evaluate(async (wait) => {
		const count = () => (window as unknown as { drawn: number }).drawn;
		const before = count();
		await new Promise((resolve) => setTimeout(resolve, wait));
		return count() - before;
	}, ms);
}

test('a ping is ARP, answer, echo, answer; its row marks its cable; when all is quiet nothing is drawn', async ({
	home,
}) => {
	await countDrawing(home);
	await home.reload();
	const page = await newLab(home);
	await quickAdd(page, 'ns red blue green');
	await quickAdd(page, 'red -- blue');
	await quickAdd(page, 'blue -- green');
	await page.keyboard.press('Escape');
	await page.getByTestId('dock-packets').click();
	await page.getByTestId('frame-filter').fill('192.168.15');

	const red = await openTerminal(page, 'red');
	await red.type('ping -c1 192.168.15.2');
	await expect(page.getByTestId('tokens')).not.toHaveAttribute('data-tokens', '0');
	await red.type('', '1 received');
	await page.getByTestId('dock-packets').click();
	await page.getByTestId('frame-filter').fill('192.168.15');
	const rows = page.getByTestId('frame-row');
	await expect
		.poll(async () => (await rows.allTextContents()).slice(0, 4))
		.toEqual([
			expect.stringContaining('Who has 192.168.15.2? Tell 192.168.15.1'),
			expect.stringContaining('192.168.15.2 is at'),
			expect.stringContaining('Echo (ping) request'),
			expect.stringContaining('Echo (ping) reply'),
		]);

	await rows.nth(2).click();
	await expect(page.locator('.cable.is-framed')).toHaveCount(1);
	await expect(page.getByTestId('cable-veth-red-veth-blue')).toHaveClass(/is-framed/);
	await expect(page.locator('.jack.is-framed')).toHaveCount(2);
	await rows.nth(0).click();
	await expect(page.getByTestId('frame-details')).toContainText('Who has');
	await expect(page.locator('.cable.is-framed')).toHaveCount(1);

	// The details take room from the list, and leave the row in view that they are about.
	await page.getByRole('button', { name: 'Close', exact: true }).click();
	await page.getByTestId('frame-filter').fill('');
	await rows.last().click();
	await expect(page.getByTestId('frame-details')).toBeVisible();
	await expect(page.locator('.frame-row.is-chosen')).toBeInViewport({ ratio: 0.9 });

	// IPv6 asks for routers for some seconds yet. While a token travels there are some 60 frames a second.
	await expect(page.getByTestId('tokens')).toHaveAttribute('data-tokens', '0');
	await expect.poll(() => drawnWithin(page, 400), { timeout: 30_000 }).toBe(0);
});

/** How many different pictures the packets' canvas shows, from the next token on. */
function picturesOf(page: Page): Promise<number> {
	return page.evaluate(async () => {
		const canvas = document.querySelector<HTMLCanvasElement>('[data-testid=tokens]');
		if (!canvas) throw new Error('no tokens are drawn');
		const pictures = new Set<string>();
		const frame = () => new Promise(requestAnimationFrame);
		while (canvas.dataset.tokens === '0' || canvas.dataset.tokens === undefined) await frame();
		for (const begun = performance.now(); performance.now() - begun < 3000; ) {
			if (canvas.dataset.tokens !== '0') pictures.add(canvas.toDataURL());
			await frame();
		}
		return pictures.size;
	});
}

test('under reduced motion no packet moves: its cable lights up', async ({ home }) => {
	const page = await newLab(home);
	await page.emulateMedia({ reducedMotion: 'reduce' });
	await quickAdd(page, 'ns red blue');
	await quickAdd(page, 'red -- blue');
	const red = await openTerminal(page, 'red');
	await red.type(
		'sysctl -qw net.ipv6.conf.all.disable_ipv6=1; ip netns exec blue true; ping -c1 192.168.15.2',
		'1 received',
	); // the ARP is done
	await expect(page.getByTestId('tokens')).toHaveAttribute('data-tokens', '0');

	const still = picturesOf(page);
	await red.type('ping -c1 192.168.15.2');
	expect(await still, 'there and back, each alight and dark').toBeLessThanOrEqual(6);
	await expect(page.getByTestId('tokens')).toHaveAttribute('data-tokens', '0');

	await page.emulateMedia({ reducedMotion: 'no-preference' });
	const moving = picturesOf(page);
	await red.type('ping -c5 -i 0.2 192.168.15.2'); // a busy machine draws few frames a second
	expect(await moving).toBeGreaterThan(10);
});
