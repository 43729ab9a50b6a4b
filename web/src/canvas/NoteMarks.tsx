// Amber marks at what is surely not meant, with the sentence while one points at it. They are above all else in the drawing,
// and the canvas speaks them with the things that they are on.
import { TriangleAlert } from 'lucide-react';
import { memo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { Words } from '../app/Words';
import { pointOn } from '../model/curves';
import { type Geometry, isUpright, type Point } from '../model/geometry';
import { asSentence } from '../model/wording';
import { show } from '../session/actions';
import { useNotes } from '../session/notes';
import { useGeometry, useLab, useView } from '../session/stores';

export const NoteLayer = memo(function NoteLayer() {
	const ids = useNotes(useShallow((n) => Object.keys(n.marks)));
	const previews = useView((v) => v.preview !== undefined); // whose signs are in the same places
	return previews ? null : ids.map((id) => <NoteMark key={id} id={id} />);
});

const NoteMark = memo(function NoteMark({ id }: { id: string }) {
	const notes = useNotes((n) => n.marks[id]);
	const at = useGeometry(useShallow((g) => placeOf(g, id)));
	const selected = useView((v) => v.selection.has(id));
	const inspected = useView((v) => v.inspector && v.selection.has(id)); // which tells it
	const hovered = useView((v) => v.hover === id);
	if (!notes || !at) return null;
	const { lab } = useLab.getState();
	const text = notes.map((a) => `${asSentence(lab, a.message)}.`);
	return (
		<button
			type="button"
			tabIndex={-1}
			className={`note-mark nodrag nopan ${selected || hovered ? 'is-open' : ''}`}
			style={{ left: at.x, top: at.y }}
			data-testid="note-mark"
			data-on={id}
			aria-label={`Note: ${text.join(' ').replaceAll('`', '')}`}
			onClick={() => show(id)}
		>
			<TriangleAlert size={16} aria-hidden="true" />
			{!inspected && (
				<span className="note-bubble" aria-hidden="true">
					{text.map((sentence) => (
						<span key={sentence}>
							<Words text={sentence} />
						</span>
					))}
				</span>
			)}
		</button>
	);
});

/** Where a thing's mark is: at a box's corner, beside a jack on the same border, in the middle of a cable. */
function placeOf(g: Geometry, id: string): Point | undefined {
	const box = g.boxes[id];
	if (box) return { x: box.x + box.w - 2, y: box.y + 2 };
	const jack = g.jacks[id];
	if (jack) return isUpright(jack.side) ? { x: jack.x, y: jack.y - 15 } : { x: jack.x - 15, y: jack.y };
	const curve = g.curves[id];
	return curve && pointOn(curve, 0.5);
}
