import { Redo2, Undo2 } from 'lucide-react';
import { redo, undo } from '../session/actions';
import { useLab } from '../session/stores';
import type { Change } from '../wire/types.gen';

export function History() {
	const changes = useLab((s) => s.changes);
	if (changes.length === 0) return <p className="dock-empty">Nothing has been changed yet.</p>;
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
			<ol className="log-rows history">
				{changes
					.slice(-300)
					.reverse()
					.map((c) => (
						<Entry key={c.seq} change={c} />
					))}
			</ol>
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

function Entry({ change }: { change: Change }) {
	const me = useLab((s) => s.author);
	return (
		<li
			className={`history-row ${change.undone ? 'is-undone' : ''} ${change.joins ? 'is-joined' : ''}`}
			data-testid="history-row"
		>
			<span className="small number">{change.seq}</span>
			<time className="small" dateTime={change.at}>
				{new Date(change.at).toLocaleTimeString('en-GB')}
			</time>
			<span className="small">{origins[change.origin]}</span>
			<span>{change.sentence}</span>
			<span className="small">{change.author ? (change.author === me ? 'you' : change.author) : ''}</span>
			{change.undone && <span className="small">undone</span>}
		</li>
	);
}
