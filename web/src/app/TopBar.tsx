import { ChevronLeft, Command, PanelRight, Play, Redo2, Square, Undo2 } from 'lucide-react';
import { useState } from 'react';
import { keyText } from '../commands/commands';
import { edit, redo, startLab, stopLab, undo } from '../session/actions';
import { useLab, useView } from '../session/stores';

export function TopBar({ home }: { home: () => void }) {
	return (
		<header className="topbar" id="topbar">
			<button type="button" className="plain" onClick={home} aria-label="Home: all labs" title="All labs">
				<ChevronLeft size={16} />
			</button>
			<Name />
			<StateMark />
			<StartStop />
			<span className="bar-rule" />
			<button
				type="button"
				className="plain"
				onClick={undo}
				aria-label="Undo"
				title={`Undo ${keyText('Mod+Z')}`}
				data-testid="undo"
			>
				<Undo2 size={16} />
			</button>
			<button
				type="button"
				className="plain"
				onClick={redo}
				aria-label="Redo"
				title={`Redo ${keyText('Mod+Shift+Z')}`}
				data-testid="redo"
			>
				<Redo2 size={16} />
			</button>
			<span className="grow" />
			<button type="button" className="finder" onClick={() => useView.setState({ palette: 'commands' })}>
				<Command size={14} /> Find a command <kbd>{keyText('Mod+K')}</kbd>
			</button>
			<Viewers />
			<button
				type="button"
				className="plain"
				onClick={() => useView.setState((v) => ({ inspector: !v.inspector }))}
				aria-label="Inspector"
				title="Inspector I"
			>
				<PanelRight size={16} />
			</button>
		</header>
	);
}

function Name() {
	const name = useLab((s) => s.lab.name);
	const [text, setText] = useState<string>();
	if (text === undefined) {
		return (
			<h1>
				<button type="button" className="lab-name plain" title="Rename the lab" onClick={() => setText(name)}>
					{name || '…'}
				</button>
			</h1>
		);
	}
	const apply = () => {
		if (text.trim() !== name && text.trim() !== '') edit([{ updateLab: { name: text.trim() } }]);
		setText(undefined);
	};
	return (
		<input
			className="lab-name"
			aria-label="Name of the lab"
			value={text}
			ref={(e) => e?.focus()}
			onChange={(e) => setText(e.target.value)}
			onBlur={apply}
			onKeyDown={(e) => {
				if (e.key === 'Enter') apply();
				if (e.key === 'Escape') setText(undefined);
			}}
		/>
	);
}

const marks = { running: '●', starting: '◐', stopping: '◐', stopped: '○', dead: '✕' } as const;

function StateMark() {
	const state = useLab((s) => s.status.state);
	const done = useLab((s) => s.status.done);
	const total = useLab((s) => s.status.total);
	const loaded = useLab((s) => s.loaded);
	if (!loaded) return null;
	const progress =
		state === 'starting' && total ? `Making namespaces, ${done ?? 0} of ${total}` : state === 'dead' ? 'ended' : state;
	return (
		<span className={`state is-${state}`} data-testid="lab-state">
			<span aria-hidden="true">{marks[state]}</span> {progress}
		</span>
	);
}

function StartStop() {
	const state = useLab((s) => s.status.state);
	const loaded = useLab((s) => s.loaded);
	if (!loaded) return null;
	if (state === 'running' || state === 'stopping') {
		return (
			<button type="button" disabled={state === 'stopping'} onClick={() => void stopLab()} data-testid="stop">
				<Square size={12} /> Stop
			</button>
		);
	}
	return (
		<button
			type="button"
			className="primary"
			disabled={state === 'starting'}
			onClick={() => void startLab()}
			data-testid="start"
		>
			<Play size={12} /> {state === 'dead' ? 'Start again' : 'Start'}
		</button>
	);
}

function Viewers() {
	const viewers = useLab((s) => s.status.viewers ?? 1);
	return viewers > 1 ? <span className="small">{viewers} look at this</span> : null;
}
