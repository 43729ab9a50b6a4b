// The drawing. React Flow pans, zooms, drags and selects; boxes, jacks and cables are our own, from the model's geometry.
import {
	Background,
	BackgroundVariant,
	type Node as FlowNode,
	type NodeChange,
	ReactFlow,
	ReactFlowProvider,
	SelectionMode,
	useReactFlow,
	useStoreApi,
	ViewportPortal,
} from '@xyflow/react';
import { memo, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { addThing, runKey } from '../commands/commands';
import { cable } from '../gestures/draw';
import { carry, dropNodes, moveByKeys } from '../gestures/drop';
import { moveKey } from '../gestures/move';
import { withNotes } from '../model/advice';
import { pointOn } from '../model/curves';
import { type Box, bounds, boxAt, type Geometry, jackAt, type Point, thingAt } from '../model/geometry';
import { kinds } from '../model/kinds';
import { outline, spoken } from '../model/outline';
import { type Size, sizes } from '../model/sizes';
import { depthOf, holderOf, type Shape, shapes, thingOf, thingsOf } from '../model/things';
import { select } from '../session/actions';
import { useNotes } from '../session/notes';
import { useGeometry, useLab, useView } from '../session/stores';
import { openTerminal } from '../session/terminals';
import { canvasView, far } from '../session/viewport';
import type { Lab } from '../wire/types.gen';
import { BarNode } from './Bars';
import { CableCard } from './CableCard';
import { CableLayer, FailureLayer, JackLayer } from './Cables';
import { GhostLayer } from './Ghosts';
import { InternetNode, MachineNode, NamespaceNode } from './Nodes';
import { NoteLayer } from './NoteMarks';
import { QuickAdd } from './QuickAdd';
import { Rename } from './Rename';
import { TokenCanvas } from './Tokens';

const nodeTypes: Readonly<Record<Shape, typeof MachineNode>> = {
	machine: MachineNode,
	namespace: NamespaceNode,
	container: NamespaceNode,
	bridge: BarNode,
	ovs: BarNode,
	lan: BarNode,
	internet: InternetNode,
};
const near = 0.8; // what is looked for is shown at least so large, where it is small
const tiny = 0.3; // below this zoom, a border of 2 px is not seen
const minZoom = 0.04; // shows a thousand namespaces on one bridge

/** The step that a zoom is in, as a class: what is drawn changes from step to step, and not with each frame. */
function distanceOf(zoom: number): string {
	return zoom >= far ? '' : zoom >= tiny ? 'is-far' : 'is-far is-tiny';
}

type LabNode = FlowNode<Record<string, never>, Shape>;
const noData = {};

/** React Flow's nodes; objects of things that have not changed stay the same. */
function flowNodes(
	lab: Lab,
	boxes: Geometry['boxes'],
	selection: ReadonlySet<string>,
	before: Map<string, LabNode>,
): LabNode[] {
	const nodes: LabNode[] = [];
	const things = thingsOf(lab);
	const holders = new Set(things.map((t) => t.within));
	for (const t of things) {
		const box = boxes[t.id];
		if (!box) continue;
		const old = before.get(t.id);
		const selected = selection.has(t.id);
		const type = t.shape;
		const zIndex = type === 'machine' || holders.has(t.id) ? depthOf(lab, t.id) : 10; // cables are above what holds others
		const same =
			old &&
			old.selected === selected &&
			old.position.x === box.x &&
			old.position.y === box.y &&
			old.width === box.w &&
			old.height === box.h &&
			old.zIndex === zIndex &&
			old.type === type;
		const node: LabNode = same
			? old
			: {
					id: t.id,
					type,
					data: noData,
					position: { x: box.x, y: box.y },
					width: box.w,
					height: box.h,
					measured: { width: box.w, height: box.h },
					selected,
					zIndex,
					...(type === 'machine' ? { dragHandle: '.machine-header', style: { pointerEvents: 'none' } } : {}),
				};
		before.set(t.id, node);
		nodes.push(node);
	}
	return nodes;
}

export function Canvas() {
	return (
		<ReactFlowProvider>
			<Pane />
		</ReactFlowProvider>
	);
}

function Pane() {
	const lab = useLab((s) => s.lab);
	const loaded = useLab((s) => s.loaded);
	const boxes = useGeometry((g) => g.boxes);
	const selection = useView((v) => v.selection);
	const tool = useView((v) => v.tool);
	const drawing = useView((v) => v.gesture.at === 'drawing');
	const labels = useView((v) => v.labels);
	const flow = useReactFlow();
	const store = useStoreApi();
	const root = useRef<HTMLDivElement>(null);
	const known = useRef(new Map<string, LabNode>());
	const [distance, setDistance] = useState('');
	const nodes = useMemo(() => flowNodes(lab, boxes, selection, known.current), [lab, boxes, selection]);

	useEffect(() => store.subscribe((s) => setDistance(distanceOf(s.transform[2]))), [store]);
	useEffect(() => {
		canvasView.zoomTo = (zoom) => void flow.zoomTo(zoom, { duration: 0 });
		canvasView.zoomBy = (factor) => void flow.zoomTo(flow.getZoom() * factor, { duration: 0 });
		canvasView.toCanvas = (p) => flow.screenToFlowPosition(p);
		canvasView.toScreen = (p) => flow.flowToScreenPosition(p);
		canvasView.focus = () => root.current?.focus();
		canvasView.fit = (box) => {
			const room = roomOf(root.current);
			if (!box || !room) return;
			centre(flow, box, room, Math.max(minZoom, Math.min(1, fitting(box, room))));
		};
		canvasView.show = (box) => {
			const room = roomOf(root.current);
			if (!box || !room) return;
			const { zoom } = flow.getViewport();
			if (box.w * zoom > room.w - 2 * margin || box.h * zoom > room.h - 2 * margin) canvasView.fit(box);
			else panTo(flow, box, room);
		};
		canvasView.reveal = (id) => {
			const room = roomOf(root.current);
			const box = boxOf(id);
			if (box && room) panTo(flow, box, room);
		};
		canvasView.find = (id) => {
			const room = roomOf(root.current);
			const box = boxOf(id);
			if (!box || !room) return;
			const { zoom } = flow.getViewport();
			const wanted = Math.min(near, fitting(box, room));
			if (zoom >= far || zoom >= wanted) panTo(flow, box, room);
			else centre(flow, box, room, wanted);
		};
	}, [flow]);
	useEffect(() => {
		if (!loaded) return;
		canvasView.fit(bounds(useGeometry.getState().boxes));
		const first = outline(useLab.getState().lab)[0];
		if (first) useView.setState({ focus: first.id });
		if (document.activeElement === document.body) root.current?.focus();
	}, [loaded]);

	useEffect(() => watchPointer(), []);
	const onNodesChange = useCallback((changes: NodeChange<LabNode>[]) => changed(changes), []);
	const onKeyDown = (e: React.KeyboardEvent) => {
		const target = e.target as HTMLElement;
		if (target.closest('input, textarea, select, button, [role="dialog"]')) return;
		if (drawingKey(e) || movingKey(e)) {
			e.preventDefault();
			return;
		}
		if (runKey(e.nativeEvent, 'canvas')) {
			e.preventDefault();
			e.stopPropagation();
		}
	};

	return (
		<div
			ref={root}
			id="canvas"
			data-testid="canvas"
			role="application"
			aria-label="Canvas"
			aria-roledescription="network drawing"
			aria-activedescendant={useActive()}
			// biome-ignore lint/a11y/noNoninteractiveTabindex: the canvas is one tab stop with keys of its own
			tabIndex={0}
			className={`canvas tool-${tool} labels-${labels} ${distance} ${drawing ? 'is-drawing' : ''}`}
			onKeyDown={onKeyDown}
			onBlur={(e) => {
				const moving = useView.getState().keyMove.at === 'moving';
				if (moving && !e.currentTarget.contains(e.relatedTarget)) moveByKeys({ type: 'cancel' });
			}}
			onDragOver={(e) => e.dataTransfer.types.includes(dragType) && e.preventDefault()}
			onDrop={dropped}
		>
			<ReactFlow
				nodes={nodes}
				edges={noEdges}
				nodeTypes={nodeTypes}
				onNodesChange={onNodesChange}
				onNodeDragStop={(_, __, dragged) => dropNodes(dragged.map((n) => n.id))}
				onPaneClick={paneClicked}
				onNodeClick={nodeClicked}
				onNodeDoubleClick={(_, n) => doubleClicked(n.id)}
				nodesFocusable={false}
				edgesFocusable={false}
				nodesConnectable={false}
				disableKeyboardA11y
				deleteKeyCode={null}
				selectionKeyCode="Shift"
				multiSelectionKeyCode={['Shift', 'Control', 'Meta']}
				panActivationKeyCode="Space"
				selectionOnDrag={tool === 'select' && !drawing}
				panOnDrag={tool === 'hand' ? true : [1]}
				nodesDraggable={tool === 'select' && !drawing}
				panOnScroll
				zoomOnDoubleClick={false}
				zoomActivationKeyCode={['Control', 'Meta']}
				selectionMode={SelectionMode.Full}
				nodeDragThreshold={4}
				snapToGrid
				snapGrid={snapGrid}
				elevateNodesOnSelect={false}
				minZoom={minZoom}
				maxZoom={3}
				proOptions={{ hideAttribution: true }}
			>
				<Background id="fine" variant={BackgroundVariant.Dots} gap={24} size={1} color="var(--graticule)" />
				<Background id="fifth" variant={BackgroundVariant.Dots} gap={120} size={2} color="var(--graticule)" />
				<ViewportPortal>
					<CableLayer />
					<JackLayer />
					<GhostLayer />
					<FailureLayer />
					<NoteLayer />
					<GestureLayer />
				</ViewportPortal>
			</ReactFlow>
			<TokenCanvas />
			<CableCard />
			<Rename />
			<QuickAdd />
			<EmptyHint />
		</div>
	);
}

/** While a cable is in the hand, letters are the name of where it leads. */
function drawingKey(e: React.KeyboardEvent): boolean {
	if (useView.getState().gesture.at !== 'drawing' || e.ctrlKey || e.metaKey || e.altKey) return false;
	if (e.key === 'Backspace') cable({ type: 'erase' });
	else if (/^[a-z0-9._-]$/i.test(e.key)) cable({ type: 'type', text: e.key });
	else return false;
	return true;
}

/** While nodes move by keys, no other key means anything. */
function movingKey(e: React.KeyboardEvent): boolean {
	if (useView.getState().keyMove.at === 'resting' || e.key === 'Tab') return false;
	const event = moveKey(e.key, e.shiftKey);
	if (event) moveByKeys(event);
	return true;
}

const noEdges: never[] = [];
const snapGrid: [number, number] = [8, 8];
export const dragType = 'application/x-vethlab-node';

function useActive(): string | undefined {
	const focus = useView((v) => v.focus);
	return focus ? `item-${focus}` : undefined;
}

let additive = false; // whether the press that is going on adds to the selection

function changed(changes: NodeChange<LabNode>[]): void {
	const { lab } = useLab.getState();
	const { boxes } = useGeometry.getState();
	const view = useView.getState();
	const moving = { ...view.moving };
	const selection = new Set(view.selection);
	let moved = false;
	let selected = false;
	const machineFirst = [...changes].sort((a, b) => depth(lab, a) - depth(lab, b));
	for (const c of machineFirst) {
		if (c.type === 'position' && c.position && c.dragging) {
			const within = thingOf(lab, c.id)?.within;
			const origin = within ? cornerOf(lab, within, moving, boxes) : { x: 0, y: 0 };
			moving[c.id] = { x: c.position.x - origin.x, y: c.position.y - origin.y };
			moved = true;
		} else if (c.type === 'select') {
			if (c.selected) selection.add(c.id);
			else selection.delete(c.id);
			selected = true;
		}
	}
	if (moved) carry(moving);
	if (selected) {
		// React Flow knows no cables: without Shift, choosing a node lets go of them.
		if (!additive && changes.some((c) => c.type === 'select' && c.selected)) {
			for (const id of selection) if (!thingOf(lab, id)) selection.delete(id);
		}
		const fresh = [...selection].find((id) => !view.selection.has(id) && thingOf(lab, id));
		select(selection);
		if (fresh) useView.setState({ focus: fresh, card: undefined });
	}
}

const middle = (b: Box): Point => ({ x: b.x + b.w / 2, y: b.y + b.h / 2 });

function depth(lab: Lab, c: NodeChange<LabNode>): number {
	return 'id' in c ? depthOf(lab, c.id) : 0;
}

/** Where a box's corner is while it, or what it is in, is carried. */
function cornerOf(lab: Lab, id: string, moving: Readonly<Record<string, Point>>, boxes: Geometry['boxes']): Point {
	const within = thingOf(lab, id)?.within;
	const own = boxes[id] ?? { x: 0, y: 0 };
	if (!within) return moving[id] ?? own;
	const outer = boxes[within] ?? { x: 0, y: 0 };
	const origin = cornerOf(lab, within, moving, boxes);
	const at = moving[id] ?? { x: own.x - outer.x, y: own.y - outer.y };
	return { x: origin.x + at.x, y: origin.y + at.y };
}

/** Opens a shell; a bridge is in somebody's, and a LAN has none. */
function doubleClicked(id: string): void {
	const { lab } = useLab.getState();
	const node = lab.nodes[thingOf(lab, id)?.node ?? ''];
	if (node && kinds[node.kind].runs) openTerminal(node.id);
}

/** A click on a machine's free area selects the machine; the pane lies under it. */
function paneClicked(e: React.MouseEvent): void {
	const at = canvasView.toCanvas({ x: e.clientX, y: e.clientY });
	const { lab } = useLab.getState();
	const view = useView.getState();
	if (view.gesture.at === 'drawing' || view.tool === 'cable') return;
	const machine = boxAt(lab, useGeometry.getState(), at, (shape) => shape === 'machine');
	if (e.detail === 2) {
		useView.setState({ quickAdd: { at, machine, text: '' } });
		return;
	}
	select(machine ? [machine] : []);
	useView.setState({ focus: machine ?? view.focus, card: undefined, quickAdd: undefined, frame: undefined });
}

/** A click on what is selected already changes nothing for React Flow, and lets go of the rest here. */
function nodeClicked(e: React.MouseEvent, node: LabNode): void {
	if (e.shiftKey || e.ctrlKey || e.metaKey) return;
	select([node.id]);
	useView.setState({ focus: node.id, card: undefined });
}

const hasDevices = (shape: Shape) => shape === 'namespace' || shape === 'container';

/** What is dragged in from the tools. */
function dropped(e: React.DragEvent): void {
	const shape = e.dataTransfer.getData(dragType) as Shape;
	if (!Object.hasOwn(shapes, shape)) return;
	e.preventDefault();
	const at = canvasView.toCanvas({ x: e.clientX, y: e.clientY });
	const { lab } = useLab.getState();
	const g = useGeometry.getState();
	const { inMachine } = shapes[shape];
	const box = inMachine
		? boxAt(lab, g, at, (s) => s === 'machine' || (shape === 'bridge' && hasDevices(s)))
		: undefined;
	const origin = (box && g.boxes[box]) || { x: 0, y: 0 };
	const low = inMachine ? { x: 24, y: 44 } : { x: Number.NEGATIVE_INFINITY, y: Number.NEGATIVE_INFINITY };
	const snap = (n: number, least: number) => Math.max(least, Math.round(n / 8) * 8);
	const { w, h } = shape === 'machine' ? { w: 132, h: 64 } : sizes[shape];
	addThing(shape, { box, x: snap(at.x - origin.x - w / 2, low.x), y: snap(at.y - origin.y - h / 2, low.y) });
	canvasView.focus();
}

/** The cable gesture follows the pointer wherever it goes; a press on an edge, a jack or, with the tool, a node begins it. */
function watchPointer(): () => void {
	let pressed: Point | undefined;
	const at = (e: PointerEvent) => canvasView.toCanvas({ x: e.clientX, y: e.clientY });
	const down = (e: PointerEvent) => {
		const target = e.target as Element;
		additive = e.shiftKey || e.ctrlKey || e.metaKey;
		if (e.button !== 0 || !target.closest?.('#canvas') || target.closest('[role="dialog"], input, button')) return;
		const { lab } = useLab.getState();
		const g = useGeometry.getState();
		const view = useView.getState();
		const pointer = at(e);
		pressed = { x: e.clientX, y: e.clientY };
		if (view.gesture.at === 'drawing') {
			e.stopPropagation();
			return;
		}
		const jack = target.closest('[data-jack]')
			? (target.closest('[data-jack]')?.getAttribute('data-jack') ?? jackAt(g, pointer))
			: undefined;
		const edge = target.closest('[data-edge]')?.getAttribute('data-edge');
		const inTool = view.tool === 'cable' ? thingAt(lab, g, pointer) : undefined;
		if (jack && view.tool !== 'cable') {
			const c = Object.values(lab.cables).find((other) => other.ends.includes(jack));
			const peer = c?.ends.find((end) => end !== jack);
			const other = peer ? lab.interfaces[peer] : undefined;
			const node = other && holderOf(lab, other);
			if (node) cable({ type: 'press', node, pointer, end: jack });
			e.stopPropagation();
		} else if (inTool ?? edge) {
			cable({ type: 'press', node: inTool ?? edge ?? '', pointer });
			e.stopPropagation();
		}
	};
	const move = (e: PointerEvent) => {
		if (useView.getState().gesture.at === 'drawing') cable({ type: 'move', pointer: at(e) });
	};
	const up = (e: PointerEvent) => {
		const { gesture } = useView.getState();
		if (gesture.at !== 'drawing' || e.button !== 0) return;
		const moved = pressed !== undefined && Math.hypot(e.clientX - pressed.x, e.clientY - pressed.y) > 4;
		if (gesture.by === 'drag') {
			if (!moved && gesture.end) {
				cable({ type: 'cancel' });
				select([gesture.end], e.shiftKey);
				useView.setState({ focus: gesture.end });
			} else cable({ type: 'release', pointer: at(e), moved });
		} else if ((e.target as Element).closest?.('#canvas')) cable({ type: 'click', pointer: at(e) });
	};
	// In the capture phase, so that React Flow neither drags nor selects with the same press.
	window.addEventListener('pointerdown', down, true);
	window.addEventListener('pointermove', move);
	window.addEventListener('pointerup', up);
	return () => {
		window.removeEventListener('pointerdown', down, true);
		window.removeEventListener('pointermove', move);
		window.removeEventListener('pointerup', up);
	};
}

const margin = 24;

type Flow = ReturnType<typeof useReactFlow>;

/** The zoom at which a box has room. */
function fitting(box: Box, room: Size): number {
	return Math.min((room.w - 64) / box.w, (room.h - 64) / box.h);
}

function centre(flow: Flow, box: Box, room: Size, zoom: number): void {
	const { x, y } = middle(box);
	void flow.setViewport({ x: room.w / 2 - x * zoom, y: room.h / 2 - y * zoom, zoom }, { duration: 0 });
}

/** Pans just so far that the box is in view. */
function panTo(flow: Flow, box: Box, room: Size): void {
	const { x, y, zoom } = flow.getViewport();
	const by = (low: number, high: number, size: number) => {
		if (low < margin) return margin - low;
		return high > size - margin ? Math.max(size - margin - high, margin - low) : 0;
	};
	const dx = by(box.x * zoom + x, (box.x + box.w) * zoom + x, room.w);
	const dy = by(box.y * zoom + y, (box.y + box.h) * zoom + y, room.h);
	if (dx !== 0 || dy !== 0) void flow.setViewport({ x: x + dx, y: y + dy, zoom });
}

/** What of the pane can be seen: the inspector slides over its right side where space is short, with the next cable already. */
function roomOf(pane: HTMLElement | null): Size | undefined {
	if (!pane) return undefined;
	const wide = document.getElementById('inspector')?.offsetWidth ?? 0;
	const covered = innerWidth < 1800 && useView.getState().inspector ? Math.max(300, wide) : 0;
	return { w: pane.clientWidth - covered, h: pane.clientHeight };
}

/** Where a node, a jack or a cable is. */
function boxOf(id: string): Box | undefined {
	const g = useGeometry.getState();
	const at = g.jacks[id] ?? (g.curves[id] && pointOn(g.curves[id], 0.5));
	return g.boxes[id] ?? (at && { x: at.x, y: at.y, w: 0, h: 0 });
}

/** The cable in the hand, and why it cannot end here. */
const GestureLayer = memo(function GestureLayer() {
	const gesture = useView((v) => v.gesture);
	const from = useGeometry((g) => (gesture.at === 'drawing' ? g.boxes[gesture.from] : undefined));
	const target = useGeometry((g) => (gesture.at === 'drawing' && gesture.target ? g.boxes[gesture.target] : undefined));
	const peer = useLab((s) => {
		if (gesture.at !== 'drawing' || !gesture.end) return undefined;
		const end = gesture.end;
		return Object.values(s.lab.cables)
			.find((c) => c.ends.includes(end))
			?.ends.find((other) => other !== end);
	});
	const jack = useGeometry((g) => (peer ? g.jacks[peer] : undefined));
	if (gesture.at !== 'drawing' || !from) return null;
	const to = gesture.by === 'keys' && target ? middle(target) : gesture.pointer;
	const start = jack ?? edgeTowards(from, to);
	const note = gesture.reason ?? gesture.typed;
	return (
		<div className="gesture-layer">
			<svg className="layer" aria-hidden="true">
				<line className={gesture.reason ? 'draft is-refused' : 'draft'} x1={start.x} y1={start.y} x2={to.x} y2={to.y} />
				<circle className="draft-end" cx={to.x} cy={to.y} r={4} />
			</svg>
			{note && (
				<div className="pointer-note" style={{ left: to.x + 14, top: to.y + 14 }}>
					{note}
				</div>
			)}
		</div>
	);
});

/** Where the line from a box's middle leaves the box. */
function edgeTowards(b: Box, p: Point): Point {
	const c = middle(b);
	const [dx, dy] = [p.x - c.x, p.y - c.y];
	const t = Math.min(1, b.w / 2 / Math.abs(dx || 1e-9), b.h / 2 / Math.abs(dy || 1e-9));
	return { x: c.x + dx * t, y: c.y + dy * t };
}

function EmptyHint() {
	const empty = useLab((s) => s.loaded && thingsOf(s.lab).every((t) => t.shape === 'machine'));
	const first = useLab((s) => (thingsOf(s.lab).length === 0 ? 'machine host' : 'ns red blue'));
	if (!empty) return null;
	return (
		<p className="empty-hint" data-testid="empty-hint">
			Nothing here yet. Press <kbd>N</kbd> and type <code>{first}</code>, or drag from the left.
		</p>
	);
}

/** For the outline and the canvas alike: what a screen reader says of a thing. */
export function useSpoken(id: string): string {
	const notes = useNotes((n) => n.marks[id]);
	return withNotes(
		useLab((s) => spoken(s.lab, id, s.links, s.status.state === 'running')),
		notes,
	);
}
