import { ChevronDown, ChevronUp } from 'lucide-react';
import { Tabs } from 'radix-ui';
import { NoteList } from '../inspector/Notes';
import { major } from '../model/advice';
import { CommandLog } from '../packets/CommandLog';
import { History } from '../packets/History';
import { Packets } from '../packets/Packets';
import { Probes } from '../packets/Probes';
import { useNotes } from '../session/notes';
import { type DockTab, useView } from '../session/stores';
import { Terminals } from '../terminal/Terminals';
import { foldedDock, leastCanvas, statusStrip, topBar } from './heights';

const tabs: [DockTab, string][] = [
	['terminals', 'Terminals'],
	['packets', 'Packets'],
	['commands', 'Commands'],
	['probes', 'Probes'],
	['history', 'History'],
	['notes', 'Notes'],
];

const least = 120;
const set = (more: Partial<{ open: boolean; tab: DockTab; height: number }>) =>
	useView.setState((v) => ({ dock: { ...v.dock, ...more } }));
const clampHeight = (h: number) => Math.min(Math.max(least, h), innerHeight - topBar - leastCanvas - statusStrip);

export function Dock() {
	const dock = useView((v) => v.dock);
	const notes = useNotes((n) => major(n.list).length);
	return (
		<section className="dock" id="dock" aria-label="Dock" style={{ height: dock.open ? dock.height : foldedDock }}>
			{dock.open && <Splitter height={dock.height} />}
			<Tabs.Root
				className="dock-tabs"
				value={dock.tab}
				onValueChange={(tab) => set({ tab: tab as DockTab, open: true })}
			>
				<div className="dock-bar">
					<Tabs.List aria-label="Dock">
						{tabs.map(([tab, name]) => (
							<Tabs.Trigger key={tab} value={tab} className="dock-tab" data-testid={`dock-${tab}`}>
								{name}
								{tab === 'notes' && notes > 0 && <span className="tab-count">{notes}</span>}
							</Tabs.Trigger>
						))}
					</Tabs.List>
					<span className="grow" />
					<button
						type="button"
						className="plain"
						onClick={() => set({ open: !dock.open })}
						aria-expanded={dock.open}
						aria-label={dock.open ? 'Fold the dock' : 'Open the dock'}
					>
						{dock.open ? <ChevronDown size={16} /> : <ChevronUp size={16} />}
					</button>
				</div>
				{/* Terminals stay where they are while another tab is looked at. */}
				<Tabs.Content
					value="terminals"
					forceMount
					hidden={dock.tab !== 'terminals' || !dock.open}
					className="dock-content"
					tabIndex={-1}
				>
					<Terminals visible={dock.tab === 'terminals' && dock.open} />
				</Tabs.Content>
				{dock.open && (
					<>
						<Tabs.Content value="packets" className="dock-content" tabIndex={-1}>
							<Packets />
						</Tabs.Content>
						<Tabs.Content value="commands" className="dock-content" tabIndex={-1}>
							<CommandLog />
						</Tabs.Content>
						<Tabs.Content value="probes" className="dock-content" tabIndex={-1}>
							<Probes />
						</Tabs.Content>
						<Tabs.Content value="history" className="dock-content" tabIndex={-1}>
							<History />
						</Tabs.Content>
						<Tabs.Content value="notes" className="dock-content" tabIndex={-1}>
							<NoteList />
						</Tabs.Content>
					</>
				)}
			</Tabs.Root>
		</section>
	);
}

function Splitter({ height }: { height: number }) {
	return (
		// biome-ignore lint/a11y/useSemanticElements: a splitter that moves, which hr is not
		<div
			role="separator"
			aria-orientation="horizontal"
			aria-label="Height of the dock"
			aria-valuenow={Math.round(height)}
			aria-valuemin={least}
			aria-valuemax={900}
			tabIndex={0}
			className="splitter"
			onKeyDown={(e) => {
				if (e.key === 'ArrowUp') set({ height: clampHeight(height + 20) });
				if (e.key === 'ArrowDown') set({ height: clampHeight(height - 20) });
			}}
			onPointerDown={(e) => {
				e.currentTarget.setPointerCapture(e.pointerId);
				const start = e.clientY;
				const element = e.currentTarget;
				const move = (m: PointerEvent) => set({ height: clampHeight(height + start - m.clientY) });
				element.addEventListener('pointermove', move);
				element.addEventListener('pointerup', () => element.removeEventListener('pointermove', move), { once: true });
			}}
		/>
	);
}
