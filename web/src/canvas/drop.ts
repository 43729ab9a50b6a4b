// What letting go of dragged nodes means: new places, or another machine.
import { freeMachineName } from '../commands/commands';
import { freeNodeName } from '../model/edit';
import { type Box, center, machineAt } from '../model/geometry';
import { newID } from '../model/lab';
import { edit, toast } from '../session/actions';
import { useGeometry, useLab, useView } from '../session/stores';
import type { Edit } from '../wire/types.gen';

const least = { x: 24, y: 44 }; // from a machine's corner, below its header

export function dropNodes(ids: string[]): void {
	const { lab } = useLab.getState();
	const g = useGeometry.getState();
	const { moving } = useView.getState();
	const edits: Edit[] = [];
	for (const id of ids) {
		const [node, at, box] = [lab.nodes[id], moving[id], g.boxes[id]];
		if (!node || !at || !box) continue;
		if (!node.in) {
			edits.push({ place: { id, x: snap(at.x), y: snap(at.y) } });
			continue;
		}
		const machine = machineAt(lab, g, center(box)) ?? (touches(box, g.boxes[node.in]) ? node.in : undefined);
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
		text: `A namespace is in a machine; \`${name}\` is back where it was.`,
		actions: [
			{
				label: 'New machine around it',
				run: () => {
					const machine = newID('n');
					const place = { x: snap(box.x - 40), y: snap(box.y - 64) };
					edit([
						{
							addNode: { id: machine, name: freeMachineName(), kind: 'machine', place },
						},
						{ updateNode: { id, in: machine } },
						{ place: { id, x: 40, y: 64 } },
					]);
				},
			},
		],
	});
}

function touches(a: Box, b: Box | undefined): boolean {
	return !!b && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

const snap = (n: number) => Math.round(n / 8) * 8;
