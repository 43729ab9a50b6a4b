// What one open lab is on this page: the lab itself, its connection, what the user looks at, and where things are drawn.
// Components subscribe to one field of one thing.
import { create } from 'zustand';
import type { MoveGesture } from '../gestures/move';
import { FrameLog } from '../model/frames';
import { type Geometry, noGeometry, type Point } from '../model/geometry';
import { initialState, type LabState } from '../model/state';
import { Traffic } from '../model/traffic';
import type { LinkStatus } from '../transport/connection';

export const useLab = create<LabState>()(() => initialState);
export const useGeometry = create<Geometry>()(() => noGeometry);

export interface LinkState {
	status: LinkStatus;
	/** Changes that are not answered yet. */
	waiting: number;
	/** ms; of the newest answer. */
	roundTrip: number | undefined;
}

export const useLink = create<LinkState>()(() => ({
	status: { kind: 'connecting', since: 0 },
	waiting: 0,
	roundTrip: undefined,
}));

export type DockTab = 'terminals' | 'packets' | 'commands' | 'probes' | 'history' | 'notes';
export type Tool = 'select' | 'hand' | 'cable';
export type Labels = 0 | 1 | 2 | 3; // none, names, + addresses, + MAC

export interface Toast {
	id: string;
	kind: 'info' | 'warn' | 'error';
	text: string;
	actions?: ToastAction[];
}

export interface ToastAction {
	label: string;
	run: () => void;
}

/** A cable that is being drawn or plugged elsewhere; gestures/cable.ts moves it from state to state. */
export type CableGesture =
	| { at: 'idle' }
	| {
			at: 'drawing';
			by: 'drag' | 'clicks' | 'keys';
			from: string;
			/** Plugging an end elsewhere: the interface that is in the hand. `from` is then the node at the other end. */
			end?: string;
			pointer: Point;
			target?: string;
			reason?: string;
			typed?: string;
	  };

export interface QuickAddAt {
	/** On the canvas. */
	at: Point | undefined;
	machine: string | undefined;
	text: string;
}

export interface View {
	selection: ReadonlySet<string>;
	focus: string | undefined;
	hover: string | undefined;
	tool: Tool;
	labels: Labels;
	gesture: CableGesture;
	keyMove: MoveGesture;
	/** Nodes under the pointer, by where they are: relative to their machine. */
	moving: Readonly<Record<string, Point>>;
	/** The machine that a dragged namespace would go into; "" is none. */
	dropInto: string | undefined;
	quickAdd: QuickAddAt | undefined;
	/** The cable whose card is open. */
	card: string | undefined;
	renaming: string | undefined;
	inspector: boolean;
	/** Whether the inspector shows a node's rules, and is as wide as they need. */
	firewall: boolean;
	outline: boolean;
	palette: 'closed' | 'commands' | 'keys';
	dock: { open: boolean; tab: DockTab; height: number };
	/** The change in the history that is looked at: the lab right after it is drawn over the lab as ghosts. */
	preview: number | undefined;
	/** The frame whose row is selected: its cable is marked. */
	frame: { no: number; to: string } | undefined;
	probeFrom: string | undefined;
	probeTo: string;
	toasts: Toast[];
	announcement: string;
	theme: 'system' | 'light' | 'dark';
	suggestAddresses: boolean;
	stillness: boolean; // no travelling tokens
	fontSize: number;
	/** Whether pasting several lines shows them first. */
	pasteAsks: boolean;
}

/** What this device remembers. */
const keptKeys = [
	'labels',
	'dock',
	'firewall',
	'theme',
	'suggestAddresses',
	'stillness',
	'fontSize',
	'pasteAsks',
] as const;
type Remembered = Partial<Pick<View, (typeof keptKeys)[number]>>;
const rememberAs = 'vethlab.view';
const remembered = readRemembered();
const tall = typeof innerHeight === 'number' && innerHeight >= 1300;

export const useView = create<View>()(() => ({
	selection: new Set<string>(),
	focus: undefined,
	hover: undefined,
	tool: 'select',
	labels: remembered.labels ?? 2,
	gesture: { at: 'idle' },
	keyMove: { at: 'resting' },
	moving: {},
	dropInto: undefined,
	quickAdd: undefined,
	card: undefined,
	renaming: undefined,
	inspector: true,
	firewall: remembered.firewall ?? false,
	outline: false,
	palette: 'closed',
	dock: remembered.dock ?? { open: true, tab: 'terminals', height: tall ? 480 : 220 },
	preview: undefined,
	frame: undefined,
	probeFrom: undefined,
	probeTo: '',
	toasts: [],
	announcement: '',
	theme: remembered.theme ?? 'system',
	suggestAddresses: remembered.suggestAddresses ?? true,
	stillness: remembered.stillness ?? false,
	fontSize: remembered.fontSize ?? 13,
	pasteAsks: remembered.pasteAsks ?? true,
}));

function readRemembered(): Remembered {
	try {
		return JSON.parse(localStorage.getItem(rememberAs) ?? '{}') as Remembered;
	} catch {
		return {}; // storage is off, or what is there was not ours
	}
}

useView.subscribe((v, before) => {
	if (keptKeys.every((k) => v[k] === before[k])) return;
	try {
		localStorage.setItem(rememberAs, JSON.stringify(Object.fromEntries(keptKeys.map((k) => [k, v[k]]))));
	} catch {
		// Without storage the page starts from its defaults each time.
	}
});

export const frameLog = new FrameLog();
export const traffic = new Traffic();
