// Which terminals this page has open. Their tokens live in the tab's storage, so that a reload finds the same shells.
import { create } from 'zustand';
import { newID } from '../model/lab';
import { closeTerminal } from './actions';
import { useLab, useView } from './stores';

export interface OpenTerminal {
	id: string;
	node: string;
}

export interface TerminalTabs {
	lab: string;
	open: OpenTerminal[];
	/** The terminals that are side by side; at most 4. The first is where a new tab goes. */
	shown: string[];
	active: string | undefined;
}

export const maxPanes = 4;

export const useTerminals = create<TerminalTabs>()(() => ({ lab: '', open: [], shown: [], active: undefined }));

const storedAs = (lab: string) => `vethlab.terminals.${lab}`;

useTerminals.subscribe((t) => {
	if (!t.lab) return;
	try {
		sessionStorage.setItem(storedAs(t.lab), JSON.stringify({ open: t.open, shown: t.shown, active: t.active }));
	} catch {
		// Without storage a reload starts new shells; the old ones end with the lab.
	}
});

export function restoreTerminals(lab: string): void {
	let stored: Partial<TerminalTabs> = {};
	try {
		stored = JSON.parse(sessionStorage.getItem(storedAs(lab)) ?? '{}');
	} catch {
		// as above
	}
	useTerminals.setState({ lab, open: stored.open ?? [], shown: stored.shown ?? [], active: stored.active });
}

/** Shows the newest terminal of a node, or opens one. */
export function openTerminal(node: string, another = false): void {
	const t = useTerminals.getState();
	const existing = another ? undefined : t.open.findLast((o) => o.node === node);
	const view = useView.getState();
	useView.setState({ dock: { ...view.dock, open: true, tab: 'terminals' } });
	if (existing) {
		showTerminal(existing.id);
		panes.get(existing.id)?.wake();
		return;
	}
	const id = newID('tty');
	useTerminals.setState({ open: [...t.open, { id, node }] });
	showTerminal(id);
}

export function showTerminal(id: string): void {
	const t = useTerminals.getState();
	if (t.shown.includes(id)) {
		useTerminals.setState({ active: id });
		return;
	}
	const at = Math.max(0, t.shown.indexOf(t.active ?? ''));
	const shown = t.shown.length === 0 ? [id] : t.shown.map((other, i) => (i === at ? id : other));
	useTerminals.setState({ shown, active: id });
}

/** Puts one more terminal beside the others. */
export function splitTerminal(): void {
	const t = useTerminals.getState();
	const active = t.open.find((o) => o.id === t.active);
	if (!active || t.shown.length >= maxPanes) return;
	const id = newID('tty');
	useTerminals.setState({ open: [...t.open, { id, node: active.node }], shown: [...t.shown, id], active: id });
}

/** Ends the shell and takes its tab away. */
export function endTerminal(id: string): void {
	closeTerminal(id);
	const t = useTerminals.getState();
	const open = t.open.filter((o) => o.id !== id);
	const shown = t.shown.filter((s) => s !== id);
	const active = t.active === id ? (shown.at(-1) ?? open.at(-1)?.id) : t.active;
	useTerminals.setState({ open, shown: shown.length === 0 && active ? [active] : shown, active });
}

/** What a terminal that is drawn can be asked to do. */
export interface Pane {
	/** Puts text at its prompt. */
	take(text: string): void;
	/** Opens a new shell, if the one that it had has ended. */
	wake(): void;
}

const panes = new Map<string, Pane>();
const waitingText = new Map<string, string>(); // for terminals that are not drawn yet

/** Puts text at the prompt of a node's terminal, without a newline. */
export function putIntoTerminal(node: string, text: string): void {
	openTerminal(node);
	const id = useTerminals.getState().active;
	if (!id) return;
	const pane = panes.get(id);
	if (pane) pane.take(text);
	else waitingText.set(id, text);
}

export function registerPane(id: string, pane: Pane): () => void {
	panes.set(id, pane);
	const waiting = waitingText.get(id);
	waitingText.delete(id);
	if (waiting) pane.take(waiting);
	return () => panes.delete(id);
}

/** The machine of this name, for commands that say where they run. */
export function machineNamed(name: string): string | undefined {
	return Object.values(useLab.getState().lab.nodes).find((n) => !n.in && n.name === name)?.id;
}
