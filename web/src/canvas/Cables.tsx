// Cables below the namespaces, jacks and labels above them. Each subscribes to its own curve, ends and state.
import { memo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { type Jack, outward, pathOf, pointOn } from '../model/geometry';
import { isSaved, labelOf, linkState } from '../model/lab';
import { announce, discard, retry, select } from '../session/actions';
import { useGeometry, useLab, useView } from '../session/stores';
import { openTerminal } from '../session/terminals';
import { useSpoken } from './Canvas';

export const CableLayer = memo(function CableLayer() {
	const ids = useGeometry(useShallow((g) => Object.keys(g.curves)));
	return (
		// biome-ignore lint/a11y/noSvgWithoutTitle: each cable in it has a label
		<svg className="layer layer-cables">
			{ids.map((id) => (
				<CableLine key={id} id={id} />
			))}
		</svg>
	);
});

export const JackLayer = memo(function JackLayer() {
	const ids = useGeometry(useShallow((g) => Object.keys(g.jacks)));
	return (
		// biome-ignore lint/a11y/noSvgWithoutTitle: each jack in it has a label
		<svg className="layer layer-jacks">
			{ids.map((id) => (
				<JackMark key={id} id={id} />
			))}
		</svg>
	);
});

function useEndState(id: string | undefined) {
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
	const label = useSpoken(id);
	if (!curve || !ends) return null;
	const isDown = a === 'down' || b === 'down';
	const dark = a === 'no carrier' || b === 'no carrier';
	const classes = [
		'cable',
		isDown ? 'is-down' : dark ? 'no-carrier' : '',
		mark ? `is-${mark}` : '',
		touched ? 'is-touched' : '',
		selected ? 'is-selected' : '',
		focused ? 'is-focused' : '',
		framed ? 'is-framed' : '',
	].join(' ');
	const path = pathOf(curve);
	const mid = pointOn(curve, 0.5);
	return (
		// biome-ignore lint/a11y/useSemanticElements: a group within a drawing
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
			{!isDown && dark && (
				<text className="cable-note is-warn" x={mid.x} y={mid.y - 8}>
					no carrier
				</text>
			)}
			{isDown && (
				<text className="cable-note" x={mid.x} y={mid.y - 8}>
					down
				</text>
			)}
			{mark === 'failed' && <FailedNote id={id} x={mid.x} y={mid.y} />}
		</g>
	);
});

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

function FailedNote({ id, x, y }: { id: string; x: number; y: number }) {
	const failed = useLab((s) => s.failed.find((f) => f.edits.some((e) => e.addCable?.id === id)));
	if (!failed) return null;
	return (
		<foreignObject x={x - 130} y={y + 8} width={260} height={110} className="failed-box">
			<div className="mark-failed nodrag nopan" role="alert">
				<p>
					{failed.problem.command && <code>{failed.problem.command}: </code>}
					{failed.problem.message}
					{failed.problem.errno && ` (${failed.problem.errno})`}
				</p>
				<button type="button" onClick={() => retry(failed.id)}>
					Retry
				</button>
				<button type="button" onClick={() => discard(failed.id)}>
					Discard
				</button>
			</div>
		</foreignObject>
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
	].join(' ');
	const n = outward(jack);
	return (
		// biome-ignore lint/a11y/useSemanticElements: a group within a drawing
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
			{state === 'down' && <path className="contact" d={contactPath(n)} />}
			<JackLabel id={id} jack={jack} />
			{touched && (
				<text className="mark-terminal" x={-n.x * 2 - 7} y={-12}>
					{'>_'}
				</text>
			)}
		</g>
	);
});

/** The open contact: a gap with a stroke across the cable on either side. */
function contactPath(n: { x: number; y: number }): string {
	const bar = (at: number) =>
		`M${n.x * at - n.y * 6},${n.y * at - n.x * 6}L${n.x * at + n.y * 6},${n.y * at + n.x * 6}`;
	return `${bar(10)}${bar(16)}`;
}

const JackLabel = memo(function JackLabel({ id, jack }: { id: string; jack: Jack }) {
	const labels = useView((v) => v.labels);
	const name = useLab((s) => s.lab.interfaces[id]?.name);
	const addresses = useLab((s) => s.lab.interfaces[id]?.addresses);
	const mac = useLab((s) => s.lab.interfaces[id]?.mac);
	const kind = useLab((s) => s.lab.interfaces[id]?.kind);
	const all = useLab((s) => (labels === 3 ? s.links[id]?.addresses : undefined));
	if (labels === 0 || !name) return null;
	const n = outward(jack);
	const lines: string[] = [];
	if (labels >= 2) {
		const shown = all ? all.map((a) => a.address) : (addresses ?? []);
		lines.push(...shown.slice(0, 4));
		if (shown.length > 4) lines.push(`+${shown.length - 4}`);
	}
	if (labels === 3 && mac) lines.push(mac);
	const title = kind === 'veth' ? name : `${name} ${kind}`;
	const upright = jack.side === 'left' || jack.side === 'right';
	const anchor = upright && n.x < 0 ? 'end' : 'start';
	const x = upright ? n.x * 12 : 9;
	// Upright sides: the name above the cable, addresses below. Top and bottom: all beside it, each row a little further.
	const first = upright ? -6 : n.y > 0 ? 18 + (jack.row % 3) * 26 : -10 - lines.length * 12 - (jack.row % 3) * 26;
	return (
		<text className="jack-label" textAnchor={anchor} x={x} y={first}>
			<tspan className="jack-name">{title}</tspan>
			{lines.map((line, at) => (
				<tspan key={line} x={x} y={upright ? 14 + at * 12 : first + 12 * (at + 1)}>
					{line}
				</tspan>
			))}
		</text>
	);
});
