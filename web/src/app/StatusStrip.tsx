import { TriangleAlert } from 'lucide-react';
import { useEffect, useState } from 'react';
import { count, major } from '../model/advice';
import { showNotes, useNotes } from '../session/notes';
import { frameLog, traffic, useLab, useLink, useView } from '../session/stores';

/** Revision, round trip, frames per second, and how late packets are drawn. */
export function StatusStrip() {
	const seq = useLab((s) => s.seq);
	const version = useLab((s) => s.version);
	const roundTrip = useLink((l) => l.roundTrip);
	const open = useLink((l) => l.status.kind === 'open');
	const stillness = useView((v) => v.stillness);
	const [rate, late] = useTicking();
	return (
		<footer className="strip" data-testid="status-strip">
			<span>revision {seq}</span>
			<span>
				{open
					? roundTrip === undefined
						? 'connected'
						: `round trip ${roundTrip.toFixed(roundTrip < 10 ? 1 : 0)} ms`
					: 'not connected'}
			</span>
			<span>{rate === 1 ? '1 frame/s' : `${rate} frames/s`}</span>
			{late > 0.05 && <span>drawn {late.toFixed(1)} s late</span>}
			<Notes />
			<span className="grow" />
			<button
				type="button"
				className="plain"
				aria-pressed={stillness}
				onClick={() => useView.setState({ stillness: !stillness })}
			>
				{stillness ? 'packets only light up' : 'live, 0.45 s a hop'}
			</button>
			<span>{version}</span>
		</footer>
	);
}

/** How many notes there are, and the way to them. */
function Notes() {
	const notes = useNotes((n) => major(n.list).length);
	if (notes === 0) return null;
	return (
		<button type="button" className="plain notes-count" data-testid="notes-count" onClick={showNotes}>
			<TriangleAlert size={12} aria-hidden="true" /> {count(notes)}
		</button>
	);
}

function useTicking(): [number, number] {
	const [now, setNow] = useState<[number, number]>([0, 0]);
	useEffect(() => {
		let before = frameLog.all().length;
		const timer = setInterval(() => {
			const count = frameLog.all().length;
			const rate = Math.max(0, count - before);
			const late = traffic.late(performance.now()) / 1000;
			before = count;
			setNow((was) => (was[0] === rate && was[1] === late ? was : [rate, late]));
		}, 1000);
		return () => clearInterval(timer);
	}, []);
	return now;
}
