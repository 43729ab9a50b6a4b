// What letting go of nodes means, after a drag or after keys: new places, or another machine.
import { overlap } from '../model/boxes';
import { freeNodeName } from '../model/edit';
import { type Box, center, machineAt } from '../model/geometry';
import { kinds } from '../model/kinds';
import { newID } from '../model/lab';
import type { Places } from '../model/places';
import { freeName } from '../model/suggest';
import { thingOf } from '../model/things';
import { announce, edit, toast } from '../session/actions';
import { useGeometry, useLab, useView } from '../session/stores';
import type { Edit, Lab } from '../wire/types.gen';
import { type MoveEvent, moveGesture, placesOf } from './move';

const least = { x: 24, y: 44 }; // from a machine's corner, below its header

/** Whether a thing can be carried into another machine. */
function isInside(lab: Lab, id: string): boolean {
	const kind = lab.nodes[id]?.kind;
	return kind !== undefined && kinds[kind].inMachine;
}

/** Draws boxes where they are carried, and says which machine they would go into. */
export function carry(moving: Places): void {
	useView.setState({ moving });
	const { lab } = useLab.getState();
	const g = useGeometry.getState();
	const [only, ...others] = Object.keys(moving);
	const box = only && others.length === 0 ? g.boxes[only] : undefined;
	const into = only && box && isInside(lab, only) ? (machineAt(lab, g, center(box)) ?? '') : undefined;
	if (into && only && into !== useView.getState().dropInto && into !== lab.nodes[only]?.in) {
		announce(movesInto(lab, only, into));
	}
	useView.setState({ dropInto: into });
}

/** Said while a namespace is over another machine than its own. */
export function movesInto(lab: Lab, node: string, machine: string): string {
	return `Move ${lab.nodes[node]?.name} into ${lab.nodes[machine]?.name}; its processes end`;
}

/** One event of moving by keys. */
export function moveByKeys(e: MoveEvent): void {
	const before = useView.getState().keyMove;
	const keyMove = moveGesture(before, e);
	if (e.type === 'down' && before.at === 'moving') dropNodes(Object.keys(before.from));
	useView.setState({ keyMove });
	carry(placesOf(keyMove));
	if (e.type === 'begin' && keyMove.at === 'moving') {
		announce('Arrows move, Shift moves further; Enter puts it down, Escape puts it back');
	}
	if (e.type === 'cancel') announce('Back where it was');
}

export function dropNodes(ids: string[]): void {
	const { lab } = useLab.getState();
	const g = useGeometry.getState();
	const { moving } = useView.getState();
	const edits: Edit[] = [];
	for (const id of ids) {
		const [thing, at, box] = [thingOf(lab, id), moving[id], g.boxes[id]];
		if (!thing || !at || !box) continue;
		if (!thing.within) {
			edits.push({ place: { id, x: snap(at.x), y: snap(at.y) } });
			continue;
		}
		const node = lab.nodes[id];
		if (!node?.in) {
			edits.push({ place: { id, x: Math.max(least.x, snap(at.x)), y: Math.max(least.y, snap(at.y)) } });
			continue; // a bridge stays where its ports are
		}
		const own = g.boxes[node.in];
		const machine = machineAt(lab, g, center(box)) ?? (own && overlap(box, own) ? node.in : undefined);
		if (machine === undefined) {
			askWhere(id, box);
			continue;
		}
		const outer = g.boxes[machine];
		if (machine !== node.in) {
			const name = freeNodeName(lab, machine, node.name);
			edits.push({ updateNode: { id, in: machine, ...(name === node.name ? {} : { name }) } });
		}
		edits.push({
			place: {
				id,
				x: Math.max(least.x, snap(box.x - (outer?.x ?? 0))),
				y: Math.max(least.y, snap(box.y - (outer?.y ?? 0))),
			},
		});
	}
	edit(edits);
	useView.setState({ moving: {}, dropInto: undefined });
}

/** Outside any machine a namespace cannot be: it is back, and may get a machine of its own. */
function askWhere(id: string, box: Box): void {
	const { lab } = useLab.getState();
	const name = lab.nodes[id]?.name ?? '';
	toast({
		kind: 'warn',
		text: `A ${lab.nodes[id]?.kind} is in a machine; \`${name}\` is back where it was.`,
		actions: [
			{
				label: 'New machine around it',
				run: () => {
					const machine = newID('n');
					const place = { x: snap(box.x - 40), y: snap(box.y - 64) };
					edit([
						{
							addNode: { id: machine, name: freeName(lab, 'machine', ''), kind: 'machine', place },
						},
						{ updateNode: { id, in: machine } },
						{ place: { id, x: 40, y: 64 } },
					]);
				},
			},
		],
	});
}

const snap = (n: number) => Math.round(n / 8) * 8;
