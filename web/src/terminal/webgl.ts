// WebGL for terminals that are looked at, and no more than 8 of them: Chromium gives a page 16 contexts, and takes the
// oldest away. Without one xterm draws with the DOM, which is slower and right.
import { WebglAddon } from '@xterm/addon-webgl';
import type { Terminal } from '@xterm/xterm';

const maxContexts = 8;
let inUse = 0;

export function keepDrawn(terminal: Terminal): () => void {
	if (inUse >= maxContexts) return () => {};
	let addon: WebglAddon | undefined;
	try {
		addon = new WebglAddon();
		terminal.loadAddon(addon);
	} catch {
		return () => {}; // no WebGL here
	}
	inUse++;
	let held = true;
	const release = () => {
		if (!held) return;
		held = false;
		inUse--;
		addon?.dispose();
	};
	addon.onContextLoss(release);
	return () => {
		try {
			release();
		} catch {
			// The terminal was disposed of first, and its addons with it.
		}
	};
}
