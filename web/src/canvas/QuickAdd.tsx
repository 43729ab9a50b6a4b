import { useEffect, useMemo, useRef, useState } from 'react';
import { Words } from '../app/Words';
import { bounds } from '../model/geometry';
import { withPlaces } from '../model/places';
import { problemText, Refused } from '../model/problem';
import { goesIntoMachine, quickAddHelp, type QuickAdd as Read, readQuickAdd } from '../model/quickadd';
import { asSentence } from '../model/wording';
import { edit, select } from '../session/actions';
import { type QuickAddAt, useGeometry, useLab, useView } from '../session/stores';
import { canvasView } from '../session/viewport';

export function QuickAdd() {
	const open = useView((v) => v.quickAdd);
	return open ? <Line open={open} /> : null;
}

function leave() {
	useView.setState({ quickAdd: undefined });
	document.getElementById('canvas')?.focus();
}

function Line({ open }: { open: QuickAddAt }) {
	const lab = useLab((s) => s.lab);
	const [text, setText] = useState(open.text);
	const input = useRef<HTMLInputElement>(null);
	const read = useMemo<{ ok: Read } | { words: string }>(() => {
		const box = open.machine ? useGeometry.getState().boxes[open.machine] : undefined;
		const inside = goesIntoMachine(text);
		const snap = (n: number) => Math.round(n / 8) * 8;
		const at = !open.at
			? undefined
			: inside
				? box && { x: Math.max(24, snap(open.at.x - box.x - 66)), y: Math.max(44, snap(open.at.y - box.y - 32)) }
				: { x: snap(open.at.x), y: snap(open.at.y) };
		try {
			return {
				ok: readQuickAdd(withPlaces(lab, useGeometry.getState().places), text, {
					machine: open.machine,
					at,
					addresses: useView.getState().suggestAddresses,
				}),
			};
		} catch (err) {
			if (err instanceof Refused) return { words: asSentence(lab, problemText(err.problem)) };
			throw err;
		}
	}, [text, lab, open]);
	useEffect(() => {
		input.current?.focus();
		input.current?.setSelectionRange(open.text.length, open.text.length);
	}, [open]);
	const isEmpty = text.trim() === '';
	const place = open.at ? canvasView.toScreen(open.at) : undefined;
	const pane = document.getElementById('canvas')?.getBoundingClientRect();
	const style =
		place && pane
			? { left: Math.min(place.x - pane.left, pane.width - 380), top: Math.min(place.y - pane.top, pane.height - 90) }
			: { left: '50%', top: 24, transform: 'translateX(-50%)' };
	return (
		<div role="dialog" aria-label="Quick add" data-testid="quick-add" className="quick-add nodrag nopan" style={style}>
			<input
				ref={input}
				aria-label="What to add"
				data-testid="quick-add-input"
				value={text}
				placeholder="ns red blue"
				spellCheck={false}
				autoComplete="off"
				onChange={(e) => setText(e.target.value)}
				onBlur={() => useView.setState((v) => (v.quickAdd === open ? { quickAdd: undefined } : {}))}
				onKeyDown={(e) => {
					e.stopPropagation();
					if (e.key === 'Escape') leave();
					if (e.key !== 'Enter' || !('ok' in read)) return;
					if (edit(read.ok.edits)) {
						const first = read.ok.edits
							.map((ed) => (ed.addNode ?? ed.addCable ?? ed.addInterface)?.id)
							.find((id) => id !== undefined);
						leave();
						if (first) {
							select([first]);
							useView.setState({ focus: first });
							canvasView.show(bounds(useGeometry.getState().boxes));
						}
					}
				}}
			/>
			<p className={`says ${isEmpty ? 'is-help' : 'ok' in read ? '' : 'field-problem'}`} aria-live="polite">
				<Words text={'ok' in read ? read.ok.says : isEmpty ? quickAddHelp : read.words} />
			</p>
		</div>
	);
}
