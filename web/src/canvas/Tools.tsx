import { Cable, Hand, ListTree, MousePointer2, Plus } from 'lucide-react';
import { addThing, quickAdd, toggleOutline } from '../commands/commands';
import { useLacking } from '../inspector/LinkParts';
import { addWords, type Shape } from '../model/things';
import { toast } from '../session/actions';
import { type Tool, useView } from '../session/stores';
import { dragType } from './Canvas';

/** The left strip: one tab stop, arrows within. */
export function Tools() {
	const tool = useView((v) => v.tool);
	const outline = useView((v) => v.outline);
	const set = (next: Tool) => () => useView.setState({ tool: next });
	return (
		<div
			className="tools"
			id="tools"
			role="toolbar"
			aria-label="Tools"
			aria-orientation="vertical"
			onKeyDown={(e) => {
				if (e.key !== 'ArrowDown' && e.key !== 'ArrowUp') return;
				const buttons = [...e.currentTarget.querySelectorAll('button')];
				const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
				buttons[(at + (e.key === 'ArrowDown' ? 1 : -1) + buttons.length) % buttons.length]?.focus();
				e.preventDefault();
			}}
		>
			<button
				type="button"
				aria-label="Select"
				title="Select  V"
				aria-pressed={tool === 'select'}
				onClick={set('select')}
			>
				<MousePointer2 size={16} />
			</button>
			<button
				type="button"
				tabIndex={-1}
				aria-label="Hand: move the view"
				title="Hand  H"
				aria-pressed={tool === 'hand'}
				onClick={set('hand')}
			>
				<Hand size={16} />
			</button>
			<span className="tool-rule" />
			<Source shape="machine" title="Machine: drag it onto the canvas">
				<svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
					<path d="M2.5 3.5h15v13h-15zM2.5 7.5h15" fill="none" stroke="currentColor" strokeWidth="1.5" />
				</svg>
			</Source>
			<Source shape="namespace" title="Network namespace: drag it into a machine">
				<svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
					<path d="M2.5 5.5h15v9h-15z" fill="none" stroke="currentColor" strokeWidth="1.5" />
					<path d="M4 5.5v9" stroke="currentColor" strokeWidth="3.5" />
				</svg>
			</Source>
			<Source shape="container" title="Container: drag it into a machine">
				<svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
					<path d="M1.5 4.5h17v11h-17zM4 7h12v6H4z" fill="none" stroke="currentColor" strokeWidth="1.2" />
				</svg>
			</Source>
			<Source shape="bridge" title="Bridge: drag it into a machine or a namespace">
				<svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
					<path d="M1.5 8h17v4h-17z" fill="none" stroke="currentColor" strokeWidth="1.5" />
					<path d="M5 8V4M10 8V4M15 8V4M7.5 12v4M12.5 12v4" stroke="currentColor" strokeWidth="1.5" />
				</svg>
			</Source>
			<Source shape="ovs" title="Open vSwitch bridge: drag it into a machine" feature="ovs">
				<svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
					<path d="M1.5 8h13l4 4h-17z" fill="none" stroke="currentColor" strokeWidth="1.5" />
					<path d="M5 8V4M10 8V4M5 12v4M10 12v4M15 12v4" stroke="currentColor" strokeWidth="1.5" />
				</svg>
			</Source>
			<Source shape="lan" title="LAN, a switch between machines: drag it onto the canvas">
				<svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
					<rect x="1.5" y="7.5" width="17" height="5" rx="2.5" fill="none" stroke="currentColor" strokeWidth="1.5" />
					<path d="M6 7.5V3.5M14 7.5V3.5" stroke="currentColor" strokeWidth="1.5" />
				</svg>
			</Source>
			<Source shape="internet" title="The internet: drag it onto the canvas">
				<svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
					<path d="M1.5 13.5h17M5 13.5a5 5 0 0 1 10 0" fill="none" stroke="currentColor" strokeWidth="1.5" />
				</svg>
			</Source>
			<button
				type="button"
				tabIndex={-1}
				aria-label="Cable"
				title="Cable  C: click its two ends"
				aria-pressed={tool === 'cable'}
				onClick={set('cable')}
				data-testid="palette-cable"
			>
				<Cable size={16} />
			</button>
			<span className="tool-rule" />
			<button
				type="button"
				tabIndex={-1}
				aria-label="Quick add"
				title="Quick add  N"
				onClick={quickAdd}
				data-testid="palette-quick-add"
			>
				<Plus size={16} />
			</button>
			<button
				type="button"
				tabIndex={-1}
				aria-label="Outline"
				title="Outline  O"
				aria-pressed={outline}
				onClick={toggleOutline}
			>
				<ListTree size={16} />
			</button>
		</div>
	);
}

interface SourceProps {
	shape: Shape;
	title: string;
	/** What it needs, where that may be lacking. */
	feature?: string;
	children: React.ReactNode;
}

function Source({ shape, title, feature, children }: SourceProps) {
	const lacking = useLacking(feature);
	return (
		<button
			type="button"
			tabIndex={-1}
			draggable={!lacking}
			aria-disabled={lacking !== undefined}
			aria-label={`${addWords(shape)}${lacking ? `: ${lacking}` : ''}`}
			title={lacking ?? title}
			data-testid={`palette-${shape}`}
			onDragStart={(e) => {
				e.dataTransfer.setData(dragType, shape);
				e.dataTransfer.effectAllowed = 'copy';
			}}
			onClick={() => (lacking ? toast({ kind: 'warn', text: lacking }) : addThing(shape))}
		>
			{children}
		</button>
	);
}
