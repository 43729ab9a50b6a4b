import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

// The system's Chromium: nothing is downloaded.
const chromium =
	process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync) ?? '/usr/bin/chromium';

const args = [
	'--disable-gpu',
	'--disable-3d-apis', // so that terminals are drawn as text that a test can read
	'--disable-background-networking',
	'--disable-component-update',
	'--disable-sync',
	'--no-first-run',
];
if (process.getuid?.() === 0) {
	args.push('--no-sandbox'); // Chromium refuses to run as root with it
}

export default defineConfig({
	testDir: 'tests',
	outputDir: 'results',
	workers: 1, // each test runs real labs, and some of them measure
	timeout: 90_000,
	expect: { timeout: 15_000 },
	reporter: [['list']],
	forbidOnly: !!process.env.CI,
	use: {
		browserName: 'chromium',
		launchOptions: { executablePath: chromium, args },
		viewport: { width: 1440, height: 900 },
		screenshot: 'only-on-failure',
		// TRACE=1 records what `npx playwright show-trace` shows of a failure; that takes a third more time.
		trace: process.env.TRACE ? 'retain-on-failure' : 'off',
	},
});
