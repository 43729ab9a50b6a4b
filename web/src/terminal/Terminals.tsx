import { Columns2, Plus, X } from 'lucide-react';
import { nodeColour } from '../canvas/Nodes';
import { subjectNode } from '../commands/focus';
import { colourOf } from '../model/colour';
import { kinds } from '../model/kinds';
import { labelOf, nodesInOrder } from '../model/lab';
import { useLab, useView } from '../session/stores';
import { endTerminal, maxPanes, openTerminal, showTerminal, splitTerminal, useTerminals } from '../session/terminals';
import { TerminalPane } from './TerminalPane';

export function Terminals({ visible }: { visible: boolean }) {
	const open = useTerminals((t) => t.open);
	const shown = useTerminals((t) => t.shown);
	const active = useTerminals((t) => t.active);
	const running = useLab((s) => s.status.state === 'running');
	const lab = useTerminals((t) => t.lab);
	return (
		<div className="terminals">
			<div className="terminal-tabs" role="toolbar" aria-label="Terminals">
				{open.map((t) => (
					<Tab key={t.id} id={t.id} node={t.node} active={t.id === active} />
				))}
				<button
					type="button"
					className="plain"
					aria-label="New terminal"
					title="Another terminal in the selected node"
					disabled={!running}
					onClick={newTerminal}
					data-testid="new-terminal"
				>
					<Plus size={14} />
				</button>
				<button
					type="button"
					className="plain"
					aria-label="Split"
					title="Side by side"
					disabled={!active || shown.length >= maxPanes}
					onClick={splitTerminal}
				>
					<Columns2 size={14} />
				</button>
				<span className="grow" />
				<FontSize />
			</div>
			{open.length === 0 && (
				<p className="dock-empty">
					{running ? (
						<>
							No terminal yet. Double-click a node, or press <kbd>T</kbd> on it. <NodeButtons />
						</>
					) : (
						'Terminals open in a running lab.'
					)}
				</p>
			)}
			<div className="terminal-panes">
				{open.map((t) => (
					<TerminalPane
						key={t.id}
						lab={lab}
						id={t.id}
						node={t.node}
						visible={visible && shown.includes(t.id)}
						active={t.id === active}
					/>
				))}
			</div>
		</div>
	);
}

function newTerminal(): void {
	const t = useTerminals.getState();
	const node =
		subjectNode() ?? t.open.find((o) => o.id === t.active)?.node ?? nodesInOrder(useLab.getState().lab)[0]?.id;
	if (node) openTerminal(node, true);
}

function NodeButtons() {
	const lab = useLab((s) => s.lab);
	return nodesInOrder(lab)
		.filter((n) => kinds[n.kind].runs)
		.slice(0, 6)
		.map((n) => (
			<button key={n.id} type="button" onClick={() => openTerminal(n.id)}>
				{labelOf(lab, n.id)}
			</button>
		));
}

function Tab({ id, node, active }: { id: string; node: string; active: boolean }) {
	const name = useLab((s) => (s.lab.nodes[node] ? labelOf(s.lab, node) : 'gone'));
	const number = useTerminals((t) => {
		const same = t.open.filter((o) => o.node === node);
		return same.length > 1 ? ` ${same.findIndex((o) => o.id === id) + 1}` : '';
	});
	return (
		<span className={`terminal-tab ${active ? 'is-active' : ''}`} style={nodeColour(colourOf(name))}>
			<button
				type="button"
				className="plain"
				aria-pressed={active}
				data-testid={`terminal-tab-${name}`}
				onClick={() => showTerminal(id)}
			>
				{name}
				{number}
			</button>
			<button
				type="button"
				className="plain"
				aria-label={`End the terminal of ${name}`}
				onClick={() => endTerminal(id)}
			>
				<X size={12} />
			</button>
		</span>
	);
}

function FontSize() {
	const size = useView((v) => v.fontSize);
	const set = (fontSize: number) => useView.setState({ fontSize: Math.min(24, Math.max(10, fontSize)) });
	return (
		<span className="font-size">
			<button type="button" className="plain" aria-label="Smaller text" onClick={() => set(size - 1)}>
				A−
			</button>
			<button type="button" className="plain" aria-label="Larger text" onClick={() => set(size + 1)}>
				A+
			</button>
		</span>
	);
}
