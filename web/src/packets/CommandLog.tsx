import { Clipboard, TerminalSquare } from 'lucide-react';
import { toast } from '../session/actions';
import { useLab } from '../session/stores';
import { machineNamed, putIntoTerminal } from '../session/terminals';
import { copyText } from '../terminal/clipboard';
import type { Change } from '../wire/types.gen';

/** Every change as the commands it stands for. */
export function CommandLog() {
	const changes = useLab((s) => s.changes);
	const withCommands = changes.filter((c) => (c.commands ?? []).length > 0).slice(-300);
	if (withCommands.length === 0)
		return <p className="dock-empty">No commands yet. What you draw is shown here as you would type it.</p>;
	const script = withCommands
		.filter((c) => c.origin !== 'terminal')
		.flatMap((c) => (c.commands ?? []).map((l) => l.line))
		.join('\n');
	return (
		<div className="log">
			<div className="panel-bar">
				<span className="small">as one types it in each machine</span>
				<span className="grow" />
				<button
					type="button"
					className="plain"
					onClick={async () => {
						if (await copyText(`${script}\n`)) toast({ kind: 'info', text: 'The script is on the clipboard.' });
					}}
				>
					Copy script
				</button>
			</div>
			<ol className="log-rows" ref={(e) => e?.scrollTo(0, e.scrollHeight)}>
				{withCommands.map((c) => (
					<Entry key={c.seq} change={c} />
				))}
			</ol>
		</div>
	);
}

function Entry({ change }: { change: Change }) {
	return (
		<li className={change.undone ? 'is-undone' : ''}>
			<p className="small">
				{change.sentence}
				{change.origin === 'terminal' ? ', in a terminal' : change.origin === 'canvas' ? '' : `, ${change.origin}`}
			</p>
			{(change.commands ?? []).map((l, at) => (
				// biome-ignore lint/suspicious/noArrayIndexKey: the lines of a change never move
				<div key={at} className="command-line" data-testid="command-line">
					<span className="small">{l.machine}</span>
					<code>{l.line}</code>
					{l.derived && (
						<span className="small" title="not typed or run: worked out from what changed in the kernel">
							derived
						</span>
					)}
					<button type="button" className="plain" aria-label={`Copy ${l.line}`} onClick={() => void copyText(l.line)}>
						<Clipboard size={12} />
					</button>
					<button
						type="button"
						className="plain"
						aria-label={`Put into a terminal: ${l.line}`}
						title="Put into a terminal, without Enter"
						onClick={() => {
							const node = machineNamed(l.machine);
							if (node) putIntoTerminal(node, l.line);
						}}
					>
						<TerminalSquare size={12} />
					</button>
				</div>
			))}
		</li>
	);
}
