// While one looks at a revision in the history: what going back to it would make, take away, change and move. The history
// says the same in words.
import { memo, useMemo } from 'react';
import { pathOf } from '../model/curves';
import type { Point } from '../model/geometry';
import { type BoxGhost, type CurveGhost, type Does, ghostsOf, type JackGhost } from '../model/ghosts';
import { labAt } from '../model/revision';
import { rowHeight } from '../model/sizes';
import { useGeometry, useLab, useView } from '../session/stores';

export const GhostLayer = memo(function GhostLayer() {
	const seq = useView((v) => v.preview);
	return seq === undefined ? null : <Revision seq={seq} />;
});

function Revision({ seq }: { seq: number }) {
	const lab = useLab((s) => s.confirmed);
	const changes = useLab((s) => s.changes);
	const drawn = useGeometry();
	const ghosts = useMemo(() => {
		const then = labAt(lab, changes, seq);
		return then && ghostsOf(lab, then, drawn);
	}, [lab, changes, seq, drawn]);
	if (!ghosts) return null;
	return (
		<svg className="layer layer-ghosts" aria-hidden="true" data-testid="ghosts">
			{ghosts.boxes.map((g) => (
				<BoxShape key={g.id} ghost={g} />
			))}
			{ghosts.curves.map((g) => (
				<CurveShape key={g.id} ghost={g} />
			))}
			{ghosts.jacks.map((g) => (
				<JackShape key={g.id} ghost={g} />
			))}
		</svg>
	);
}

function BoxShape({ ghost: { does, name, shape, box } }: { ghost: BoxGhost }) {
	const { x, y, w, h } = box;
	return (
		<g className={`ghost is-${does}`} data-testid={`ghost-${name}`} data-does={does}>
			<rect className="ghost-line" x={x} y={y} width={w} height={h} rx={shape === 'lan' ? 14 : 2} />
			{does !== 'remove' && does !== 'change' && (
				<text className="ghost-name" x={x + 14} y={y + Math.min(h / 2 + 4, 20)}>
					{name}
				</text>
			)}
			<Sign does={does} at={{ x, y }} />
		</g>
	);
}

function CurveShape({ ghost: { does, curve, middle } }: { ghost: CurveGhost }) {
	return (
		<g className={`ghost is-${does}`} data-testid="ghost-cable" data-does={does}>
			<path className="ghost-veil" d={pathOf(curve)} />
			<path className="ghost-line" d={pathOf(curve)} />
			<Sign does={does} at={middle} />
		</g>
	);
}

function JackShape({ ghost: { does, at, label, rows } }: { ghost: JackGhost }) {
	return (
		<g
			className={`ghost is-${does}`}
			data-testid="ghost-jack"
			data-does={does}
			transform={`translate(${at.x},${at.y})`}
		>
			<circle className="ghost-line" r={6} />
			{label && (
				<text
					className={does === 'remove' ? 'jack-label ghost-gone' : 'jack-label'}
					textAnchor={label.anchor}
					x={label.x}
					y={label.name}
				>
					{rows.map((row, n) => (
						<tspan key={row} x={label.x} y={n === 0 ? label.name : label.rows + (n - 1) * rowHeight}>
							{row}
						</tspan>
					))}
				</text>
			)}
			{does === 'change' && <Sign does={does} at={{ x: -12, y: 0 }} />}
		</g>
	);
}

const signs: Readonly<Record<Does, string>> = { add: '+', remove: '−', change: '~', move: '→' };

function Sign({ does, at }: { does: Does; at: Point }) {
	return (
		<>
			<circle className="ghost-sign" cx={at.x} cy={at.y} r={8} />
			<text className="ghost-sign" textAnchor="middle" x={at.x} y={at.y + 4}>
				{signs[does]}
			</text>
		</>
	);
}
