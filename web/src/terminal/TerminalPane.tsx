// One shell. The terminal lives as long as its tab, shown or not; the socket reattaches by itself.
import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { type ITheme, Terminal } from '@xterm/xterm';
import { useEffect, useRef, useState } from 'react';
import { nodeColour } from '../canvas/Nodes';
import { colourOf } from '../model/colour';
import { labelOf } from '../model/lab';
import { useLab, useView } from '../session/stores';
import { registerPane, showTerminal, useTerminals } from '../session/terminals';
import { TerminalConnection } from '../transport/terminal';
import { copyText } from './clipboard';
import { PastePreview } from './PastePreview';
import { SearchLine } from './SearchLine';
import { keepDrawn } from './webgl';

interface Live {
	terminal: Terminal;
	fit: FitAddon;
	search: SearchAddon;
	connection: TerminalConnection;
}

interface Props {
	lab: string;
	id: string;
	node: string;
	visible: boolean;
	active: boolean;
}

const noticeFor = 4000; // ms
const scrollback = 10_000; // lines

export function TerminalPane({ lab, id, node, visible, active }: Props) {
	const host = useRef<HTMLDivElement>(null);
	const live = useRef<Live>(undefined);
	const [notice, setNotice] = useState<string>();
	const [pasting, setPasting] = useState<string>();
	const [searching, setSearching] = useState(false);
	const [shownOnce, setShownOnce] = useState(visible);
	const name = useLab((s) => (s.lab.nodes[node] ? labelOf(s.lab, node) : 'gone'));
	const fontSize = useView((v) => v.fontSize);
	const theme = useView((v) => v.theme);
	const running = useLab((s) => s.status.state === 'running');
	if (visible && !shownOnce) setShownOnce(true);

	useEffect(() => {
		const element = host.current;
		if (!shownOnce || !element) return;
		const terminal = new Terminal({
			fontFamily: '"IBM Plex Mono", monospace',
			fontSize: useView.getState().fontSize,
			scrollback,
			minimumContrastRatio: 4.5,
			cursorBlink: false,
			allowProposedApi: true,
			macOptionIsMeta: true,
			theme: readTheme(),
		});
		const fit = new FitAddon();
		const search = new SearchAddon();
		terminal.loadAddon(fit);
		terminal.loadAddon(search);
		terminal.open(element);
		terminal.textarea?.setAttribute('aria-label', `Terminal in ${labelOf(useLab.getState().lab, node)}`);
		fit.fit();
		const connection = new TerminalConnection(
			{ lab, node, id },
			{ cols: terminal.cols, rows: terminal.rows },
			{
				output: (bytes) => terminal.write(bytes),
				attached: (hello, again) => {
					if (hello.skipped > 0) setNotice(`reattached, ${size(hello.skipped)} skipped`);
					else if (again) setNotice('reattached, nothing lost');
					else setNotice(undefined);
				},
				detached: () => setNotice('reattaching; the shell goes on'),
				ended: (end) => {
					setNotice(undefined);
					const why = end.reason || `the shell ended with status ${end.status}`;
					terminal.write(`\r\n\x1b[2m[${why}. Enter opens a new shell.]\x1b[0m\r\n`);
				},
			},
		);
		terminal.onData((data) => {
			if (data === '\r' && connection.reopen()) return;
			connection.keys(data);
		});
		terminal.onBinary((data) => connection.bytes(Uint8Array.from(data, (c) => c.charCodeAt(0))));
		terminal.onResize((next) => connection.resize(next));
		terminal.attachCustomKeyEventHandler((e) => ownKey(e, terminal, () => setSearching(true)));
		const paste = (e: ClipboardEvent) => {
			const text = e.clipboardData?.getData('text') ?? '';
			// Under bracketed paste the shell waits for Enter by itself; so it does for one line.
			if (terminal.modes.bracketedPasteMode || !/\n./s.test(text) || !useView.getState().pasteAsks) return;
			e.preventDefault();
			e.stopPropagation();
			setPasting(text);
		};
		element.addEventListener('paste', paste, true);
		const release = registerPane(id, { take: (text) => connection.keys(text), wake: () => connection.reopen() });
		live.current = { terminal, fit, search, connection };
		const observer = new ResizeObserver(() => element.clientHeight > 0 && fit.fit());
		observer.observe(element);
		return () => {
			observer.disconnect();
			element.removeEventListener('paste', paste, true);
			release();
			connection.close();
			terminal.dispose();
			live.current = undefined;
		};
	}, [shownOnce, lab, id, node]);

	// A lab that is started again has new shells, for nobody can type into the old ones.
	useEffect(() => {
		if (running) live.current?.connection.reopen();
	}, [running]);
	useEffect(() => {
		if (!visible || !live.current) return;
		live.current.fit.fit();
		return keepDrawn(live.current.terminal);
	}, [visible]);
	useEffect(() => {
		if (visible && active) live.current?.terminal.focus();
	}, [visible, active]);
	useEffect(() => {
		const l = live.current;
		if (!l) return;
		l.terminal.options.fontSize = fontSize;
		if (visible) l.fit.fit();
	}, [fontSize, visible]);
	// biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes what the colours' variables say
	useEffect(() => {
		const apply = () => {
			if (live.current) live.current.terminal.options.theme = readTheme();
		};
		const frame = requestAnimationFrame(apply);
		const dark = matchMedia('(prefers-color-scheme: dark)');
		dark.addEventListener('change', apply);
		return () => {
			cancelAnimationFrame(frame);
			dark.removeEventListener('change', apply);
		};
	}, [theme]);
	useEffect(() => {
		if (!notice?.startsWith('reattached')) return;
		const timer = setTimeout(() => setNotice(undefined), noticeFor);
		return () => clearTimeout(timer);
	}, [notice]);

	return (
		<section
			aria-label={`Terminal in ${name}`}
			className={`terminal-pane ${active ? 'is-active' : ''}`}
			hidden={!visible}
			data-testid={`terminal-${name}`}
			style={nodeColour(colourOf(name))}
			onFocus={() => useTerminals.getState().active !== id && showTerminal(id)}
		>
			<div className="terminal-host" ref={host} />
			{notice && (
				<p className="terminal-notice" role="status">
					{notice}
				</p>
			)}
			{searching && (
				<SearchLine
					find={(text, back) => (back ? live.current?.search.findPrevious(text) : live.current?.search.findNext(text))}
					close={() => {
						setSearching(false);
						live.current?.search.clearDecorations();
						live.current?.terminal.focus();
					}}
				/>
			)}
			{pasting !== undefined && (
				<PastePreview
					text={pasting}
					send={(text) => live.current?.connection.keys(text)}
					leave={() => {
						setPasting(undefined);
						live.current?.terminal.focus();
					}}
				/>
			)}
		</section>
	);
}

