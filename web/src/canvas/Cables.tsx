// Cables below the namespaces, jacks and labels above them. Each subscribes to its own curve, ends and state.
import { memo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { outward, pathOf, pointOn } from '../model/curves';
import { isUpright, type Jack, type Point } from '../model/geometry';
import { isSaved, type Lab, type LinkState, labelOf, linkState, machineOf } from '../model/lab';
import { addressRows, contact, titleOf } from '../model/labels';
import { rowHeight } from '../model/sizes';
import type { FailedOp } from '../model/state';
import { announce, select } from '../session/actions';
import { useGeometry, useLab, useView } from '../session/stores';
import { openTerminal } from '../session/terminals';
import { useSpoken } from './Canvas';
import { Failure } from './Failure';

export const CableLayer = memo(function CableLayer() {
	const ids = useGeometry(useShallow((g) => Object.keys(g.curves)));
	const stems = useGeometry(useShallow((g) => Object.keys(g.stems)));
	return (
		// biome-ignore lint/a11y/noSvgWithoutTitle: each cable in it has a label
		<svg className="layer layer-cables">
			{stems.map((id) => (
				<Stem key={id} id={id} />
			))}
			{ids.map((id) => (
				<CableLine key={id} id={id} />
			))}
		</svg>
	);
});

export const JackLayer = memo(function JackLayer() {
	const ids = useGeometry(useShallow((g) => Object.keys(g.jacks)));
	const impaired = useGeometry(useShallow((g) => Object.keys(g.marks)));
	return (
		// biome-ignore lint/a11y/noSvgWithoutTitle: each jack in it has a label
		<svg className="layer layer-jacks">
			{impaired.map((id) => (
				<Impairments key={id} id={id} />
			))}
			{ids.map((id) => (
				<JackMark key={id} id={id} />
			))}
		</svg>
	);
});

/** From the jack of a vlan, vxlan or macvlan to what it is on top of. */
const Stem = memo(function Stem({ id }: { id: string }) {
	const curve = useGeometry((g) => g.stems[id]);
	return curve ? <path className="stem" d={pathOf(curve)} /> : null;
});

function useEndState(id: string | undefined): LinkState {
	return useLab((s) => {
		const i = id ? s.lab.interfaces[id] : undefined;
		return i ? linkState(i, s.links[i.id], s.status.state === 'running') : 'unknown';
	});
}

const CableLine = memo(function CableLine({ id }: { id: string }) {
	const curve = useGeometry((g) => g.curves[id]);
	const ends = useLab((s) => s.lab.cables[id]?.ends);
	const a = useEndState(ends?.[0]);
	const b = useEndState(ends?.[1]);
	const mark = useLab((s) => s.marks[id]);
	const touched = useLab((s) => s.touched[id] !== undefined);
	const selected = useView((v) => v.selection.has(id));
	const focused = useView((v) => v.focus === id);
	const framed = useView((v) => v.frame !== undefined && (ends?.includes(v.frame.to) ?? false));
	const name = useLab((s) => {
		const [x, y] = (s.lab.cables[id]?.ends ?? []).map((end) => s.lab.interfaces[end]?.name);
		return `${x}-${y}`;
	});
	const inside = useLab((s) => isInside(s.lab, id));
	const label = useSpoken(id);
	if (!curve || !ends) return null;
	const isDown = a === 'down' || b === 'down';
	const dark = a === 'no carrier' || b === 'no carrier';
	const classes = [
		'cable',
		isDown ? 'is-down' : dark ? 'no-carrier' : '',
		mark ? `is-${mark}` : '',
		touched ? 'is-touched' : '',
		inside ? 'is-inside' : '',
		selected ? 'is-selected' : '',
		focused ? 'is-focused' : '',
		framed ? 'is-framed' : '',
	].join(' ');
	const path = pathOf(curve);
	const mid = pointOn(curve, 0.5);
	return (
		// biome-ignore lint/a11y/useSemanticElements: a group within a drawing
		// biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: g is not interactive; the canvas has its keys
		<g
			id={`item-${id}`}
			role="group"
			aria-label={label}
			data-testid={`cable-${name}`}
			data-state={isDown ? 'down' : dark ? 'no carrier' : 'up'}
			className={classes}
		>
			{/* biome-ignore lint/a11y/noStaticElementInteractions: the canvas has the keys for this */}
			<path
				className="cable-hit"
				d={path}
				onPointerDown={(e) => e.stopPropagation()}
				onClick={(e) => {
					select([id], e.shiftKey || e.ctrlKey || e.metaKey);
					useView.setState({ focus: id });
				}}
				onDoubleClick={() => useView.setState({ card: id })}
				onPointerEnter={() => useView.setState({ hover: id })}
				onPointerLeave={() => useView.setState((v) => (v.hover === id ? { hover: undefined } : {}))}
			/>
			{selected && <path className="cable-selected" d={path} />}
			<path className="cable-line" d={path} />
			{framed && <Chevron id={id} />}
			{mark === 'pending' && (
				<text className="cable-note mark-sending" x={mid.x} y={mid.y - 6}>
					sending
				</text>
			)}
		</g>
	);
});

/** What happens to frames on the way, over all cables: `→ 1 mbit`, `✕` where it is cut. */
const Impairments = memo(function Impairments({ id }: { id: string }) {
	const mark = useGeometry((g) => g.marks[id]);
	const inside = useLab((s) => isInside(s.lab, id));
	if (!mark) return null;
	const { x, y, rows } = mark;
	const classes = [rows.some((r) => r.endsWith('✕')) ? 'is-cut' : '', inside ? 'is-inside' : ''].join(' ');
	const first = y + 4 - ((rows.length - 1) * rowHeight) / 2; // a row's baseline is 4 px below its middle
	return (
		<text className={`impairment ${classes}`} data-testid="impairment">
			{rows.map((row, at) => (
				<tspan key={row} x={x} y={first + at * rowHeight}>
					{row}
				</tspan>
			))}
		</text>
	);
});

/** Whether a cable does not leave its machine. */
function isInside(lab: Lab, cable: string): boolean {
	const [a, b] = (lab.cables[cable]?.ends ?? []).map((end) => machineOf(lab, lab.interfaces[end]?.node ?? '')?.id);
	return a === b;
}

/** Which way the frame went whose row is selected. */
function Chevron({ id }: { id: string }) {
	const curve = useGeometry((g) => g.curves[id]);
	const forward = useView((v) => v.frame?.to) === useLab((s) => s.lab.cables[id]?.ends[1]);
	if (!curve) return null;
	const [p, q] = [pointOn(curve, 0.48), pointOn(curve, 0.52)];
	const angle = (Math.atan2(q.y - p.y, q.x - p.x) * 180) / Math.PI + (forward ? 0 : 180);
	return (
		<path
			className="chevron"
			d="M-5,-7L5,0L-5,7"
			transform={`translate(${(p.x + q.x) / 2},${(p.y + q.y) / 2}) rotate(${angle})`}
		/>
	);
}

/** What is said beside cables that were refused. */
export const FailureLayer = memo(function FailureLayer() {
	const failed = useLab((s) => s.failed);
	return failed.flatMap((f) =>
		f.edits.flatMap((e) => (e.addCable ? [<FailedCable key={f.id} id={e.addCable.id} failed={f} />] : [])),
	);
});

function FailedCable({ id, failed }: { id: string; failed: FailedOp }) {
	const curve = useGeometry((g) => g.curves[id]);
	if (!curve) return null;
	const mid = pointOn(curve, 0.5);
	return (
		<div className="failed-note" style={{ left: mid.x, top: mid.y }}>
			<Failure failed={failed} />
		</div>
	);
}

const JackMark = memo(function JackMark({ id }: { id: string }) {
	const jack = useGeometry((g) => g.jacks[id]);
	const i = useLab((s) => s.lab.interfaces[id]);
	const state = useEndState(id);
	const mark = useLab((s) => s.marks[id]);
	const touched = useLab((s) => s.touched[id] !== undefined);
	const selected = useView((v) => v.selection.has(id));
	const focused = useView((v) => v.focus === id);
	const near = useView((v) => {
		const cable = v.hover ?? '';
		return v.hover === id || (useLab.getState().lab.cables[cable]?.ends.includes(id) ?? false);
	});
	const cabled = useView((v) => [...v.selection].some((s) => useLab.getState().lab.cables[s]?.ends.includes(id)));
	const framed = useView((v) => {
		if (!v.frame) return false;
		const { to } = v.frame;
		return (
			to === id || Object.values(useLab.getState().lab.cables).some((c) => c.ends.includes(to) && c.ends.includes(id))
		);
	});
	const node = useLab((s) => (i ? labelOf(s.lab, i.node).replace('/', '-') : ''));
	const inside = useLab((s) => (i ? s.lab.nodes[i.node]?.in !== undefined : false));
	const label = useSpoken(id);
	if (!jack || !i) return null;
	const classes = [
		'jack',
		state === 'down' ? 'is-down' : state === 'no carrier' ? 'no-carrier' : '',
		mark ? `is-${mark}` : '',
		touched ? 'is-touched' : '',
		selected || cabled || near ? 'is-near' : '',
		selected ? 'is-selected' : '',
		focused ? 'is-focused' : '',
		framed ? 'is-framed' : '',
		isSaved(i) ? '' : 'is-unsaved',
		inside ? 'is-inside' : '',
	].join(' ');
	const n = outward(jack);
	return (
		// biome-ignore lint/a11y/useSemanticElements: a group within a drawing
		// biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: g is not interactive; the canvas has its keys
		<g
			id={`item-${id}`}
			role="group"
			aria-label={label}
			className={classes}
			data-testid={`jack-${node}-${i.name}`}
			data-state={state}
			transform={`translate(${jack.x},${jack.y})`}
		>
			{/* biome-ignore lint/a11y/noStaticElementInteractions: the canvas has the keys for this */}
			<circle
				className="jack-hit"
				r={12}
				data-jack={id}
				onPointerEnter={() => useView.setState({ hover: id })}
				onPointerLeave={() => useView.setState((v) => (v.hover === id ? { hover: undefined } : {}))}
				onClick={() => {
					select([id]);
					useView.setState({ focus: id });
					announce(label);
				}}
				onDoubleClick={() => openTerminal(i.node)}
			/>
			{state === 'no carrier' && <circle className="jack-ring" r={8} />}
			<circle className="jack-dot" r={5} />
			{state === 'down' && <Contact out={n} />}
			<JackLabel id={id} jack={jack} state={state} />
			{touched && (
				// On the border, where neither a note's mark nor the label is.
				<text className="mark-terminal" {...(isUpright(jack.side) ? { x: -6, y: 18 } : { x: 7, y: 3 })}>
					{'>_'}
				</text>
			)}
		</g>
	);
});

/** The open contact: a gap in the cable between two strokes across it. */
function Contact({ out }: { out: Point }) {
	const { near, far, half } = contact;
	const at = (along: number, across: number) => `${out.x * along - out.y * across},${out.y * along - out.x * across}`;
	return (
		<>
			<path className="contact-gap" d={`M${at(near, 0)}L${at(far, 0)}`} />
			<path className="contact" d={`M${at(near, -half)}L${at(near, half)}M${at(far, -half)}L${at(far, half)}`} />
		</>
	);
}

const stateWords: Partial<Record<LinkState, string>> = {
	down: 'down',
	'no carrier': 'no carrier',
	'no program': 'no program',
};

const JackLabel = memo(function JackLabel({ id, jack, state }: { id: string; jack: Jack; state: LinkState }) {
	const labels = useView((v) => v.labels);
	const i = useLab((s) => s.lab.interfaces[id]);
	const all = useLab((s) => (labels === 3 ? s.links[id]?.addresses : undefined));
	if (labels === 0 || !i) return null;
	const rows: string[] = [];
	if (labels >= 2) rows.push(...addressRows(all ? all.map((a) => a.address) : i.addresses));
	if (labels === 3 && i.mac) rows.push(i.mac);
	const { label } = jack;
	const { x } = label;
	const words = [stateWords[state], isSaved(i) ? undefined : 'not saved'].filter((w) => w !== undefined).join(', ');
	return (
		<text className="jack-label" textAnchor={label.anchor} x={x} y={label.name}>
			<tspan className="jack-name">{titleOf(i)}</tspan>
			{words && <tspan className={`jack-state is-${state.replace(' ', '-')}`}>{`  ${words}`}</tspan>}
			{rows.map((row, at) => (
				<tspan key={row} x={x} y={label.rows + at * rowHeight}>
					{row}
				</tspan>
			))}
		</text>
	);
});
