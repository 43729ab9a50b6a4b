// The cable gesture at work: feeds the table with what pointer and keys do, and carries out what comes of it.
import { pointOn } from '../model/curves';
import { bounds, type Curve, center, type Point } from '../model/geometry';
import { replugged, suggestCable } from '../model/suggest';
import { machineAround, thingOf } from '../model/things';
import { asSentence } from '../model/wording';
import { announce, edit, select, toast } from '../session/actions';
import { useGeometry, useLab, useView } from '../session/stores';
import { canvasView } from '../session/viewport';
import { type CableEvent, type CableResult, cableGesture } from './cable';

export function cable(e: CableEvent): void {
	const view = useView.getState();
	const world = { lab: useLab.getState().lab, geometry: useGeometry.getState() };
	const { state, result } = cableGesture(view.gesture, e, world);
	if (state !== view.gesture) useView.setState({ gesture: state });
	if (state.at === 'drawing' && (e.type === 'target' || e.type === 'type' || e.type === 'erase')) {
		const name = thingOf(world.lab, state.target ?? '')?.name;
		if (!name) announce(`nothing begins with ${state.typed}`);
		else announce(state.reason ? `${name}: ${state.reason}` : `cable to ${name}, Enter joins`);
	}
	if (result) carryOut(result);
}

function carryOut(result: CableResult): void {
	const { lab } = useLab.getState();
	switch (result.do) {
		case 'connect':
			connect(result.from, result.to);
			break;
		case 'replug':
			edit([{ updateInterface: replugged(lab, result.end, result.to) }]);
			break;
		case 'nowhere': {
			const name = thingOf(lab, result.from)?.name ?? '';
			useView.setState({
				quickAdd: { at: result.at, machine: machineAround(lab, result.from), text: `${name} -- ` },
			});
			break;
		}
		case 'refused':
			toast({ kind: 'warn', text: `${asSentence(lab, result.reason)}.` });
	}
}

/** Joins two boxes with names and addresses that are likely wanted, and opens the card to change them. */
export function connect(from: string, to: string): void {
	const { lab } = useLab.getState();
	const addCable = suggestCable(lab, from, to, { addresses: useView.getState().suggestAddresses });
	if (!edit([{ addCable }])) return;
	select([addCable.id]);
	useView.setState({ card: addCable.id, focus: addCable.id, tool: 'select' });
	const { boxes, curves } = useGeometry.getState();
	const both = bounds(boxes, new Set([from, to]));
	const curve = curves[addCable.id];
	if (!both || !curve) return;
	const below = cardTop(curve) + cardHeight - both.y; // the card is to be seen, too
	canvasView.show({ ...both, h: Math.max(both.h, below) });
}

const cardHeight = 124; // of a new cable's card, with nothing to complain about

/** Where the card of a cable begins: below the cable and its labels. */
export function cardTop(curve: Curve): number {
	return Math.max(pointOn(curve, 0.5).y, curve[0].y, curve[3].y) + 36;
}

/** Where a gesture by keys starts: the middle of its node. */
export function middleOf(id: string): Point {
	const box = useGeometry.getState().boxes[id];
	return box ? center(box) : center(bounds(useGeometry.getState().boxes) ?? { x: 0, y: 0, w: 0, h: 0 });
}
