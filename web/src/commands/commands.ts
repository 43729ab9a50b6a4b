// The one list of what can be done. Keys, menus, the palette and the help all read it.
import { cable, middleOf } from '../gestures/draw';
import { moveByKeys } from '../gestures/drop';
import { bounds } from '../model/geometry';
import { newID } from '../model/lab';
import { bridgePlace, freePlace, lanPlace, machinePlace, withPlaces } from '../model/places';
import { sizes } from '../model/sizes';
import { freeName } from '../model/suggest';
import { addWords, isBox, isBridge, machineAround, type Shape, shapes, thingOf, thingsIn } from '../model/things';
import {
	announce,
	deleteThings,
	edit,
	exportLab,
	redo,
	select,
	startLab,
	stopLab,
	toast,
	undo,
} from '../session/actions';
import { type DockTab, type Labels, useGeometry, useLab, useView } from '../session/stores';
import { openTerminal, splitTerminal } from '../session/terminals';
import { canvasView } from '../session/viewport';
import type { Lab, Place } from '../wire/types.gen';
import { focusOn, intoBox, move, nextJack, outOfBox, subjectNode, subjects, theOtherEnd } from './focus';
import { layOut } from './layout';

export interface Command {
	id: string;
	name: string;
	group: 'Draw' | 'Edit' | 'Select' | 'View' | 'Lab' | 'Terminals';
	/** As `Mod+Shift+Z`, `N`; the first one is shown. */
	keys: string[];
	/** Works everywhere, not only while the canvas or the outline has the focus. */
	everywhere?: boolean;
	enabled?: () => boolean;
	run: () => void;
}

export const isMac = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);

function toggleUp(): void {
	const { lab } = useLab.getState();
	const ends = subjects().flatMap((id) => lab.cables[id]?.ends ?? (lab.interfaces[id] ? [id] : []));
	const interfaces = ends.map((id) => lab.interfaces[id]).filter((i) => i !== undefined);
	if (interfaces.length === 0) {
		toast({ kind: 'info', text: 'Select a cable or an interface first.' });
		return;
	}
	const up = !interfaces.every((i) => i.up);
	edit(interfaces.filter((i) => i.up !== up).map((i) => ({ updateInterface: { id: i.id, up } })));
}

export function quickAdd(): void {
	const { lab } = useLab.getState();
	const machine = boxForNew(lab);
	useView.setState({ quickAdd: { at: undefined, machine, text: '' } });
}

/** The machine that new things go into: the one around the focus, else the only one or the first. */
function boxForNew(lab: Lab): string | undefined {
	const at = subjects()[0] ?? '';
	const i = lab.interfaces[at] ?? lab.interfaces[lab.cables[at]?.ends[0] ?? ''];
	const machine = machineAround(lab, thingOf(lab, at) ? at : (i?.node ?? ''));
	return machine ?? Object.values(lab.nodes).find((n) => n.kind === 'machine')?.id;
}

/** Adds a box from the palette of tools: by click or Enter, without a place of its own. */
export function addThing(shape: Shape, at?: { box?: string | undefined; x: number; y: number }): void {
	const lab = withPlaces(useLab.getState().lab, useGeometry.getState().places);
	const { inMachine, title } = shapes[shape];
	const box = inMachine ? (at ? at.box : boxForNew(lab)) : undefined;
	if (inMachine && !box) {
		toast({ kind: 'warn', text: `A ${title} is in a machine: drop it into a machine’s box.` });
		return;
	}
	const id = newID(isBridge(shape) ? 'i' : 'n');
	const name = freeName(lab, shape, box ?? '');
	const place = at ? { x: at.x, y: at.y } : placeFor(lab, shape, box ?? '');
	const made = isBridge(shape)
		? { addInterface: { id, node: box ?? '', name, kind: shape, place } }
		: { addNode: { id, name, kind: shape, place, ...(box ? { in: box } : {}) } };
	if (!edit([made])) return;
	focusOn(id);
	if (thingOf(useLab.getState().lab, id)) useView.setState({ renaming: id });
}

function placeFor(lab: Lab, shape: Shape, box: string): Place {
	if (isBridge(shape)) return bridgePlace(lab, box);
	if (shape === 'lan') return lanPlace(lab);
	return box ? freePlace(lab, box, sizes[shape]) : machinePlace(lab);
}

function selectAll(): void {
	const { lab } = useLab.getState();
	const box = boxForNew(lab);
	const inBox = box ? thingsIn(lab, box).map((t) => t.id) : [];
	const { selection } = useView.getState();
	const everything = [
		...Object.keys(lab.nodes),
		...Object.values(lab.interfaces).flatMap((i) => (isBox(lab, i) ? i.id : [])),
	];
	const all = inBox.length > 0 && !inBox.every((id) => selection.has(id)) ? inBox : everything;
	select(all);
}

