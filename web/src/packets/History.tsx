// The lab's changes, newest first: who, when, from where, by which commands. Each is a revision to go back to; what that
// would do is listed beside, and drawn over the lab.
import { History as Clock, Redo2, Undo2 } from 'lucide-react';
import { useEffect, useMemo } from 'react';
import { Words } from '../app/Words';
import { differences, labAt } from '../model/revision';
import { redo, restore, undo } from '../session/actions';
import { useLab, useView } from '../session/stores';
import type { Change } from '../wire/types.gen';

const shownRows = 300;

function look(preview: number | undefined): void {
	useView.setState({ preview });
}

export function History() {
	const changes = useLab((s) => s.changes);
	const looked = useView((v) => v.preview);
	useEffect(() => () => look(undefined), []);
	const newest = changes.at(-1)?.seq ?? 0;
	if (changes.length === 0) return <p className="dock-empty">Nothing has been changed yet.</p>;
	const rows = changes.slice(-shownRows).reverse();
	const isWhole = rows.at(-1)?.seq === 1;
	return (
		<div className="log">
			<div className="panel-bar">
				<button type="button" className="plain" onClick={undo}>
					<Undo2 size={14} /> Undo
				</button>
				<button type="button" className="plain" onClick={redo}>
					<Redo2 size={14} /> Redo
				</button>
			</div>
			<div className="history-split">
				<ol
					className="log-rows history"
					// biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys
					tabIndex={0}
					aria-label="Revisions"
					onPointerLeave={() => look(undefined)}
					onBlur={() => look(undefined)}
				>
					{rows.map((c) => (
						<Entry key={c.seq} change={c} newest={c.seq === newest} />
					))}
					{isWhole && (
						<Row seq={0} newest={false}>
							<span>Before the first change</span>
						</Row>
					)}
				</ol>
				<Preview seq={looked} newest={newest} />
			</div>
		</div>
	);
}

const origins: Record<Change['origin'], string> = {
	canvas: 'canvas',
	terminal: 'terminal',
	undo: 'undo',
	redo: 'redo',
	restore: 'restore',
	api: 'API',
};

function Row({
	seq,
	newest,
	className = '',
	children,
}: {
	seq: number;
	newest: boolean;
	className?: string;
	children: React.ReactNode;
}) {
	return (
		<li
			className={`history-row ${className}`}
			data-testid="history-row"
			data-seq={seq}
			onPointerEnter={() => look(seq)}
			onFocus={() => look(seq)}
		>
			<span className="small number">{seq}</span>
			{children}
			{newest ? (
				<span className="small">now</span>
			) : (
				<button
					type="button"
					className="plain restore"
					aria-label={`Restore revision ${seq}`}
					data-testid={`restore-${seq}`}
					onClick={() => restore(seq)}
				>
					<Clock size={14} /> Restore
				</button>
			)}
		</li>
	);
}

function Entry({ change, newest }: { change: Change; newest: boolean }) {
	const me = useLab((s) => s.author);
	const lines = (change.commands ?? []).map((l) => l.line);
	return (
		<Row
			seq={change.seq}
			newest={newest}
			className={`${change.undone ? 'is-undone' : ''} ${change.joins ? 'is-joined' : ''}`}
		>
			<time className="small" dateTime={change.at}>
				{new Date(change.at).toLocaleTimeString('en-GB')}
			</time>
			<span className="small origin">{origins[change.origin]}</span>
			<span className="sentence" title={change.sentence}>
				{change.sentence}
			</span>
			<span className="small">{change.author ? (change.author === me ? 'you' : change.author) : ''}</span>
			{change.undone && <span className="small">undone</span>}
			{lines.length > 0 && (
				<code className="history-commands small" title={lines.join('\n')}>
					{lines[0]}
					{lines.length > 1 ? ` +${lines.length - 1}` : ''}
				</code>
			)}
		</Row>
	);
}

const verbs = { add: '+', remove: '−', change: '~' } as const;
const shownLines = 40;

function Preview({ seq, newest }: { seq: number | undefined; newest: number }) {
	const lab = useLab((s) => s.confirmed);
	const changes = useLab((s) => s.changes);
	const list = useMemo(() => {
		if (seq === undefined || seq === newest) return undefined;
		const then = labAt(lab, changes, seq);
		return then && differences(lab, then);
	}, [lab, changes, seq, newest]);
	return (
		<section
			className="history-preview"
			// biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys
			tabIndex={0}
			aria-label="What restoring would do"
			data-testid="history-preview"
		>
			{seq === undefined ? (
				<p className="small">Point at a revision to see what going back to it would do.</p>
			) : seq === newest ? (
				<p className="small">This is how the lab is now.</p>
			) : !list ? (
				<p className="small">The page does not hold what changed since.</p>
			) : (
				<>
					<h2>Restoring revision {seq} would</h2>
					{list.length === 0 && <p className="small">change nothing</p>}
					<ul>
						{list.slice(0, shownLines).map((d) => (
							<li key={`${d.does} ${d.what}`} className={`does-${d.does}`}>
								<span aria-hidden="true">{verbs[d.does]}</span> <span className="sr-only">{d.does} </span>
								<Words text={d.what} />
							</li>
						))}
					</ul>
					{list.length > shownLines && <p className="small">and {list.length - shownLines} more</p>}
				</>
			)}
		</section>
	);
}
