import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { crossedAny, type FrameRow, familyOf, hexLines, matchesWords, whereCrossed } from '../model/frames';
import { labelOf } from '../model/lab';
import { ping } from '../session/actions';
import { frameLog, useLab, useView, type View } from '../session/stores';
import { canvasView } from '../session/viewport';
import type { Frame, Lab } from '../wire/types.gen';

const rowHeight = 22;

export function Packets() {
	const version = useSyncExternalStore(frameLog.subscribe, frameLog.getVersion);
	const lab = useLab((s) => s.lab);
	const selection = useView((v) => v.selection);
	const chosen = useView((v) => v.frame);
	const [text, setText] = useState('');
	const [onlySelected, setOnlySelected] = useState(false);
	const words = useMemo(() => text.toLowerCase().split(/\s+/).filter(Boolean), [text]);
	// biome-ignore lint/correctness/useExhaustiveDependencies: the log is one growing thing; its version says when it grew
	const rows = useMemo(() => {
		const all = frameLog.all();
		if (words.length === 0 && !onlySelected) return all;
		return all.filter(
			(r) =>
				r.kind === 'missed' ||
				(matchesWords(r.frame, whereCrossed(lab, r.frame), words) &&
					(!onlySelected || crossedAny(lab, r.frame, selection))),
		);
	}, [version, words, onlySelected, lab, selection]);
	const total = frameLog.all().length;
	return (
		<div className="packets">
			<div className="panel-bar">
				<label>
					<span className="sr-only">Filter</span>
					<input
						type="search"
						placeholder="arp  192.168.15.2  red"
						value={text}
						onChange={(e) => setText(e.target.value)}
						data-testid="frame-filter"
						spellCheck={false}
					/>
				</label>
				<label className="check">
					<input type="checkbox" checked={onlySelected} onChange={(e) => setOnlySelected(e.target.checked)} /> only what
					is selected
				</label>
				<span className="small">
					{total > 0 && (rows.length < total ? `${rows.length} of ${total}` : `${total} frames`)}
				</span>
				<span className="grow" />
				<button type="button" className="plain" onClick={() => frameLog.clear()}>
					Clear
				</button>
			</div>
			{rows.length === 0 ? <Empty total={total} /> : <Rows rows={rows} lab={lab} />}
			{chosen && <Details no={chosen.no} />}
		</div>
	);
}

function Rows({ rows, lab }: { rows: readonly FrameRow[]; lab: Lab }) {
	const scroller = useRef<HTMLDivElement>(null);
	const [atEnd, setAtEnd] = useState(true);
	const [seen, setSeen] = useState(0);
	const virtual = useVirtualizer({
		count: rows.length,
		getScrollElement: () => scroller.current,
		estimateSize: () => rowHeight,
		overscan: 8,
	});
	const no = useView((v) => v.frame?.no);
	const follows = atEnd && no === undefined; // what one looks at stays where it is
	useEffect(() => {
		if (!follows) return;
		virtual.scrollToIndex(rows.length - 1, { align: 'end' });
		setSeen(rows.length);
	}, [rows.length, follows, virtual]);
	// biome-ignore lint/correctness/useExhaustiveDependencies: a row comes into view when it is chosen, and its details leave less room
	useLayoutEffect(() => {
		const el = scroller.current;
		const at = rows.findIndex((r) => r.kind === 'frame' && r.frame.no === no);
		if (!el || at < 0) return;
		const [least, most] = [(at + 1) * rowHeight - el.clientHeight, at * rowHeight];
		el.scrollTop = Math.min(most, Math.max(least, el.scrollTop));
	}, [no]);
	const fresh = Math.max(0, rows.length - seen);
	const first = rows.find((r) => r.kind === 'frame');
	const start = first?.kind === 'frame' ? first.frame.at : 0;
	return (
		<div className="frame-table">
			<div className="frame-row frame-head" aria-hidden="true">
				<span>No</span>
				<span>Time</span>
				<span>Where</span>
				<span>Source</span>
				<span>Destination</span>
				<span>Protocol</span>
				<span>Length</span>
				<span>Info</span>
			</div>
			<div
				ref={scroller}
				className="frame-scroll"
				role="listbox"
				aria-label="Frames"
				tabIndex={0}
				onScroll={(e) => {
					const el = e.currentTarget;
					setAtEnd(el.scrollHeight - el.scrollTop - el.clientHeight < rowHeight * 1.5);
				}}
				onKeyDown={(e) => {
					if (e.key !== 'ArrowDown' && e.key !== 'ArrowUp') return;
					const at = rows.findIndex((r) => r.kind === 'frame' && r.frame.no === no);
					const step = e.key === 'ArrowDown' ? 1 : -1;
					for (let next = at + step; next >= 0 && next < rows.length; next += step) {
						const r = rows[next];
						if (r?.kind !== 'frame') continue;
						choose(r.frame);
						break;
					}
					e.preventDefault();
				}}
			>
				<div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
					{virtual.getVirtualItems().map((item) => {
						const row = rows[item.index];
						if (!row) return null;
						const style = { transform: `translateY(${item.start}px)` };
						if (row.kind === 'missed') {
							return (
								<div key={item.key} className="frame-row is-missed" style={style}>
									{row.count.toLocaleString('en')} frames not captured here
								</div>
							);
						}
						return <Row key={item.key} frame={row.frame} lab={lab} start={start} style={style} />;
					})}
				</div>
			</div>
			{!follows && fresh > 0 && (
				<button
					type="button"
					className="newer"
					onClick={() => {
						setAtEnd(true);
						look(undefined);
					}}
				>
					{fresh} new ↓
				</button>
			)}
		</div>
	);
}