function cancel(): void {
	const v = useView.getState();
	if (v.gesture.at === 'drawing') cable({ type: 'cancel' });
	else if (v.card || v.quickAdd || v.renaming)
		useView.setState({ card: undefined, quickAdd: undefined, renaming: undefined });
	else if (v.tool !== 'select') useView.setState({ tool: 'select' });
	else useView.setState({ selection: new Set(), frame: undefined, toasts: [] });
}

/** The nodes that a move would carry: what is in a machine goes along with it. */
function movable(): string[] {
	const { lab } = useLab.getState();
	const chosen = subjects().filter((id) => thingOf(lab, id));
	return chosen.filter((id) => !chosen.includes(thingOf(lab, id)?.within ?? ''));
}

/** A node is renamed where it is drawn, an interface in the inspector. */
function rename(): void {
	const id = subjects()[0];
	if (!id) return;
	if (thingOf(useLab.getState().lab, id)) {
		useView.setState({ renaming: id });
		return;
	}
	useView.setState({ inspector: true });
	requestAnimationFrame(() => document.querySelector<HTMLElement>('#inspector [data-editable]')?.click());
}

function enter(): void {
	if (useView.getState().gesture.at === 'drawing') {
		cable({ type: 'enter' });
		return;
	}
	useView.setState({ inspector: true });
	requestAnimationFrame(() => document.querySelector<HTMLElement>('#inspector [data-editable]')?.focus());
}

/** Shows the outline and goes there, or leaves it for the canvas. */
export function toggleOutline(): void {
	const outline = !useView.getState().outline;
	useView.setState({ outline });
	requestAnimationFrame(() => {
		if (outline) document.querySelector<HTMLElement>('[role="tree"] [tabindex="0"]')?.focus();
		else canvasView.focus();
		const { focus } = useView.getState();
		if (focus) canvasView.reveal(focus);
	});
}

const hasSubject = () => subjects().length > 0;
const isRunning = () => useLab.getState().status.state === 'running';
const labelNames = ['no labels', 'names', 'names and addresses', 'names, addresses and MACs'];

function dock(tab: DockTab): void {
	useView.setState((v) => ({ dock: { ...v.dock, open: true, tab } }));
}

