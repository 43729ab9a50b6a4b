import { memo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { movesInto } from '../gestures/drop';
import { colourOf } from '../model/colour';
import { shapes, type Thing, thingOf, thingsIn } from '../model/things';
import { useLab, useView } from '../session/stores';
import type { ContainerState, Lab, Node } from '../wire/types.gen';
import { useSpoken } from './Canvas';
import { Failure } from './Failure';

const sides = ['left', 'right', 'top', 'bottom'] as const;

/** Classes for what is true of a node now; each state also has a mark that is not a colour. */
export function useNodeClasses(id: string): string {
	const mark = useLab((s) => s.marks[id]);
	const touched = useLab((s) => s.touched[id] !== undefined);
	const held = useLab((s) => s.lab.nodes[id]?.held !== undefined);
	const selected = useView((v) => v.selection.has(id));
	const focused = useView((v) => v.focus === id);
	const target = useView((v) => {
		if (v.dropInto === id) return 'is-target';
		if (v.gesture.at !== 'drawing') return '';
		if (v.gesture.target === id) return v.gesture.reason ? 'is-refused' : 'is-target';
		return v.gesture.from === id && !v.gesture.end ? 'is-source' : 'is-possible';
	});
	return [
		mark ? `is-${mark}` : '',
		touched ? 'is-touched' : '',
		held ? 'is-unsaved' : '',
		selected ? 'is-selected' : '',
		focused ? 'is-focused' : '',
		target,
	]
		.filter(Boolean)
		.join(' ');
}

/** Where a cable starts: a strip along each border. */
export function Edges({ id, name }: { id: string; name: string }) {
	return sides.map((side) => (
		<div key={side} className={`edge edge-${side} nodrag nopan`} data-edge={id} data-testid={`edge-${name}-${side}`} />
	));
}

export function Marks({ id }: { id: string }) {
	const touched = useLab((s) => s.touched[id] !== undefined);
	const held = useLab((s) => s.lab.nodes[id]?.held);
	const failed = useLab((s) => s.failed.find((f) => f.edits.some((e) => (e.addNode ?? e.addInterface)?.id === id)));
	const pending = useLab((s) => s.marks[id] === 'pending');
	return (
		<>
			{touched && (
				<span className="mark-terminal" title="changed in a terminal">
					{'>_'}
				</span>
			)}
			{held && (
				<span className="mark-unsaved" title={`held by ${held}`}>
					not saved
				</span>
			)}
			{pending && <span className="mark-sending">sending</span>}
			{failed && <Failure failed={failed} />}
		</>
	);
}

export function Name({ thing }: { thing: Pick<Thing, 'id' | 'name'> }) {
	const renaming = useView((v) => v.renaming === thing.id); // its field is over it
	return <span className={`node-name ${renaming ? 'invisible' : ''}`}>{thing.name}</span>;
}

export const NamespaceNode = memo(function NamespaceNode({ id }: { id: string }) {
	const node = useLab((s) => s.lab.nodes[id]);
	const holds = useLab((s) => thingsIn(s.lab, id).length > 0);
	const process = useLab((s) => processOf(s.lab.nodes[id], s.nodeStates[id]?.container));
	const pids = useLab((s) => pidsOf(s.nodeStates[id]?.container));
	const classes = useNodeClasses(id);
	const label = useSpoken(id);
	if (!node) return null;
	const colour = colourOf(node.name);
	const kind = node.held ? `held by ${node.held}` : `${node.kind}${pids}`;
	return (
		// biome-ignore lint/a11y/useSemanticElements: a group on the canvas, not a set of form fields
		<div
			id={`item-${id}`}
			role="group"
			aria-label={label}
			data-testid={`node-${node.name}`}
			data-id={id}
			className={`namespace ${node.kind === 'container' ? 'container' : ''} ${holds ? 'is-holding' : ''} ${classes}`}
			style={nodeColour(colour)}
		>
			<Name thing={node} />
			<span className="node-kind" title={kind}>
				{kind}
			</span>
			{process && (
				<span className="node-process" title={process}>
					{process}
				</span>
			)}
			<Edges id={id} name={node.name} />
			<Marks id={id} />
		</div>
	);
});

/** What a container runs: its command, or how that ended. */
function processOf(n: Node | undefined, state: ContainerState | undefined): string | undefined {
	return state?.ended && n?.command ? `ended: ${state.ended}` : (state?.command?.line ?? n?.command);
}

/** Its process's number as `ps` in its machine shows it, and in itself: ", pid 57, inside 6". */
function pidsOf(state: ContainerState | undefined): string {
	const process = state?.command ?? state?.init;
	return process ? `, pid ${process.pid}, inside ${process.inner}` : '';
}

export function nodeColour(colour: string | undefined): React.CSSProperties {
	return (colour ? { '--node': `var(--node-${colour})` } : {}) as React.CSSProperties;
}

/** Whether it passes on what is not for itself. */
export function isRouter(n: Node | undefined): boolean {
	return n?.sysctls?.includes('net.ipv4.ip_forward=1') ?? false;
}

/** "2 namespaces, 1 bridge"; "machine" of an empty one. */
function contentsOf(lab: Lab, machine: string): string {
	const inside = thingsIn(lab, machine);
	const parts = (['namespace', 'container', 'bridge', 'ovs'] as const).flatMap((shape) => {
		const count = inside.filter((t) => t.shape === shape).length;
		return count === 0 ? [] : [`${count} ${count === 1 ? shapes[shape].title : shapes[shape].many}`];
	});
	return parts.length === 0 ? 'machine' : parts.join(', ');
}

/** The world outside: a horizon, and who answers behind it. */
export const InternetNode = memo(function InternetNode({ id }: { id: string }) {
	const thing = useLab(useShallow((s) => thingOf(s.lab, id)));
	const classes = useNodeClasses(id);
	const label = useSpoken(id);
	if (!thing) return null;
	return (
		// biome-ignore lint/a11y/useSemanticElements: a group on the canvas, not a set of form fields
		<div
			id={`item-${id}`}
			role="group"
			aria-label={label}
			data-testid={`node-${thing.name}`}
			data-id={id}
			className={`internet ${classes}`}
		>
			<Name thing={thing} />
			<span className="node-kind">8.8.8.8, example.com, …</span>
			<Edges id={id} name={thing.name} />
			<Marks id={id} />
		</div>
	);
});

export const MachineNode = memo(function MachineNode({ id }: { id: string }) {
	const node = useLab((s) => s.lab.nodes[id]);
	const inside = useLab((s) => contentsOf(s.lab, id));
	const router = useLab((s) => isRouter(s.lab.nodes[id]));
	const classes = useNodeClasses(id);
	const label = useSpoken(id);
	const over = useView((v) => (v.dropInto === id ? Object.keys(v.moving)[0] : undefined));
	const note = useLab((s) => (over && s.lab.nodes[over]?.in !== id ? movesInto(s.lab, over, id) : undefined));
	if (!node) return null;
	return (
		// biome-ignore lint/a11y/useSemanticElements: a group on the canvas, not a set of form fields
		<div
			id={`item-${id}`}
			role="group"
			aria-label={label}
			data-testid={`node-${node.name}`}
			data-id={id}
			className={`machine ${classes}`}
			style={nodeColour(colourOf(node.name))}
		>
			<div className="machine-header">
				<Name thing={node} />
				<span className="node-kind">{inside}</span>
				{router && (
					<span className="node-router" title="net.ipv4.ip_forward=1: passes packets on">
						router
					</span>
				)}
			</div>
			{note && <p className="drop-note">{note}</p>}
			<Edges id={id} name={node.name} />
			<Marks id={id} />
		</div>
	);
});
