// The same lab as a tree, with the same commands: an equal way, not a fallback.
import { useLayoutEffect, useMemo, useRef } from 'react';
import { runKey } from '../commands/commands';
import { outline } from '../model/outline';
import { select } from '../session/actions';
import { useLab, useView } from '../session/stores';
import { canvasView } from '../session/viewport';

export function Outline() {
	const lab = useLab((s) => s.lab);
	const focus = useView((v) => v.focus);
	const selection = useView((v) => v.selection);
	const items = useMemo(() => outline(lab), [lab]);
	const current = items.some((i) => i.id === focus) ? focus : items[0]?.id;
	const hasFocus = useRef(false);
	useLayoutEffect(() => {
		// What had the focus may have been deleted; then nothing has it.
		if (hasFocus.current && current && document.activeElement === document.body) {
			document.getElementById(`tree-${current}`)?.focus();
		}
	}, [current]);
	const goTo = (id: string | undefined) => {
		if (!id) return;
		select([id]);
		useView.setState({ focus: id });
		canvasView.reveal(id);
		document.getElementById(`tree-${id}`)?.focus();
	};
	return (
		<div
			className="outline-tree"
			onFocus={() => {
				hasFocus.current = true;
			}}
			onBlur={(e) => {
				hasFocus.current = e.relatedTarget === null || e.currentTarget.contains(e.relatedTarget);
			}}
			role="tree"
			aria-label="Outline of the lab"
			data-testid="outline"
			onKeyDown={(e) => {
				const at = items.findIndex((i) => i.id === current);
				const item = items[at];
				if (e.key === 'ArrowDown' && !e.shiftKey) goTo(items[at + 1]?.id);
				else if (e.key === 'ArrowUp' && !e.shiftKey) goTo(items[at - 1]?.id);
				else if (e.key === 'ArrowLeft') goTo(item?.parent);
				else if (e.key === 'ArrowRight') goTo(items.find((i) => i.parent === current)?.id);
				else if (e.key === 'Home') goTo(items[0]?.id);
				else if (e.key === 'End') goTo(items.at(-1)?.id);
				else if (!runKey(e.nativeEvent, 'canvas')) return;
				e.preventDefault();
				e.stopPropagation();
			}}
		>
			{items.map((i) => (
				<div
					key={i.id}
					id={`tree-${i.id}`}
					role="treeitem"
					aria-level={i.level}
					aria-posinset={i.position}
					aria-setsize={i.size}
					aria-selected={selection.has(i.id)}
					tabIndex={i.id === current ? 0 : -1}
					className={`outline-item ${i.kind === 'interface' ? 'mono' : ''}`}
					style={{ paddingLeft: 8 + (i.level - 1) * 14 }}
					title={`${i.name} ${i.detail}`}
					onClick={() => goTo(i.id)}
					onKeyDown={() => {}}
				>
					<span>{i.name}</span> <span className="small">{i.detail}</span>
				</div>
			))}
			{items.length === 0 && <p className="small">Nothing here yet.</p>}
		</div>
	);
}
