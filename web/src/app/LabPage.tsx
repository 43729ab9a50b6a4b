import { useEffect } from 'react';
import { Canvas } from '../canvas/Canvas';
import { Outline } from '../canvas/Outline';
import { Tools } from '../canvas/Tools';
import { runKey } from '../commands/commands';
import { Inspector } from '../inspector/Inspector';
import { openLab } from '../session/actions';
import { useLab, useView } from '../session/stores';
import { restoreTerminals } from '../session/terminals';
import { canvasView } from '../session/viewport';
import { Banner } from './Banner';
import { Dock } from './Dock';
import { Palette } from './Palette';
import { StatusStrip } from './StatusStrip';
import { TopBar } from './TopBar';

export function LabPage({ id, home }: { id: string; home: () => void }) {
	const name = useLab((s) => s.lab.name);
	const outline = useView((v) => v.outline);
	useEffect(() => {
		restoreTerminals(id);
		return openLab(id);
	}, [id]);
	useEffect(() => {
		document.title = name ? `${name} – vethlab` : 'vethlab';
		return () => {
			document.title = 'vethlab';
		};
	}, [name]);
	useEffect(() => {
		addEventListener('keydown', pageKey, true);
		return () => removeEventListener('keydown', pageKey, true);
	}, []);
	return (
		<div className="lab-page">
			<SkipLinks />
			<TopBar home={home} />
			<Banner />
			<main className="lab-main">
				<Tools />
				{outline && <Outline />}
				<div className="canvas-holder">
					<Canvas />
				</div>
				<Inspector />
			</main>
			<Dock />
			<StatusStrip />
			<Palette />
		</div>
	);
}

/** The first tab stops, seen only while they have the focus. */
function SkipLinks() {
	return (
		<nav aria-label="Skip to">
			<button type="button" className="skip" onClick={() => canvasView.focus()}>
				To the canvas
			</button>
			<button type="button" className="skip" onClick={() => focusRegion('#dock')}>
				To the dock
			</button>
		</nav>
	);
}

const regions = ['#topbar', '#tools', '#canvas', '#inspector', '#dock'];

function focusRegion(selector: string): void {
	const region = document.querySelector<HTMLElement>(selector);
	const first = region?.matches('[tabindex]')
		? region
		: region?.querySelector<HTMLElement>('button:not([tabindex="-1"]), [tabindex="0"], input, textarea');
	first?.focus();
}

/** Keys that work wherever the focus is. */
function pageKey(e: KeyboardEvent): void {
	const target = e.target as HTMLElement;
	const inTerminal = target.closest?.('.xterm') !== null;
	if (e.ctrlKey && e.code === 'Backquote') {
		if (inTerminal) canvasView.focus();
		else document.querySelector<HTMLElement>('.terminal-pane.is-active textarea')?.focus();
		e.preventDefault();
		e.stopPropagation();
		return;
	}
	if (e.key === 'F6') {
		const present = regions.filter((r) => document.querySelector(r));
		const at = present.findIndex((r) => target.closest?.(r));
		focusRegion(present[(at + (e.shiftKey ? -1 : 1) + present.length) % present.length] ?? '#canvas');
		e.preventDefault();
		return;
	}
	if (inTerminal || target.matches?.('input, textarea, select, [contenteditable]')) {
		const palette = (e.ctrlKey || e.metaKey) && e.key === 'k' && !inTerminal;
		if (!palette) return;
	}
	if (target.closest?.('#canvas, [role="tree"]')) return; // they have all keys, and read them themselves
	if (runKey(e, 'elsewhere')) e.preventDefault();
}
