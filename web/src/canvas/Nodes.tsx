import { memo, useEffect, useRef, useState } from 'react';
import { useRefusal } from '../app/useRefusal';
import { Words } from '../app/Words';
import { movesInto } from '../gestures/drop';
import { colourOf } from '../model/colour';
import { childrenOf, type Node } from '../model/lab';
import { checkNodeName } from '../model/names';
import { problemOf } from '../model/problem';
import { edit } from '../session/actions';
import { useLab, useView } from '../session/stores';
import { useSpoken } from './Canvas';
import { Failure } from './Failure';

const sides = ['left', 'right', 'top', 'bottom'] as const;

/** Classes for what is true of a node now; each state also has a mark that is not a colour. */
function useNodeClasses(id: string): string {
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
function Edges({ id, name }: { id: string; name: string }) {
	return sides.map((side) => (
		<div key={side} className={`edge edge-${side} nodrag nopan`} data-edge={id} data-testid={`edge-${name}-${side}`} />
	));
}

function Marks({ id }: { id: string }) {
	const touched = useLab((s) => s.touched[id] !== undefined);
	const held = useLab((s) => s.lab.nodes[id]?.held);
	const failed = useLab((s) => s.failed.find((f) => f.edits.some((e) => e.addNode?.id === id)));
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

function Name({ node }: { node: Node }) {
	const renaming = useView((v) => v.renaming === node.id);
	if (renaming) return <Rename node={node} />;
	return <span className="node-name">{node.name}</span>;
}

function Rename({ node }: { node: Node }) {
	const [text, setText] = useState(node.name);
	const input = useRef<HTMLInputElement>(null);
	const [refusal, setRefusal] = useRefusal();
	const problem = problemOf(() => checkNodeName(node.kind, text))?.message ?? refusal;
	useEffect(() => input.current?.select(), []);
	const leave = () => {
		useView.setState((v) => (v.renaming === node.id ? { renaming: undefined } : {}));
	};
	const apply = () => {
		if (problem) return;
		if (text === node.name || edit([{ updateNode: { id: node.id, name: text } }], { refused: setRefusal })) {
			leave();
			document.getElementById('canvas')?.focus();
		}
	};
	return (
		<span className="rename nodrag nopan">
			<input
				ref={input}
				aria-label={`New name of ${node.name}`}
				aria-invalid={problem !== undefined}
				data-testid="rename-input"
				value={text}
				size={Math.max(6, text.length)}
				spellCheck={false}
				onChange={(e) => {
					setText(e.target.value);
					setRefusal(undefined);
				}}
				onBlur={() => {
					if (!problem && text !== node.name) edit([{ updateNode: { id: node.id, name: text } }]);
					leave();
				}}
				onKeyDown={(e) => {
					e.stopPropagation();
					if (e.key === 'Enter') apply();
					if (e.key === 'Escape') {
						setText(node.name);
						useView.setState({ renaming: undefined });
						document.getElementById('canvas')?.focus();
					}
				}}
			/>
			{problem && (
				<span className="field-problem" role="alert">
					<Words text={problem} />
				</span>
			)}
		</span>
	);
}

export const NamespaceNode = memo(function NamespaceNode({ id }: { id: string }) {
	const node = useLab((s) => s.lab.nodes[id]);
	const classes = useNodeClasses(id);
	const label = useSpoken(id);
	if (!node) return null;
	const colour = colourOf(node.name);
	return (
		// biome-ignore lint/a11y/useSemanticElements: a group on the canvas, not a set of form fields
		<div
			id={`item-${id}`}
			role="group"
			aria-label={label}
			data-testid={`node-${node.name}`}
			data-id={id}
			className={`namespace ${classes}`}
			style={nodeColour(colour)}
		>
			<Name node={node} />
			<span className="node-kind">{node.held ? `held by ${node.held}` : 'namespace'}</span>
			<Edges id={id} name={node.name} />
			<Marks id={id} />
		</div>
	);
});

export function nodeColour(colour: string | undefined): React.CSSProperties {
	return (colour ? { '--node': `var(--node-${colour})` } : {}) as React.CSSProperties;
}

export const MachineNode = memo(function MachineNode({ id }: { id: string }) {
	const node = useLab((s) => s.lab.nodes[id]);
	const count = useLab((s) => childrenOf(s.lab, id).length);
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
				<Name node={node} />
				<span className="node-kind">
					{count === 0 ? 'machine' : count === 1 ? '1 namespace' : `${count} namespaces`}
				</span>
			</div>
			{note && <p className="drop-note">{note}</p>}
			<Edges id={id} name={node.name} />
			<Marks id={id} />
		</div>
	);
});
