// Automatic layout by elkjs, in a worker: positions only, one entry of the history.
import ELK, { type ElkNode } from 'elkjs/lib/elk-api';
import workerURL from 'elkjs/lib/elk-worker.min.js?url';
import { bounds, type Geometry } from '../model/geometry';
import { slotsFor } from '../model/places';
import { headerHeight, padding, sizes } from '../model/sizes';
import { holderOf, isBar, machineAround, type Thing, thingsOf } from '../model/things';
import { edit, toast } from '../session/actions';
import { useGeometry, useLab } from '../session/stores';
import { canvasView } from '../session/viewport';
import type { Edit, Lab } from '../wire/types.gen';

const patience = 2000; // ms; after that the picture stays as it is

const spacing = {
	'elk.algorithm': 'layered',
	'elk.aspectRatio': '1.8', // of what is not joined, side by side
	'elk.spacing.nodeNode': '64',
	'elk.spacing.componentComponent': '72',
};

/** The lab as elkjs takes it. A cable to the box that its node is in leads to the border, and says nothing. */
function graphOf(lab: Lab, boxes: Geometry['boxes']): ElkNode {
	const things = thingsOf(lab);
	const within = new Map(things.map((t) => [t.id, t.within]));
	const machine = (id: string | undefined) => (id ? (machineAround(lab, id) ?? id) : undefined);
	const edges = Object.values(lab.cables).flatMap((c) => {
		const [a, b] = c.ends.map((end) => {
			const i = lab.interfaces[end];
			return i && holderOf(lab, i);
		});
		if (!a || !b || a === b || within.get(a) === b || within.get(b) === a) return [];
		return [{ id: c.id, sources: [a], targets: [b] }];
	});
	const crosses = edges.some(({ sources: [a], targets: [b] }) => machine(a) !== machine(b));
	const hasBars = things.some((t) => isBar(t.shape));
	const direction = { 'elk.direction': hasBars ? 'DOWN' : 'RIGHT' }; // bars have their jacks above and below
	const layers = { 'elk.layered.spacing.nodeNodeBetweenLayers': hasBars ? '104' : '216' }; // labels of a cable's two ends
	const options = { ...spacing, ...direction, ...layers };
	const nodeOf = (t: Thing): ElkNode => {
		const leaf: ElkNode = { id: t.id, width: boxes[t.id]?.w ?? 132, height: boxes[t.id]?.h ?? 64 };
		const inner = things.filter((c) => c.within === t.id);
		if (inner.length === 0 && t.shape !== 'machine') return leaf;
		return {
			...leaf,
			layoutOptions: {
				...options,
				'elk.padding': `[top=${headerHeight + 28},left=40,bottom=${padding + 24},right=40]`,
				'elk.nodeSize.constraints': 'MINIMUM_SIZE',
				'elk.nodeSize.minimum': `(${sizes[t.shape].w},${sizes[t.shape].h})`,
			},
			children: inner.map(nodeOf),
		};
	};
	return {
		id: 'lab',
		// Only apart are nodes that no cable joins packed side by side.
		layoutOptions: { ...options, 'elk.hierarchyHandling': crosses ? 'INCLUDE_CHILDREN' : 'SEPARATE_CHILDREN' },
		children: things.filter((t) => !t.within).map(nodeOf),
		edges,
	};
}

/** A place for every box, each relative to the one around it. */
function placesIn(graph: ElkNode): Edit[] {
	return (graph.children ?? []).flatMap((n) => [{ place: { id: n.id, x: snap(n.x), y: snap(n.y) } }, ...placesIn(n)]);
}

/** Whether a layout is too wide to be looked at: one layer has all that is plugged into a bridge. */
function isStrip({ width = 0, height = 0 }: ElkNode): boolean {
	return width > 4 * height && width > 3000;
}

/** Places as they are where nobody has put anything anywhere: there many stand in rows. */
function unplaced(lab: Lab): Edit[] {
	return Object.entries(slotsFor({ ...lab, places: {} })).map(([id, place]) => ({ place: { id, ...place } }));
}

let worker: ReturnType<typeof started> | undefined; // one for all layouts: it takes longer to start than to lay out

/** A worker that has laid something out already, so that the patience is for the lab alone. */
async function started() {
	const elk = new ELK({ workerFactory: () => new Worker(workerURL) });
	const [a, b] = [
		{ id: 'a', width: 8, height: 8 },
		{ id: 'b', width: 8, height: 8 },
	];
	const edges = [{ id: 'c', sources: ['a'], targets: ['b'] }];
	await elk.layout({ id: 'first', layoutOptions: spacing, children: [a, b], edges });
	return elk;
}

export async function layOut(): Promise<void> {
	try {
		worker ??= started();
		const elk = await worker;
		const graph = graphOf(useLab.getState().lab, useGeometry.getState().boxes);
		const late = new Promise<undefined>((resolve) => setTimeout(resolve, patience));
		const done = await Promise.race([elk.layout(graph), late]);
		if (!done) {
			elk.terminateWorker();
			worker = undefined;
			toast({ kind: 'warn', text: 'The layout took over 2 s; the picture stays as it was.' });
			return;
		}
		const places = isStrip(done) ? unplaced(useLab.getState().lab) : placesIn(done);
		if (edit(places)) canvasView.fit(bounds(useGeometry.getState().boxes));
	} catch (err) {
		worker = undefined;
		toast({ kind: 'error', text: `The layout failed: ${String(err)}` });
	}
}

const snap = (n: number | undefined) => Math.round((n ?? 0) / 8) * 8;