function look(frame: View['frame']): void {
	useView.setState({ frame });
}

function choose(f: Frame): void {
	look({ no: f.no, to: f.to });
	canvasView.reveal(f.to);
}

function Row({ frame, lab, start, style }: { frame: Frame; lab: Lab; start: number; style: React.CSSProperties }) {
	const chosen = useView((v) => v.frame?.no === frame.no);
	return (
		// biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys
		// biome-ignore lint/a11y/useFocusableInteractive: the list has the focus
		<div
			role="option"
			aria-selected={chosen}
			className={`frame-row protocol-${familyOf(frame)} ${chosen ? 'is-chosen' : ''}`}
			data-testid="frame-row"
			data-protocol={frame.protocol}
			style={style}
			onClick={() => choose(frame)}
		>
			<span>{frame.no}</span>
			<span>{((frame.at - start) / 1e9).toFixed(6)}</span>
			<span>{whereCrossed(lab, frame)}</span>
			<span>{frame.source}</span>
			<span>{frame.target}</span>
			<span>{frame.protocol}</span>
			<span>{frame.length}</span>
			<span title={frame.info}>{frame.info}</span>
		</div>
	);
}

function Details({ no }: { no: number }) {
	const row = frameLog.all().findLast((r) => r.kind === 'frame' && r.frame.no === no);
	if (row?.kind !== 'frame') return null;
	const lines = hexLines(row.frame.data);
	return (
		<div className="frame-details" data-testid="frame-details">
			<div className="panel-bar">
				<span>
					No {no}, {row.frame.length} bytes: {row.frame.info}
				</span>
				<span className="grow" />
				<button type="button" className="plain" onClick={() => look(undefined)}>
					Close
				</button>
			</div>
			{lines.length > 0 && <pre>{lines.join('\n')}</pre>}
		</div>
	);
}

function Empty({ total }: { total: number }) {
	const lab = useLab((s) => s.lab);
	const running = useLab((s) => s.status.state === 'running');
	if (total > 0) return <p className="dock-empty">0 of {total} match.</p>;
	if (!running) return <p className="dock-empty">No frames: the lab is stopped.</p>;
	const cable = Object.values(lab.cables)[0];
	const [a, b] = (cable?.ends ?? []).map((end) => lab.interfaces[end]);
	const target = b?.addresses[0]?.split('/')[0];
	return (
		<p className="dock-empty">
			No frames yet.{' '}
			{a && b && target && (
				<button type="button" onClick={() => ping(a.node, target, 1)}>
					Ping {labelOf(lab, b.node)} from {labelOf(lab, a.node)}
				</button>
			)}
		</p>
	);
}