export const commands: Command[] = [
	{ id: 'add', name: 'Quick add', group: 'Draw', keys: ['N'], run: quickAdd },
	...(Object.keys(shapes) as Shape[]).map(
		(shape): Command => ({
			id: `add-${shape}`,
			name: addWords(shape),
			group: 'Draw',
			keys: [],
			run: () => addThing(shape),
		}),
	),
	{
		id: 'cable',
		name: 'Draw a cable',
		group: 'Draw',
		keys: ['C'],
		run: () => {
			const { lab } = useLab.getState();
			const focus = useView.getState().focus;
			const from = focus && thingOf(lab, focus) ? focus : undefined;
			if (from) cable({ type: 'begin', node: from, pointer: middleOf(from) });
			else useView.setState({ tool: 'cable' });
			announce(from ? 'Cable: arrows or a name choose the other end, Enter joins' : 'Cable: click its two ends');
		},
	},
	{
		id: 'select-tool',
		name: 'Select tool',
		group: 'Draw',
		keys: ['V'],
		run: () => useView.setState({ tool: 'select' }),
	},
	{ id: 'hand-tool', name: 'Hand tool', group: 'Draw', keys: ['H'], run: () => useView.setState({ tool: 'hand' }) },
	{ id: 'undo', name: 'Undo', group: 'Edit', keys: ['Mod+Z'], everywhere: true, run: undo },
	{ id: 'redo', name: 'Redo', group: 'Edit', keys: ['Mod+Shift+Z', 'Mod+Y'], everywhere: true, run: redo },
	{
		id: 'rename',
		name: 'Rename',
		group: 'Edit',
		keys: ['F2'],
		enabled: hasSubject,
		run: rename,
	},
	{
		id: 'delete',
		name: 'Delete',
		group: 'Edit',
		keys: ['Delete', 'Backspace'],
		enabled: hasSubject,
		run: () => deleteThings(subjects()),
	},
	{
		id: 'move',
		name: 'Move by arrows',
		group: 'Edit',
		keys: ['M'],
		enabled: () => movable().length > 0,
		run: () => {
			const { places } = useGeometry.getState();
			const from = movable().map((id) => [id, places[id] ?? { x: 0, y: 0 }] as const);
			moveByKeys({ type: 'begin', from: Object.fromEntries(from) });
		},
	},
	{ id: 'up', name: 'Up or down', group: 'Edit', keys: ['U'], enabled: hasSubject, run: toggleUp },
	{
		id: 'edit',
		name: 'Edit in the inspector',
		group: 'Edit',
		keys: ['Enter'],
		enabled: () => hasSubject() || useView.getState().gesture.at === 'drawing',
		run: enter,
	},
	{ id: 'layout', name: 'Lay out automatically', group: 'Edit', keys: [], run: () => void layOut() },
	{ id: 'all', name: 'Select all in the box, then all', group: 'Select', keys: ['Mod+A'], run: selectAll },
	{ id: 'cancel', name: 'Leave, cancel', group: 'Select', keys: ['Escape'], run: cancel },
	{ id: 'left', name: 'Focus left', group: 'Select', keys: ['ArrowLeft'], run: () => move('left') },
	{ id: 'right', name: 'Focus right', group: 'Select', keys: ['ArrowRight'], run: () => move('right') },
	{ id: 'focus-up', name: 'Focus up', group: 'Select', keys: ['ArrowUp'], run: () => move('up') },
	{ id: 'focus-down', name: 'Focus down', group: 'Select', keys: ['ArrowDown'], run: () => move('down') },
	{ id: 'into', name: 'Into the box', group: 'Select', keys: ['Shift+ArrowDown'], run: intoBox },
	{ id: 'out', name: 'Out of the box', group: 'Select', keys: ['Shift+ArrowUp'], run: outOfBox },
	{ id: 'jack', name: 'Next jack', group: 'Select', keys: ['J'], run: () => nextJack(1) },
	{ id: 'jack-back', name: 'Previous jack', group: 'Select', keys: ['Shift+J'], run: () => nextJack(-1) },
	{ id: 'end', name: 'Other end of the cable', group: 'Select', keys: ['E'], run: theOtherEnd },
	{
		id: 'toggle',
		name: 'Toggle selection',
		group: 'Select',
		keys: ['Space'],
		run: () => {
			const { focus, selection } = useView.getState();
			if (focus) select(selection.has(focus) ? [...selection].filter((id) => id !== focus) : [...selection, focus]);
		},
	},
	{
		id: 'labels',
		name: 'Labels: none, names, addresses, MACs',
		group: 'View',
		keys: ['L'],
		run: () => {
			const labels = ((useView.getState().labels + 1) % 4) as Labels;
			useView.setState({ labels });
			announce(labelNames[labels] ?? '');
		},
	},
	{ id: 'zoom-100', name: 'Zoom to 100 %', group: 'View', keys: ['0'], run: () => canvasView.zoomTo(1) },
	{
		id: 'zoom-fit',
		name: 'Zoom to fit',
		group: 'View',
		keys: ['1'],
		run: () => canvasView.fit(bounds(useGeometry.getState().boxes)),
	},
	{
		id: 'zoom-selection',
		name: 'Zoom to the selection',
		group: 'View',
		keys: ['2'],
		run: () =>
			canvasView.fit(bounds(useGeometry.getState().boxes, new Set(subjects())) ?? bounds(useGeometry.getState().boxes)),
	},
	{ id: 'zoom-in', name: 'Zoom in', group: 'View', keys: ['+', '='], run: () => canvasView.zoomBy(1.25) },
	{ id: 'zoom-out', name: 'Zoom out', group: 'View', keys: ['-'], run: () => canvasView.zoomBy(0.8) },
	{
		id: 'outline',
		name: 'Outline',
		group: 'View',
		keys: ['O'],
		run: toggleOutline,
	},
	{
		id: 'inspector',
		name: 'Inspector',
		group: 'View',
		keys: ['I'],
		run: () => useView.setState((v) => ({ inspector: !v.inspector })),
	},
	{
		id: 'palette',
		name: 'Find a command',
		group: 'View',
		keys: ['Mod+K'],
		everywhere: true,
		run: () => useView.setState({ palette: 'commands' }),
	},
	{ id: 'keys', name: 'All keys', group: 'View', keys: ['?'], run: () => useView.setState({ palette: 'keys' }) },
	{
		id: 'stillness',
		name: 'Packets travel, or only light their cable',
		group: 'View',
		keys: [],
		run: () => useView.setState((v) => ({ stillness: !v.stillness })),
	},
	{
		id: 'theme-light',
		name: 'Light colours',
		group: 'View',
		keys: [],
		run: () => useView.setState({ theme: 'light' }),
	},
	{ id: 'theme-dark', name: 'Dark colours', group: 'View', keys: [], run: () => useView.setState({ theme: 'dark' }) },
	{
		id: 'theme-system',
		name: 'Colours as the system has them',
		group: 'View',
		keys: [],
		run: () => useView.setState({ theme: 'system' }),
	},
	{
		id: 'suggest',
		name: 'Suggest addresses for new cables, or not',
		group: 'Draw',
		keys: [],
		run: () => {
			const on = !useView.getState().suggestAddresses;
			useView.setState({ suggestAddresses: on });
			toast({ kind: 'info', text: on ? 'New cables get addresses.' : 'New cables get no addresses.' });
		},
	},
	{
		id: 'terminal',
		name: 'Terminal',
		group: 'Terminals',
		keys: ['T'],
		enabled: () => subjectNode() !== undefined,
		run: () => {
			const node = subjectNode();
			if (node) openTerminal(node);
		},
	},
	{ id: 'export-file', name: 'Export as a file (YAML)', group: 'Lab', keys: [], run: () => exportLab('yaml') },
	{ id: 'export-script', name: 'Export as a shell script', group: 'Lab', keys: [], run: () => exportLab('sh') },
	{ id: 'split', name: 'Split the terminal', group: 'Terminals', keys: [], run: splitTerminal },
	{ id: 'dock-terminals', name: 'Show terminals', group: 'Terminals', keys: [], run: () => dock('terminals') },
	{ id: 'dock-packets', name: 'Show packets', group: 'View', keys: [], run: () => dock('packets') },
	{ id: 'dock-commands', name: 'Show the command log', group: 'View', keys: [], run: () => dock('commands') },
	{ id: 'dock-probes', name: 'Show probes', group: 'View', keys: [], run: () => dock('probes') },
	{ id: 'dock-history', name: 'Show the history', group: 'View', keys: [], run: () => dock('history') },
	{ id: 'dock-notes', name: 'Show the notes', group: 'View', keys: [], run: () => dock('notes') },
	{
		id: 'ping',
		name: 'Ping from here',
		group: 'Lab',
		keys: [],
		enabled: isRunning,
		run: () => {
			useView.setState({ probeFrom: subjectNode() });
			dock('probes');
			requestAnimationFrame(() => document.getElementById('probe-to')?.focus());
		},
	},
	{
		id: 'start',
		name: 'Start the lab',
		group: 'Lab',
		keys: [],
		enabled: () => !isRunning(),
		run: () => void startLab(),
	},
	{ id: 'stop', name: 'Stop the lab', group: 'Lab', keys: [], enabled: isRunning, run: () => void stopLab() },
];

