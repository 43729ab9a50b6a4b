// What the keys of the canvas are about: the selection, else the focus, and how the focus moves.
import { cable, middleOf } from '../gestures/draw';
import { withNotes } from '../model/advice';
import { type Direction, nearestBox } from '../model/geometry';
import { cableOf, otherEnd } from '../model/lab';
import { outline, spoken } from '../model/outline';
import { holderOf, isBox, jacksOn, thingOf, thingsIn } from '../model/things';
import { announce, select } from '../session/actions';
import { useNotes } from '../session/notes';
import { useGeometry, useLab, useView } from '../session/stores';
import { canvasView } from '../session/viewport';

/** What the commands are about: the selection, else what has the focus. */
export function subjects(): string[] {
	const v = useView.getState();
	return v.selection.size > 0 ? [...v.selection] : v.focus ? [v.focus] : [];
}

/** The node that the focus is in or on. */
export function subjectNode(): string | undefined {
	const { lab } = useLab.getState();
	for (const id of subjects()) {
		if (lab.nodes[id]) return id;
		const node = lab.interfaces[id]?.node ?? lab.interfaces[lab.cables[id]?.ends[0] ?? '']?.node;
		if (node) return node;
	}
	const machines = Object.values(lab.nodes).filter((n) => !n.in);
	return machines.length === 1 ? machines[0]?.id : undefined;
}

export function focusOn(id: string | undefined): void {
	if (!id) return;
	const { lab, links, status } = useLab.getState();
	useView.setState({ focus: id, selection: new Set() });
	select([id]);
	canvasView.reveal(id);
	announce(withNotes(spoken(lab, id, links, status.state === 'running'), useNotes.getState().marks[id]));
}

export function move(direction: Direction): void {
	const { gesture, focus } = useView.getState();
	const { lab } = useLab.getState();
	const { boxes, jacks } = useGeometry.getState();
	if (gesture.at === 'drawing') {
		const at = gesture.target ?? gesture.from;
		const next = nearestTarget(at, gesture.from, direction);
		if (next) cable({ type: 'target', node: next });
		return;
	}
	const node = thingOf(lab, focus ?? '');
	if (!focus || (!node && !jacks[focus] && !lab.cables[focus])) {
		focusOn(outline(lab)[0]?.id);
		return;
	}
	// Nodes beside a node are those of the same box; so are those beside a jack or a cable.
	const end = lab.interfaces[lab.cables[focus]?.ends[0] ?? focus];
	const within = (node ?? thingOf(lab, end ? holderOf(lab, end) : ''))?.within;
	const candidates = Object.fromEntries(
		Object.entries(boxes).filter(([id]) => id !== focus && thingOf(lab, id)?.within === within),
	);
	const c = useGeometry.getState().curves[focus];
	const from = jacks[focus] ?? (c ? { x: (c[0].x + c[3].x) / 2, y: (c[0].y + c[3].y) / 2 } : middleOf(focus));
	focusOn(nearestBox(candidates, from, direction));
}

/** The next node that a cable from `from` could lead to: in the same box as `at`, else anywhere that way. */
function nearestTarget(at: string, from: string, direction: Direction): string | undefined {
	const { lab } = useLab.getState();
	const { boxes } = useGeometry.getState();
	const machine = thingOf(lab, at)?.within;
	const within = (isHere: boolean) =>
		Object.fromEntries(
			Object.entries(boxes).filter(([id]) => {
				if (id === at || id === from || id === machine) return false;
				return (thingOf(lab, id)?.within === machine) === isHere;
			}),
		);
	return nearestBox(within(true), middleOf(at), direction) ?? nearestBox(within(false), middleOf(at), direction);
}

/** The node that Shift and an arrow start from: what has the focus, or what a cable points at. */
function here(): string | undefined {
	const { focus, gesture } = useView.getState();
	return gesture.at === 'drawing' ? (gesture.target ?? gesture.from) : focus;
}

function goTo(id: string | undefined): void {
	const { gesture } = useView.getState();
	if (gesture.at !== 'drawing') focusOn(id);
	else if (id && thingOf(useLab.getState().lab, id) && id !== gesture.from) cable({ type: 'target', node: id });
}

export function intoBox(): void {
	const { lab } = useLab.getState();
	const box = thingOf(lab, here() ?? '');
	if (box) goTo((thingsIn(lab, box.id)[0] ?? jacksOn(lab, box.id)[0])?.id);
}

export function outOfBox(): void {
	const { lab } = useLab.getState();
	const at = here() ?? '';
	const i = lab.interfaces[at];
	goTo(thingOf(lab, at)?.within ?? (i && holderOf(lab, i)));
}

export function nextJack(step: 1 | -1): void {
	const { lab } = useLab.getState();
	const { focus } = useView.getState();
	const i = lab.interfaces[focus ?? ''];
	const box = i && !isBox(lab, i) ? holderOf(lab, i) : thingOf(lab, focus ?? '') ? focus : subjectNode();
	if (!box) return;
	const jacks = jacksOn(lab, box);
	const at = jacks.findIndex((i) => i.id === focus);
	focusOn(jacks[(at + step + jacks.length) % jacks.length]?.id);
}

export function theOtherEnd(): void {
	const { lab } = useLab.getState();
	const { focus } = useView.getState();
	const c = focus ? (cableOf(lab, focus) ?? lab.cables[focus]) : undefined;
	if (c && focus) focusOn(lab.cables[focus] ? c.ends[0] : otherEnd(c, focus));
}