const isMac = /Mac/.test(navigator.platform);

/** What the page does with a key instead of the shell. A second Ctrl+C always interrupts: copying clears the selection. */
function ownKey(e: KeyboardEvent, terminal: Terminal, search: () => void): boolean {
	if (e.type !== 'keydown') return true;
	const key = e.key.toLowerCase();
	const copies =
		(isMac && e.metaKey && key === 'c') ||
		(e.ctrlKey && e.shiftKey && key === 'c') ||
		(!isMac && e.ctrlKey && !e.shiftKey && key === 'c');
	if (copies && terminal.hasSelection()) {
		void copyText(terminal.getSelection());
		terminal.clearSelection();
		e.preventDefault();
		return false;
	}
	if (e.ctrlKey && e.shiftKey && (key === 'c' || key === 'v')) {
		if (key === 'c') e.preventDefault();
		return false; // pasting is the browser's own event
	}
	if ((isMac ? e.metaKey : e.ctrlKey) && key === 'v') return false;
	if ((isMac ? e.metaKey : e.ctrlKey) && key === 'f') {
		search();
		e.preventDefault();
		return false;
	}
	// The page's: terminal ↔ canvas, next region.
	return !((e.ctrlKey && e.code === 'Backquote') || e.key === 'F6');
}

function size(bytes: number): string {
	return bytes < 1024 ? `${bytes} B` : `${Math.round(bytes / 1024)} KB`;
}

function readTheme(): ITheme {
	const style = getComputedStyle(document.documentElement);
	const read = (name: string) => style.getPropertyValue(name).trim();
	return {
		background: read('--panel'),
		foreground: read('--ink'),
		cursor: read('--ink'),
		cursorAccent: read('--panel'),
		selectionBackground: read('--flash'),
		selectionForeground: read('--ink'),
		black: read('--ink'),
		red: read('--node-red'),
		green: read('--node-green'),
		yellow: read('--node-yellow'),
		blue: read('--node-blue'),
		magenta: read('--node-purple'),
		cyan: read('--node-cyan'),
		white: read('--second'),
		brightBlack: read('--small'),
		brightRed: read('--node-red'),
		brightGreen: read('--node-green'),
		brightYellow: read('--node-yellow'),
		brightBlue: read('--node-blue'),
		brightMagenta: read('--node-purple'),
		brightCyan: read('--node-cyan'),
		brightWhite: read('--ink'),
	};
}