export const commandByID = new Map(commands.map((c) => [c.id, c]));

/** A key event as the list writes it: "Mod+Shift+Z". */
export function keyOf(e: KeyboardEvent): string {
	const mod = isMac ? e.metaKey : e.ctrlKey;
	const letter = /^[a-z]$/i.test(e.key);
	const key = e.key === ' ' ? 'Space' : letter ? e.key.toUpperCase() : e.key;
	const shift = e.shiftKey && (letter || e.key.length > 1);
	return `${mod ? 'Mod+' : ''}${e.altKey ? 'Alt+' : ''}${shift ? 'Shift+' : ''}${key}`;
}

const byKey = new Map(commands.flatMap((c) => c.keys.map((k) => [k, c] as const)));

/** What keys do while a cable is in the hand; nothing else should change the lab then. */
const whileDrawing = new Set(['left', 'right', 'focus-up', 'focus-down', 'into', 'out', 'edit', 'cancel']);

/** Runs the command of a key, if it has one here. */
export function runKey(e: KeyboardEvent, where: 'canvas' | 'elsewhere'): boolean {
	const c = byKey.get(keyOf(e));
	if (!c || (where === 'elsewhere' && !c.everywhere) || c.enabled?.() === false) return false;
	if (useView.getState().gesture.at === 'drawing' && !whileDrawing.has(c.id)) return false;
	c.run();
	return true;
}

/** A key for reading: "Ctrl+Shift+Z", "⌘ K". */
export function keyText(key: string): string {
	const arrows: Record<string, string> = {
		ArrowLeft: '←',
		ArrowRight: '→',
		ArrowUp: '↑',
		ArrowDown: '↓',
		Escape: 'Esc',
	};
	return key
		.split(/\+(?=.)/)
		.map((part) => (part === 'Mod' ? (isMac ? '⌘' : 'Ctrl') : (arrows[part] ?? part)))
		.join('+');
}
