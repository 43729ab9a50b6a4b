// What is surely not meant, in words, with what would mend it: of one thing in the inspector, of the whole lab in the dock.
import { TriangleAlert } from 'lucide-react';
import { useLayoutEffect, useMemo, useRef } from 'react';
import { Options, Words } from '../app/Words';
import { concerning, drawnAs, major } from '../model/advice';
import { kinds } from '../model/kinds';
import { asSentence } from '../model/wording';
import { edit, show } from '../session/actions';
import { useNotes } from '../session/notes';
import { useLab } from '../session/stores';
import { canvasView } from '../session/viewport';
import type { Advice, Fix, Lab } from '../wire/types.gen';

const shownNotes = 200;
const shownCommands = 6; // a fix of many nodes says enough with the first

/** The notes on what is selected, minor ones too. */
export function Notes({ id }: { id: string }) {
	const list = useNotes((n) => n.list);
	const lab = useLab((s) => s.lab);
	const own = useMemo(() => concerning(lab, list, id), [lab, list, id]);
	if (own.length === 0) return null;
	return (
		<section className="inspector-part notes" aria-label="Notes" data-testid="notes">
			<ul>
				{own.map((a) => (
					<li key={keyOf(a)} className={a.minor ? 'note is-minor' : 'note'} data-testid="note">
						<p>
							<TriangleAlert size={14} aria-hidden="true" />
							<span>
								<Words text={`${asSentence(lab, a.message)}.`} />
							</span>
						</p>
						{a.fix && <Mend lab={lab} fix={a.fix} />}
					</li>
				))}
			</ul>
		</section>
	);
}

/** The notes on the whole lab; each leads to what it is about. */
export function NoteList() {
	const list = useNotes((n) => n.list);
	const lab = useLab((s) => s.lab);
	const held = useLab((s) => major(s.advice).length > 0);
	const notes = major(list);
	if (notes.length === 0)
		return (
			<p className="dock-empty">
				{held
					? 'The lab is being changed. Notes come once it has rested for some seconds.'
					: 'Nothing that looks unintended: addresses, routes and links fit together.'}
			</p>
		);
	return (
		// biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys
		<ul className="log log-rows notes" tabIndex={0} aria-label="Notes on the lab">
			{notes.slice(0, shownNotes).map((a) => (
				<li key={keyOf(a)} className="note" data-testid="note-row">
					<p>
						<TriangleAlert size={14} aria-hidden="true" />
						<button type="button" className="plain note-about" onClick={() => showNote(lab, a)}>
							<Words text={`${asSentence(lab, a.message)}.`} />
						</button>
					</p>
					{a.fix && <Mend lab={lab} fix={a.fix} />}
				</li>
			))}
			{notes.length > shownNotes && <li className="small">and {notes.length - shownNotes} more</li>}
		</ul>
	);
}

function keyOf(a: Advice): string {
	return `${a.code} ${a.on[0]} ${a.message}`;
}

function showNote(lab: Lab, a: Advice): void {
	const at = a.on.flatMap((id) => drawnAs(lab, id) ?? [])[0];
	if (at) show(at);
}

/** One ordinary op; Mod+Z takes it back. */
function Mend({ lab, fix }: { lab: Lab; fix: Fix }) {
	const button = useRef<HTMLButtonElement>(null);
	useLayoutEffect(() => {
		const own = button.current;
		return () => {
			if (own === document.activeElement) canvasView.focus(); // the note goes, and the focus would with it
		};
	}, []);
	const commands = fix.commands ?? [];
	const shells = Object.values(lab.nodes).filter((n) => kinds[n.kind].holds);
	const more = commands.length - shownCommands;
	return (
		<div className="note-fix">
			<button ref={button} type="button" onClick={() => edit(fix.edits)}>
				{fix.label}
			</button>
			{commands.length > 0 && (
				<pre className="note-commands">
					{commands.slice(0, shownCommands).map((c) => (
						<code key={`${c.machine} ${c.line}`}>
							{shells.length > 1 && <span className="small">{c.machine} </span>}
							<Options text={c.line} />
							{'\n'}
						</code>
					))}
					{more > 0 && <span className="small">and {more} more</span>}
				</pre>
			)}
		</div>
	);
}
