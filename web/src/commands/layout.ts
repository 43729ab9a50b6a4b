// Automatic layout by elkjs, in a worker: positions only, one entry of the history.
import ELK, { type ElkNode } from 'elkjs/lib/elk-api';
import workerURL from 'elkjs/lib/elk-worker.min.js?url';
import { bounds, type Geometry } from '../model/geometry';
import { childrenOf, machineOf, nodesInOrder } from '../model/lab';
import { headerHeight, padding, sizes } from '../model/sizes';
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
	'elk.layered.spacing.nodeNodeBetweenLayers': '216', // the labels of a cable's two ends
};

/** The lab as elkjs takes it. A cable to the machine that its node is in leads to the border, and says nothing. */
function graphOf(lab: Lab, boxes: Geometry['boxes']): ElkNode {
	const leaf = (id: string): ElkNode => ({ id, width: boxes[id]?.w ?? 132, height: boxes[id]?.h ?? 64 });
	const edges = Object.values(lab.cables).flatMap((c) => {
		const [a, b] = c.ends.map((end) => lab.interfaces[end]?.node);
		if (!a || !b || a === b || lab.nodes[a]?.in === b || lab.nodes[b]?.in === a) return [];
		return [{ id: c.id, sources: [a], targets: [b] }];
	});
	const crosses = edges.some(({ sources: [a], targets: [b] }) => machineOf(lab, a ?? '') !== machineOf(lab, b ?? ''));
	return {
		id: 'lab',
		// Only apart are nodes that no cable joins packed side by side.
		layoutOptions: { ...spacing, 'elk.hierarchyHandling': crosses ? 'INCLUDE_CHILDREN' : 'SEPARATE_CHILDREN' },
		children: nodesInOrder(lab)
			.filter((n) => !n.in)
			.map((m) => ({
				...leaf(m.id),
				layoutOptions: {
					...spacing,
					'elk.padding': `[top=${headerHeight + 28},left=40,bottom=${padding + 8},right=40]`,
					'elk.nodeSize.constraints': 'MINIMUM_SIZE',
					'elk.nodeSize.minimum': `(${sizes.machine.w},${sizes.machine.h})`,
				},
				children: childrenOf(lab, m.id).map((n) => leaf(n.id)),
			})),
		edges,
	};
}

export async function layOut(): Promise<void> {
	const graph = graphOf(useLab.getState().lab, useGeometry.getState().boxes);
	const elk = new ELK({ workerFactory: () => new Worker(workerURL) });
	try {
		const late = new Promise<undefined>((resolve) => setTimeout(resolve, patience));
		const done = await Promise.race([elk.layout(graph), late]);
		if (!done) {
			toast({ kind: 'warn', text: 'The layout took over 2 s; the picture stays as it was.' });
			return;
		}
		const edits: Edit[] = [];
		for (const m of done.children ?? []) {
			edits.push({ place: { id: m.id, x: snap(m.x), y: snap(m.y) } });
			for (const n of m.children ?? []) edits.push({ place: { id: n.id, x: snap(n.x), y: snap(n.y) } });
		}
		if (edit(edits)) canvasView.fit(bounds(useGeometry.getState().boxes));
	} catch (err) {
		toast({ kind: 'error', text: `The layout failed: ${String(err)}` });
	} finally {
		elk.terminateWorker();
	}
}

const snap = (n: number | undefined) => Math.round((n ?? 0) / 8) * 8;
