import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// `npm run dev` shows the page with hot reload against a server that runs on its usual port.
const server = 'http://127.0.0.1:8080';

export default defineConfig({
	plugins: [react(), tailwindcss()],
	server: {
		proxy: {
			'/api': { target: server, ws: true },
			'/login': { target: server },
		},
	},
	build: {
		target: 'es2023',
		assetsInlineLimit: 0, // the server's Content-Security-Policy allows no data: scripts or fonts
		chunkSizeWarningLimit: 1500,
	},
	test: {
		environment: 'node',
		include: ['src/**/*.test.{ts,tsx}', 'test/**/*.test.{ts,tsx}'],
	},
});
