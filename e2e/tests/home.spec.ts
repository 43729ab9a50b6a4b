import { expect, expectAccessible, test } from './vethlab';

test('the printed URL signs in one browser, once', async ({ server, page, browser }) => {
	await page.goto(server.loginURL);
	await expect(
		page
			.getByRole('heading', { name: /red and blue/i })
			.or(page.getByText('Red and blue'))
			.first(),
	).toBeVisible();
	expect(page.url()).not.toContain('token'); // it would stay in the history

	const other = await browser.newContext();
	const stranger = await other.newPage();
	const answer = await stranger.goto(server.loginURL);
	expect(answer?.status()).toBeGreaterThanOrEqual(400);
	await expect(stranger.getByText('This link has been used')).toBeVisible();
	await expectAccessible(stranger);
	await other.close();
});

test('without a session there is neither page nor API', async ({ server, page }) => {
	await page.goto(server.origin);
	await expect(page.getByText(/not signed in/)).toBeVisible();
	for (const path of ['/api/labs', '/metrics']) {
		const answer = await page.request.get(server.origin + path);
		expect([401, 403]).toContain(answer.status());
	}
	expect((await page.request.get(`${server.origin}/healthz`)).ok()).toBe(true);
});

test('no page asks for what is not there', async ({ server, page }) => {
	const missing: string[] = [];
	page.on('console', (m) => m.type() === 'error' && missing.push(`${m.text()} ${m.location().url}`));
	await page.goto(server.origin); // it answers 401, and says how to sign in
	await expect(page.getByText(/not signed in/)).toBeVisible();
	await page.goto(server.loginURL);
	await expect(page.getByTestId('new-lab')).toBeVisible();
	expect(missing.filter((text) => !text.includes('401'))).toEqual([]);
});

test('home shows examples, and axe finds nothing serious', async ({ home }) => {
	await expect(home.getByText('Red and blue').first()).toBeVisible();
	await expectAccessible(home);
	await home.emulateMedia({ colorScheme: 'dark' });
	await expectAccessible(home);
});

test('a file without a lab opens none, and it is said why', async ({ home }) => {
	for (const text of ['', '# to be done\n']) {
		await home.goto(home.url());
		const file = { name: 'lab.yaml', mimeType: 'application/yaml', buffer: Buffer.from(text) };
		await home.getByTestId('open-file').setInputFiles(file);
		await expect(home.getByTestId('toast').last()).toContainText('there is no lab in the file');
	}
});
