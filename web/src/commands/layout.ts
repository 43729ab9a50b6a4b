// Automatic layout by elkjs, in a worker: positions only, one entry of the history.
import ELK, { type ElkNode } from 'elkjs/lib/elk-api';
import workerURL from 'elkjs/lib/elk-worker.min.js?url';
import { headerHeight, machineSize, padding } from '../model/geometry';
import { childrenOf, nodesInOrder } from '../model/lab';
import { edit, toast } from '../session/actions';
import { useGeometry, useLab } from '../session/stores';
import type { Edit } from '../wire/types.gen';

const patience = 2000; // ms; after that the picture stays as it is

export async function layOut(): Promise<void> {
	const { lab } = useLab.getState();
	const { boxes } = useGeometry.getState();
	const leaf = (id: string): ElkNode => ({ id, width: boxes[id]?.w ?? 132, height: boxes[id]?.h ?? 64 });
	const graph: ElkNode = {
		id: 'lab',
		layoutOptions: {
			'elk.algorithm': 'layered',
			'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
			'elk.spacing.nodeNode': '64',
			'elk.layered.spacing.nodeNodeBetweenLayers': '208',
		},
		children: nodesInOrder(lab)
			.filter((n) => !n.in)
			.map((m) => ({
				...leaf(m.id),
				layoutOptions: {
					'elk.padding': `[top=${headerHeight + 28},left=40,bottom=${padding + 8},right=40]`,
					'elk.nodeSize.constraints': 'MINIMUM_SIZE',
					'elk.nodeSize.minimum': `(${machineSize.w},${machineSize.h})`,
				},
				children: childrenOf(lab, m.id).map((n) => leaf(n.id)),
			})),
		edges: Object.values(lab.cables).flatMap((c) => {
			const [a, b] = c.ends.map((end) => lab.interfaces[end]?.node);
			return a && b && a !== b ? [{ id: c.id, sources: [a], targets: [b] }] : [];
		}),
	};
	const elk = new ELK({ workerFactory: () => new Worker(workerURL) });
	try {
		const late = new Promise<undefined>((resolve) => setTimeout(resolve, patience));
		const done = await Promise.race([elk.layout(graph), late]);
		if (!done) return toast({ kind: 'warn', text: 'The layout took over 2 s; the picture stays as it was.' });
		const edits: Edit[] = [];
		for (const m of done.children ?? []) {
			edits.push({ place: { id: m.id, x: snap(m.x), y: snap(m.y) } });
			for (const n of m.children ?? []) edits.push({ place: { id: n.id, x: snap(n.x), y: snap(n.y) } });
		}
		edit(edits);
	} catch (err) {
		toast({ kind: 'error', text: `The layout failed: ${String(err)}` });
	} finally {
		elk.terminateWorker();
	}
}

const snap = (n: number | undefined) => Math.round((n ?? 0) / 8) * 8;
